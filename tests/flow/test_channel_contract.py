"""The contract of the channel, operation by operation and rule by rule."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mautrix_whatsapp_py.config.channel import GroupPolicy
from mautrix_whatsapp_py.errors import WhatsAppRefused, WhatsAppUncertain
from mautrix_whatsapp_py.ids import WaMessageId
from mautrix_whatsapp_py.model.content import WaContext, WaPreview, WaQuote, WaText
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind
from mautrix_whatsapp_py.store.store import Store
from tests.fakes.whatsapp import START
from tests.flow.channel_desk import BEN, CLUB, EVE, LOGIN, Desk, desk_of, number

TO_BEN = {"id": f"whatsapp-personal:default:contact:+{BEN}"}


@pytest.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_of(store, tmp_path / "desk", allow_from=(f"+{BEN}",)) as desk:
        yield desk


async def test_the_envelope_carries_method_and_id_back(desk: Desk) -> None:
    body = {"method": "loong_channel_bridge_v1", "id": 3, "operation": "complete_batch", "payload": {}}
    assert await desk.call("POST", "/bridge", body) == (
        200,
        {"method": "loong_channel_bridge_v1", "id": 3, "payload": {"ok": True}},
    )


async def test_an_item_has_every_field_of_the_contract(desk: Desk) -> None:
    quote = WaQuote(message_id=WaMessageId("Q1"), sender=number(BEN), preview=WaPreview(text="before"))
    message_id = await desk.hear(WaText(body="hello", context=WaContext(quote=quote)))
    (item,) = await desk.batch()
    assert item["session"] == {
        "platform": "whatsapp",
        "configured_account_id": "default",
        "account_id": "default",
        "conversation_id": f"+{BEN}",
        "participant_id": f"+{BEN}",
        "thread_id": None,
        "session_key": "main",
    }
    assert item["reply_target"] == {
        "platform": "whatsapp",
        "kind": "conversation",
        **TO_BEN,
        "options": {"reply_to": message_id},
    }
    assert item["text"] == f"hello\n\n[Replying to +{BEN} id:Q1]\nbefore\n[/Replying]"
    assert item["delivery"] == {
        "ack_cursor": item["delivery"]["ack_cursor"],
        "source_message_id": message_id,
        "sender_principal_key": f"+{BEN}",
        "thread_root_id": None,
        "parent_message_id": "Q1",
        "resources": [],
    }
    assert (item["reply_to_id"], item["reply_to_body"], item["reply_to_sender"]) == ("Q1", "before", f"+{BEN}")


async def test_an_item_is_delivered_until_it_is_acknowledged_and_never_after(desk: Desk) -> None:
    message_id = await desk.hear("once")
    (item,) = await desk.batch()
    assert await desk.batch() == []
    await desk.operate("complete_batch", {})
    assert [one["delivery"] for one in await desk.batch()] == [item["delivery"]]
    await desk.restart()
    assert [one["delivery"] for one in await desk.batch()] == [item["delivery"]]
    await desk.ack(item)
    await desk.ack(item)
    await desk.operate("complete_batch", {})
    await desk.hear("once", message_id=message_id)
    assert await desk.batch() == []
    await desk.restart()
    await desk.hear("once", message_id=message_id)
    assert await desk.batch() == []


async def test_a_dead_reader_is_not_waited_for_for_ever(desk: Desk) -> None:
    await desk.hear("hello")
    (item,) = await desk.batch()
    desk.clock.advance(61)
    assert [one["delivery"] for one in await desk.batch()] == [item["delivery"]]


async def test_batches_are_in_order_and_as_large_as_asked(desk: Desk) -> None:
    for count in range(5):
        await desk.hear(f"number {count}")
    assert [item["text"] for item in await desk.batch(max=2)] == ["number 0", "number 1"]
    assert [item["text"] for item in await desk.batch(max=2)] == ["number 2", "number 3"]


async def test_a_reader_sees_only_the_chats_of_its_context(desk: Desk) -> None:
    await desk.hear("hello")

    def context(*chats: str) -> dict[str, object]:
        return {"runtime_context": {"account": {"account_id": "default", "config": {"allowed_chat_ids": chats}}}}

    assert await desk.batch(**context()) == []
    assert await desk.batch(**context(f"+{EVE}")) == []
    assert [item["text"] for item in await desk.batch(**context(f"+{BEN}"))] == ["hello"]


@pytest.mark.parametrize("message", [{"Text": "hi"}, {"text": "hi"}])
async def test_send_message_takes_both_spellings(desk: Desk, message: dict[str, str]) -> None:
    assert await desk.operate("send_message", {"target": TO_BEN, "message": message}) == (
        200,
        {"ok": True, "message_ids": ["FAKE0"], "uncertain": False},
    )
    assert desk.texts == ["hi"]


async def test_a_key_sends_once_whatever_happens(desk: Desk) -> None:
    send = {"target": TO_BEN, "message": {"text": "hi"}, "idempotency_key": "k"}
    desk.client.late_faults.append(WhatsAppUncertain())
    status, answer = await desk.operate("send_message", send)
    assert (status, answer["error"].partition(".")[0]) == (503, "It is under way and not known to be sent")
    desk.clock.advance(60)
    await desk.door.idle()
    assert await desk.operate("send_message", send) == (
        200,
        {"ok": True, "message_ids": ["FAKE0"], "uncertain": False},
    )
    await desk.restart()
    assert (await desk.operate("send_message", send))[1]["message_ids"] == ["FAKE0"]
    assert desk.texts == ["hi"]
    status, answer = await desk.operate("send_message", {**send, "message": {"text": "other"}})
    assert status == 400
    assert "idempotency_key" in answer["error"]


async def test_long_texts_are_cut_and_the_first_part_answers(store: Store, tmp_path: Path) -> None:
    async with desk_of(store, tmp_path / "desk", allow_from=("*",), text_chunk_limit=100) as desk:
        asked = await desk.hear("question")
        text = " ".join(f"word{count}" for count in range(40))
        body = {"target": TO_BEN["id"], "text": text, "reply_to": asked}
        status, answer = await desk.call("POST", "/v1/messages", body)
        assert status == 200, answer
        assert len(answer["message_ids"]) == len(desk.texts) > 2
        assert " ".join(desk.texts) == text
        quotes = [one.content.context.quote for one in desk.client.messages if isinstance(one.content, WaText)]
        assert quotes[0] is not None
        assert (quotes[0].message_id, quotes[0].sender) == (asked, number(BEN))
        assert quotes[1:] == [None] * (len(quotes) - 1)


async def test_nothing_is_queued_without_a_connection(desk: Desk) -> None:
    desk.network.set_state(LOGIN, WaState(kind=WaStateKind.TRANSIENT_DISCONNECT, since=START))
    status, _ = await desk.operate("send_message", {"target": TO_BEN, "message": {"text": "hi"}})
    assert status == 503
    desk.network.set_state(LOGIN, WaState(kind=WaStateKind.CONNECTED, since=START))
    await desk.restart()
    assert desk.texts == []


async def test_without_a_link_it_is_409(desk: Desk) -> None:
    await desk.network.logout(LOGIN)
    status, answer = await desk.operate("send_message", {"target": TO_BEN, "message": {"text": "hi"}})
    assert (status, "not linked" in answer["error"]) == (409, True)
    _, view = await desk.call("GET", "/v1/accounts/default")
    assert view["state"] == "UNLINKED"


async def test_what_whatsapp_refuses_is_403_and_may_be_tried_again(desk: Desk) -> None:
    send = {"target": TO_BEN, "message": {"text": "hi"}, "idempotency_key": "k"}
    desk.client.faults.append(WhatsAppRefused())
    assert (await desk.operate("send_message", send))[0] == 403
    assert (await desk.operate("send_message", send))[0] == 200


async def test_a_crash_before_the_end_of_a_send_is_made_good(desk: Desk) -> None:
    desk.client.late_faults.append(WhatsAppUncertain())
    await desk.operate("send_message", {"target": TO_BEN, "message": {"text": "hi"}})
    await desk.restart()
    await desk.door.idle()
    assert desk.texts == ["hi"]
    open_sends = desk.parts.channel.deps.sender._rows.get_open
    assert await desk.store.read(open_sends) == []


async def test_chats_that_are_not_allowed_are_neither_read_nor_written(store: Store, tmp_path: Path) -> None:
    async with desk_of(
        store, tmp_path / "desk", allow_from=("*",), allowed_chat_ids=(f"+{EVE}",), group_policy=GroupPolicy.OPEN
    ) as desk:
        await desk.hear("hello")
        await desk.hear("hello", sender=number(EVE))
        assert await desk.texts_read() == ["hello"]
        assert (await desk.operate("send_message", {"target": TO_BEN, "message": {"text": "hi"}}))[0] == 403
        club = {"id": f"group:{CLUB}"}
        assert (await desk.operate("send_message", {"target": club, "message": {"text": "hi"}}))[0] == 403


async def test_a_reader_that_died_while_it_waited_gets_nothing(desk: Desk) -> None:
    waiting = asyncio.create_task(desk.batch(wait_ms=60_000))
    async with asyncio.timeout(20):
        while not desk.parts.channel.deps.feed.is_waited_for:
            await asyncio.sleep(0.001)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(20):
        while desk.http.server.runner.server.connections:
            await asyncio.sleep(0.001)
    await desk.hear("hello")
    assert [item["text"] for item in await desk.batch()] == ["hello"]
