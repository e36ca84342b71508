"""Files that are fetched before their turn: how many, for whom, and what becomes of failures."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from mautrix_whatsapp_py.bridge.files_ahead import Brought, FileKey, FilesAhead
from mautrix_whatsapp_py.errors import StoreUnavailable
from mautrix_whatsapp_py.ids import MxUri, WaMessageId
from mautrix_whatsapp_py.model.media import MediaUnavailable, MxFile
from mautrix_whatsapp_py.model.portal import PortalId

GONE = MediaUnavailable(sentence="it is gone.")


def key(chat: int, number: int = 0) -> FileKey:
    return FileKey(portal_id=PortalId(chat), message_id=WaMessageId(f"m{number}"), path="/p")


class Source:
    """Files that end when they are let go."""

    def __init__(self) -> None:
        self.began: list[FileKey] = []
        self.ended: list[FileKey] = []
        self.faults: Counter[FileKey] = Counter()
        self.answers: dict[FileKey, Brought] = {}
        self.is_open = asyncio.Event()

    def bring(self, of: FileKey) -> Callable[[], asyncio.Future[Brought]]:
        async def run() -> Brought:
            self.began.append(of)
            try:
                await self.is_open.wait()
            finally:
                self.ended.append(of)
            if self.faults[of]:
                self.faults[of] -= 1
                raise StoreUnavailable
            return self.answers.get(of, MxFile(uri=MxUri(f"mxc://x/{len(self.ended)}")))

        return lambda: asyncio.ensure_future(run())


async def steps() -> None:
    """Let everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_chat_is_a_few_files_ahead_and_leaves_room_for_others() -> None:
    ahead, source = FilesAhead(per_chat=3, at_once=4), Source()
    for number in range(10):
        ahead.offer(key(1, number), source.bring(key(1, number)))
    for number in range(2):
        ahead.offer(key(2, number), source.bring(key(2, number)))
    await steps()
    assert source.began == [key(1, 0), key(1, 1), key(1, 2), key(2, 0)]
    taking = asyncio.ensure_future(ahead.take(key(1, 0)))
    await steps()
    assert source.began[4:] == [key(2, 1)], "whose turn it is counts no more"
    source.is_open.set()
    assert isinstance(await taking, MxFile)
    await steps()
    assert len(source.began) == 5, "three of the first chat are ready"
    ahead.settle(key(1, 0))
    await steps()
    assert source.began[5:] == [key(1, 3)]
    await ahead.stop()


async def test_a_file_whose_turn_it_is_waits_for_no_other() -> None:
    ahead, source = FilesAhead(per_chat=3, at_once=1), Source()
    for chat in range(3):
        ahead.offer(key(chat), source.bring(key(chat)))
    await steps()
    assert source.began == [key(0)]
    taking = asyncio.ensure_future(ahead.take(key(2)))
    await steps()
    assert source.began == [key(0), key(2)]
    source.is_open.set()
    assert isinstance(await taking, MxFile)
    await ahead.stop()


async def test_what_was_fetched_is_kept_for_the_next_try_and_failures_are_not() -> None:
    ahead, source = FilesAhead(), Source()
    source.is_open.set()
    ahead.offer(key(1), source.bring(key(1)))
    assert await ahead.take(key(1)) == await ahead.take(key(1))
    assert len(source.began) == 1
    source.faults[key(2)] = 1
    source.answers[key(2)] = GONE
    ahead.offer(key(2), source.bring(key(2)))
    await steps()
    assert await ahead.take(key(2)) is GONE, "a fault of the database before its turn is no answer"
    source.answers.pop(key(2))
    assert isinstance(await ahead.take(key(2)), MxFile), "another try asks again"
    source.faults[key(3)] = 2
    ahead.offer(key(3), source.bring(key(3)))
    await steps()
    with pytest.raises(StoreUnavailable):
        await ahead.take(key(3))
    await ahead.stop()


async def test_the_same_message_of_two_accounts_is_fetched_once() -> None:
    ahead, source = FilesAhead(), Source()
    source.is_open.set()
    ahead.offer(key(1), source.bring(key(1)))
    ahead.offer(key(1), source.bring(key(1)))
    await ahead.take(key(1))
    ahead.settle(key(1))
    ahead.offer(key(1), source.bring(key(1)))
    await steps()
    assert source.began == [key(1)]
    assert await ahead.take(key(1)) is None
    await ahead.stop()


async def test_what_nobody_waits_for_ends() -> None:
    ahead, source = FilesAhead(), Source()
    for chat in range(2):
        ahead.offer(key(chat), source.bring(key(chat)))
    await steps()
    ahead.settle(key(0))
    await steps()
    assert source.ended == [key(0)]
    await ahead.stop()
    assert source.ended == [key(0), key(1)]
    ahead.offer(key(3), source.bring(key(3)))
    await steps()
    assert len(source.began) == 2
