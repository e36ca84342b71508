"""What a message costs: few turns of the database, no needless request, and nothing acknowledged too early."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mautrix_whatsapp_py.model.content import MxMessageContent, MxReply, WaContext, WaQuote, WaText
from mautrix_whatsapp_py.model.wa import WaReceiptKind
from mautrix_whatsapp_py.store.store import Store
from tests.fakes.whatsapp import START
from tests.flow.chat import BEN, Chat
from tests.flow.world import World

COUNT = 20


class Meter:
    """Counts what a store is asked, and can hold back what is written."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads = self.writes = self._opened = 0
        self.may_write = asyncio.Event()
        self.may_write.set()
        read, write = store.read, store.write

        async def counted_read(work: Any) -> Any:
            self.reads += 1
            return await read(work)

        async def counted_write(work: Any, **how: Any) -> Any:
            self.writes += 1
            await self.may_write.wait()
            return await write(work, **how)

        def counted(call: Callable[[], Any]) -> Callable[[], Any]:
            def run() -> Any:
                self._opened += 1
                return call()

            return run

        monkeypatch.setattr(store, "read", counted_read)
        monkeypatch.setattr(store, "write", counted_write)
        monkeypatch.setattr(store, "reading", counted(store.reading))
        monkeypatch.setattr(store, "transaction", counted(store.transaction))
        self._is_shared = store._write_line is not None

    @property
    def asked(self) -> tuple[int, int, int]:
        """Reads, writes, and transactions that were opened beside them."""
        own = 0 if self._is_shared else self.reads + self.writes
        return self.reads, self.writes, self._opened - own


@pytest.fixture
async def chat(world: World) -> Chat:
    await world.bridge.load()
    chat = await Chat.open(world)
    await chat.hear("hello")
    await chat.say("hi")
    return chat


@pytest.fixture
def meter(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> Meter:
    return Meter(chat.world.store, monkeypatch)


async def test_a_text_from_whatsapp_is_one_request_and_one_row(chat: Chat, meter: Meter) -> None:
    before = len(chat.world.matrix.calls)
    await chat.receive(*(chat.message(WaText(body=str(number))) for number in range(COUNT)))
    assert chat.texts[-COUNT:] == [str(number) for number in range(COUNT)]
    assert chat.world.matrix.calls[before:] == ["send_message"] * COUNT
    # It is newer than all that was recorded: nobody looks for it.
    assert meter.asked == (0, COUNT, 0)


async def test_what_was_recorded_is_known_again(chat: Chat, meter: Meter) -> None:
    """Also by another run, and of a second in which more was said."""
    at = START + timedelta(hours=1)
    first, second = (chat.message(WaText(body=body), at=at) for body in ("first", "second"))
    await chat.receive(first, first, second, first, second)
    await chat.restart()
    await chat.receive(second, first, chat.message(WaText(body="third"), at=at))
    assert chat.texts[-3:] == ["first", "second", "third"]
    assert chat.texts.count("first") == chat.texts.count("second") == 1


async def test_a_text_from_matrix_is_two_writes_and_no_request(chat: Chat, meter: Meter) -> None:
    before = len(chat.world.matrix.calls)
    for number in range(COUNT):
        await chat.say(str(number))
    assert len(chat.client.messages) == 1 + COUNT
    told = {"send_status", "send_receipt"}
    assert not [call for call in chat.world.matrix.calls[before:] if call not in told]
    # Stored and put into the outbox with its transaction, recorded.
    assert meter.asked == (0, 2 * COUNT, 0)


async def test_receipts_that_say_nothing_new_ask_nothing(chat: Chat, meter: Meter) -> None:
    (sent,) = chat.client.messages
    receipt = chat.receipt(sent.message_id, kind=WaReceiptKind.DELIVERED)
    await chat.receive(*(receipt for _ in range(COUNT)))
    assert meter.asked == (0, 0, 0)
    assert len(chat.client.acknowledged) == 1 + COUNT


async def test_the_next_message_does_not_wait_for_the_row_but_the_acknowledgement_does(
    chat: Chat, meter: Meter
) -> None:
    acknowledged = len(chat.client.acknowledged)
    meter.may_write.clear()
    receiving = asyncio.create_task(chat.receive(*(chat.message(WaText(body=text)) for text in "abc")))
    await chat.world.until(lambda: chat.texts[-3:] == ["a", "b", "c"])
    assert len(chat.client.acknowledged) == acknowledged
    meter.may_write.set()
    await receiving
    assert sorted(chat.client.acknowledged[acknowledged:]) == [entry.seq for entry in chat.journal[-3:]]


async def test_a_reply_waits_for_the_row_of_what_it_answers(chat: Chat, meter: Meter) -> None:
    meter.may_write.clear()
    first = chat.message(WaText(body="first"))
    quote = WaQuote(message_id=first.message_id, sender=BEN)
    answer = chat.message(WaText(body="answer", context=WaContext(quote=quote)))
    receiving = asyncio.create_task(chat.receive(first, answer))
    await chat.world.until(lambda: chat.texts[-1] == "first" and meter.writes == 1)
    meter.may_write.set()
    await receiving
    said, replied = chat.world.chats.said[-2:]
    assert isinstance(replied.content, MxMessageContent)
    assert isinstance(replied.content.relation, MxReply)
    assert replied.content.relation.event_id == said.event_id


async def test_a_bridge_that_dies_before_the_row_says_it_once(chat: Chat, meter: Meter) -> None:
    meter.may_write.clear()
    receiving = asyncio.create_task(chat.receive(chat.message(WaText(body="once"))))
    await chat.world.until(lambda: chat.texts[-1] == "once")
    await chat.world.kill()
    receiving.cancel()
    meter.may_write.set()
    await chat.world.start_anew()
    await chat.repeat()
    assert chat.texts.count("once") == 1
