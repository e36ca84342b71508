"""Files of the past: after all that was said, the newest first, in the place of what stood for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mautrix_whatsapp_py.bridge.backfill.late_files import AT_ONCE
from mautrix_whatsapp_py.bridge.files import NoFiles
from mautrix_whatsapp_py.ids import MxUri
from mautrix_whatsapp_py.model.content import MxEdit, MxMessageContent, MxMsgType, WaKind, WaRevoke
from mautrix_whatsapp_py.model.media import MediaUnavailable, MxFile, WaFile, WaMedia
from mautrix_whatsapp_py.model.wa_history import WaHistoryStage
from tests.flow.chat import BEN, ref
from tests.flow.past import Past
from tests.flow.world import World

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""


class FakeFiles(NoFiles):
    """Brings files when it is let, and remembers in which order it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gone: set[str] = set()
        self.most_at_once = 0
        self._now = 0
        self.may_go = asyncio.Event()
        self.may_go.set()

    async def bring_to_matrix(
        self, media: WaMedia, *, is_encrypted: bool = False, is_patient: bool = False
    ) -> MxFile | MediaUnavailable:
        self.asked.append(media.caption)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        await asyncio.sleep(0)
        await self.may_go.wait()
        self._now -= 1
        if media.caption in self.gone:
            return MediaUnavailable(sentence="WhatsApp does not have it any more.")
        return MxFile(uri=MxUri(f"mxc://localhost/{media.caption}"), mime_type="image/jpeg")


@pytest.fixture
async def files() -> FakeFiles:
    return FakeFiles()


@pytest.fixture
async def past(world: World, files: FakeFiles) -> AsyncIterator[Past]:
    past = await Past.open(world)
    past.files = files
    past.attach()
    yield past
    await past.backfill.stop()


def photo(caption: str) -> WaMedia:
    file = WaFile(direct_path="/x", media_key=b"k", sha256=b"s", enc_sha256=b"e")
    return WaMedia(kind=WaKind.IMAGE, file=file, caption=caption, mime_type="image/jpeg")


def add_photos(past: Past, *captions: str) -> None:
    past.history.add(*(past.message(photo(caption), number=number) for number, caption in enumerate(captions)))


def edits(past: Past) -> list[MxMessageContent]:
    said = [one.content for one in past.world.chats.said]
    return [one for one in said if isinstance(one, MxMessageContent) and isinstance(one.relation, MxEdit)]


async def test_files_follow_the_newest_first_and_a_few_at_a_time(past: Past, files: FakeFiles) -> None:
    add_photos(past, "one", "two", "three", "four")
    await past.bring()
    assert past.chat.texts == [
        f"📎 A photo is being fetched.\n\n{caption}" for caption in ("one", "two", "three", "four")
    ]
    assert files.asked == ["four", "three", "two", "one"]
    assert files.most_at_once == AT_ONCE
    assert sorted(edit.body for edit in edits(past)) == ["four", "one", "three", "two"]
    assert all(edit.msgtype is MxMsgType.IMAGE for edit in edits(past))
    assert past.count(WaHistoryStage.DONE) == 4


async def test_a_file_that_is_gone_is_told_of(past: Past, files: FakeFiles) -> None:
    files.gone.add("one")
    add_photos(past, "one")
    await past.bring()
    (edit,) = edits(past)
    assert edit.msgtype is MxMsgType.NOTICE
    assert "WhatsApp does not have it any more" in edit.body


async def test_files_that_are_left_come_after_a_crash_and_none_twice(past: Past, files: FakeFiles) -> None:
    add_photos(past, "one", "two", "three")
    files.may_go.clear()
    past.wake()
    await past.until(lambda: len(files.asked) == AT_ONCE)
    await past.chat.hear("meanwhile")
    assert past.chat.texts[-1] == "meanwhile"
    await past.restart(is_killed=True)
    files.may_go.set()
    await past.bring()
    assert sorted(edit.body for edit in edits(past)) == ["one", "three", "two"]


async def test_the_file_of_a_deleted_message_does_not_come_back(past: Past, files: FakeFiles) -> None:
    message = past.message(photo("secret"), number=0)
    past.history.add(message)
    files.may_go.clear()
    past.wake()
    await past.until(lambda: bool(files.asked))
    await past.chat.receive(past.chat.message(WaRevoke(target=ref(message.message_id, BEN))))
    files.may_go.set()
    await past.bring()
    assert len(past.world.chats.redacted) == 1
    assert not edits(past)
