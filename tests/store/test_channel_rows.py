"""The tables of the channel."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec

from mautrix_whatsapp_py.ids import LoginId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.channel import (
    ChannelBody,
    ChannelFile,
    ChannelPart,
    ChannelSend,
    ItemSeq,
    NewItem,
    Stranger,
)
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.store.channel_access import AccessRows, ChannelSendRows
from mautrix_whatsapp_py.store.channel_items import ContextRow, ContextRows, ItemRows
from mautrix_whatsapp_py.store.store import Store

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CREW = WaJid(user="1203", server="g.us")
ANNA = WaJid(user="14155550001", server="s.whatsapp.net")
ITEMS, CONTEXT, ACCESS, SENDS = ItemRows(), ContextRows(), AccessRows(), ChannelSendRows()
BODY = ChannelBody(
    session_key="main", text="hello", sender=str(ANNA), sent_at=NOON, files=(ChannelFile(kind="image", size=3),)
)


def item(number: int, *, account: str = "a", chat: WaJid = CREW) -> NewItem:
    return NewItem(
        account=account, chat=chat, message_id=WaMessageId(f"M{number}"), body=BODY, taken_at=NOON, ready_at=NOON
    )


async def test_an_item_is_taken_once_and_waits_until_it_is_acknowledged(store: Store) -> None:
    async with store.transaction() as tx:
        first = await ITEMS.add(tx, item(1))
        second = await ITEMS.add(tx, item(2))
        assert await ITEMS.add(tx, item(1)) is None
        assert await ITEMS.add(tx, item(1, account="b")) is not None
        assert await ITEMS.add(tx, item(1, chat=ANNA)) is not None
    assert first is not None
    assert second is not None
    async with store.transaction() as tx:
        waiting = await ITEMS.get_waiting(tx, ["a"])
        assert [(one.seq, one.chat, one.body) for one in waiting][:2] == [
            (first, CREW, BODY),
            (second, CREW, BODY),
        ]
        assert await ITEMS.count_waiting(tx, "a") == 3
        assert await ITEMS.ack(tx, first)
        assert not await ITEMS.ack(tx, first)
        assert not await ITEMS.ack(tx, ItemSeq(10**9))
    async with store.transaction() as tx:
        assert await ITEMS.add(tx, item(1)) is None
        assert await ITEMS.has(tx, "a", CREW, WaMessageId("M1"))
        assert [one.seq for one in await ITEMS.get_waiting(tx, ["a"], limit=1)] == [second]
        assert [one.chat for one in await ITEMS.get_waiting(tx, ["a"], after=second)] == [ANNA]


async def test_only_acknowledged_items_are_forgotten(store: Store) -> None:
    async with store.transaction() as tx:
        old = await ITEMS.add(tx, item(1))
        await ITEMS.add(tx, item(2))
        assert old is not None
        await ITEMS.ack(tx, old)
        assert await ITEMS.prune(tx, NOON) == 0
        assert await ITEMS.prune(tx, NOON + timedelta(seconds=1)) == 1
        assert await ITEMS.count_waiting(tx, "a") == 1


async def test_context_is_kept_up_to_a_limit_and_taken_once(store: Store) -> None:
    rows = [ContextRow(message_id=WaMessageId(f"M{n}"), name="Anna", number="1", body=str(n)) for n in range(5)]
    async with store.transaction() as tx:
        for row in rows:
            await CONTEXT.add(tx, "a", CREW, row, limit=3)
            await CONTEXT.add(tx, "a", CREW, row, limit=3)
        await CONTEXT.add(tx, "a", ANNA, rows[0], limit=3)
    async with store.transaction() as tx:
        assert await CONTEXT.take(tx, "a", CREW) == rows[2:]
        assert await CONTEXT.take(tx, "a", CREW) == []
        assert await CONTEXT.take(tx, "a", ANNA) == rows[:1]


async def test_strangers_approvals_and_activations_are_remembered(store: Store) -> None:
    stranger = Stranger(account="a", number="1", code="ABCDEFGH", message_id=WaMessageId("M1"), told_at=NOON)
    async with store.transaction() as tx:
        await ACCESS.put_stranger(tx, stranger)
        await ACCESS.put_stranger(tx, replace(stranger, is_settled=True))
        await ACCESS.put_stranger(tx, replace(stranger, number="2", told_at=NOON - timedelta(hours=2)))
        await ACCESS.approve(tx, "a", "1", NOON)
        await ACCESS.approve(tx, "a", "1", NOON)
        await ACCESS.put_activation(tx, "a", CREW, "always")
        await ACCESS.put_activation(tx, "a", CREW, "mention")
    async with store.transaction() as tx:
        assert [one.number for one in await ACCESS.get_strangers(tx, "a")] == ["2", "1"]
        await ACCESS.prune_strangers(tx, NOON - timedelta(hours=1))
        assert await ACCESS.get_strangers(tx, "a") == [replace(stranger, is_settled=True)]
        assert await ACCESS.get_approved(tx, "a") == {"1"}
        assert await ACCESS.get_approved(tx, "b") == frozenset()
        assert await ACCESS.get_activation(tx, "a", CREW) == "mention"
        assert await ACCESS.get_activation(tx, "a", ANNA) is None
        assert await ACCESS.revoke(tx, "a", "1")
        assert not await ACCESS.revoke(tx, "a", "1")


async def test_a_key_stands_for_one_send(store: Store) -> None:
    send = ChannelSend(
        account="a",
        key="k",
        chat=ANNA,
        login_id=LoginId("1415"),
        fingerprint="f",
        parts=(ChannelPart(content=WaText(body="hi"), secret=b"s"),),
        made_at=NOON,
    )
    async with store.transaction() as tx:
        assert await SENDS.ensure(tx, send) == send
        assert await SENDS.ensure(tx, replace(send, fingerprint="other")) == send
        assert await SENDS.get_open(tx) == [send]
        await SENDS.set_sent(tx, "a", "k", (WaMessageId("X"),))
        assert (await SENDS.ensure(tx, send)).message_ids == ("X",)
        await SENDS.finish(tx, "a", "k", (WaMessageId("X"), WaMessageId("Y")))
        done = await SENDS.ensure(tx, send)
    assert (done.message_ids, done.is_done) == ((WaMessageId("X"), WaMessageId("Y")), True)
    async with store.transaction() as tx:
        assert await SENDS.get_open(tx) == []
        assert await SENDS.has_sent(tx, "a", ANNA, WaMessageId("Y"))
        assert not await SENDS.has_sent(tx, "a", ANNA, WaMessageId("Z"))
        assert not await SENDS.has_sent(tx, "a", CREW, WaMessageId("Y"))
        await SENDS.prune(tx, NOON)
        assert (await SENDS.ensure(tx, send)).is_done
        await SENDS.drop(tx, "a", "k")
        assert not (await SENDS.ensure(tx, send)).is_done


async def test_quick_texts_are_joined_to_one_item(store: Store) -> None:
    later = NOON + timedelta(seconds=1)
    async with store.transaction() as tx:
        seq = await ITEMS.add(tx, item(1))
        assert seq is not None
        assert await ITEMS.get_newest(tx, "a", ANNA) is None
        newest = await ITEMS.get_newest(tx, "a", CREW)
        assert newest is not None
        assert newest.seq == seq
        joined = msgspec.structs.replace(BODY, text="hello\nyou")
        await ITEMS.replace_body(tx, seq, joined, later)
        await ITEMS.add_known(tx, item(2))
    async with store.transaction() as tx:
        [waiting] = await ITEMS.get_waiting(tx, ["a"])
        assert (waiting.body, waiting.ready_at) == (joined, later)
        assert await ITEMS.has(tx, "a", CREW, WaMessageId("M2"))
