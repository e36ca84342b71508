"""Messages for readers of the channel, and those kept as context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Row, bindparam, delete, func, select, update

from mautrix_whatsapp_py.ids import WaJid, WaMessageId, decode_jid
from mautrix_whatsapp_py.model.channel import ChannelBody, ChannelItem, ItemSeq, NewItem
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables_channel import channel_context, channel_items
from mautrix_whatsapp_py.store.tx import prepare_insert

FIRST = ItemSeq(0)
_ADD = prepare_insert(channel_items, lambda insert: insert.on_conflict_do_nothing().returning(channel_items.c.seq))
_WAITING = (
    select(channel_items)
    .where(
        channel_items.c.account.in_(bindparam("accounts", expanding=True)),
        channel_items.c.body.is_not(None),
        channel_items.c.seq > bindparam("after"),
    )
    .order_by(channel_items.c.seq)
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextRow:
    """A message that woke nobody."""

    message_id: WaMessageId
    name: str
    number: str
    body: str


class ItemRows:
    """The table `channel_items`."""

    async def add(self, tx: Tx, item: NewItem) -> ItemSeq | None:
        """Store a message; None when it was taken before."""
        values = {
            "account": item.account,
            "chat": str(item.chat),
            "message_id": item.message_id,
            "sender": item.body.sender,
            "body": msgspec.msgpack.encode(item.body),
            "taken_at_ms": _to_ms(item.taken_at),
            "ready_at_ms": _to_ms(item.ready_at),
        }
        seq = (await tx.run_insert(_ADD, values)).scalar()
        return None if seq is None else ItemSeq(seq)

    async def has(self, tx: Tx, account: str, chat: WaJid, message_id: WaMessageId) -> bool:
        """Whether a message was taken, acknowledged or not."""
        query = select(channel_items.c.seq).where(
            channel_items.c.account == account,
            channel_items.c.chat == str(chat),
            channel_items.c.message_id == message_id,
        )
        return (await tx.execute(query)).first() is not None

    async def get_sender(self, tx: Tx, account: str, chat: WaJid, message_id: WaMessageId) -> WaJid | None:
        """Who wrote a message that was taken, acknowledged or not."""
        query = select(channel_items.c.sender).where(
            channel_items.c.account == account,
            channel_items.c.chat == str(chat),
            channel_items.c.message_id == message_id,
        )
        sender = (await tx.execute(query)).scalar()
        return None if sender is None else decode_jid(str(sender))

    async def get(self, tx: Tx, seq: ItemSeq) -> ChannelItem | None:
        """An item that is not acknowledged."""
        query = select(channel_items).where(channel_items.c.seq == seq, channel_items.c.body.is_not(None))
        row = (await tx.execute(query)).first()
        return None if row is None else _decode(row)

    async def get_text(self, tx: Tx, account: str, chat: WaJid, message_id: WaMessageId) -> str:
        """What a message says that waits for its reader; empty when it waits no longer."""
        query = select(channel_items).where(
            channel_items.c.account == account,
            channel_items.c.chat == str(chat),
            channel_items.c.message_id == message_id,
            channel_items.c.body.is_not(None),
        )
        row = (await tx.execute(query)).first()
        return "" if row is None else _decode(row).body.plain

    async def get_chats(self, tx: Tx, account: str) -> list[WaJid]:
        """The chats that messages were taken from."""
        query = select(channel_items.c.chat).where(channel_items.c.account == account).distinct()
        return [decode_jid(str(row.chat)) for row in await tx.execute(query)]

    async def add_known(self, tx: Tx, item: NewItem) -> None:
        """Remember a message whose text was joined to another item."""
        values = {
            "account": item.account,
            "chat": str(item.chat),
            "message_id": item.message_id,
            "sender": item.body.sender,
            "body": None,
            "taken_at_ms": _to_ms(item.taken_at),
            "ready_at_ms": _to_ms(item.ready_at),
        }
        await tx.execute(tx.insert(channel_items).on_conflict_do_nothing(), values)

    async def replace_body(self, tx: Tx, seq: ItemSeq, body: ChannelBody, ready_at: datetime) -> None:
        """An item says something else, and waits a little longer."""
        values = {"body": msgspec.msgpack.encode(body), "ready_at_ms": _to_ms(ready_at)}
        await tx.execute(update(channel_items).where(channel_items.c.seq == seq).values(**values))

    async def get_newest(self, tx: Tx, account: str, chat: WaJid) -> ChannelItem | None:
        """The newest item of a chat that is not acknowledged."""
        query = (
            select(channel_items)
            .where(
                channel_items.c.account == account,
                channel_items.c.chat == str(chat),
                channel_items.c.body.is_not(None),
            )
            .order_by(channel_items.c.seq.desc())
            .limit(1)
        )
        row = (await tx.execute(query)).first()
        return None if row is None else _decode(row)

    async def get_waiting(
        self, tx: Tx, accounts: Sequence[str], *, after: ItemSeq = FIRST, limit: int = 100
    ) -> list[ChannelItem]:
        """What is not acknowledged, oldest first."""
        words = {"accounts": list(accounts), "after": after, "most": limit}
        return [_decode(row) for row in await tx.execute(_WAITING, words)]

    async def ack(self, tx: Tx, seq: ItemSeq) -> bool:
        """Forget what an item says, its id stays known; whether it waited."""
        done = await tx.execute(
            update(channel_items)
            .where(channel_items.c.seq == seq, channel_items.c.body.is_not(None))
            .values(body=None)
        )
        return bool(done.rowcount)

    async def count_waiting(self, tx: Tx, account: str) -> int:
        """How many wait for their reader."""
        query = select(func.count()).where(channel_items.c.account == account, channel_items.c.body.is_not(None))
        return int((await tx.execute(query)).scalar() or 0)

    async def prune(self, tx: Tx, before: datetime) -> int:
        """Forget the ids of acknowledged items that are so old that they cannot come again."""
        done = await tx.execute(
            delete(channel_items).where(
                channel_items.c.body.is_(None), channel_items.c.taken_at_ms < _to_ms(before)
            )
        )
        return int(done.rowcount)


class ContextRows:
    """The table `channel_context`."""

    async def add(self, tx: Tx, account: str, chat: WaJid, row: ContextRow, *, limit: int) -> None:
        """Keep a message, and of the chat's no more than the limit; the same one is kept once."""
        values = {
            "account": account,
            "chat": str(chat),
            "message_id": row.message_id,
            "name": row.name,
            "number": row.number,
            "body": row.body,
        }
        await tx.execute(tx.insert(channel_context).on_conflict_do_nothing(), values)
        kept = (
            select(channel_context.c.seq)
            .where(channel_context.c.account == account, channel_context.c.chat == str(chat))
            .order_by(channel_context.c.seq.desc())
            .limit(limit)
        )
        await tx.execute(
            delete(channel_context).where(
                channel_context.c.account == account,
                channel_context.c.chat == str(chat),
                channel_context.c.seq.not_in(kept),
            )
        )

    async def take(self, tx: Tx, account: str, chat: WaJid) -> list[ContextRow]:
        """What was kept for a chat, oldest first; it is kept no longer."""
        of_chat = (channel_context.c.account == account, channel_context.c.chat == str(chat))
        rows = await tx.execute(select(channel_context).where(*of_chat).order_by(channel_context.c.seq))
        found = [
            ContextRow(message_id=row.message_id, name=row.name, number=row.number, body=row.body) for row in rows
        ]
        if found:
            await tx.execute(delete(channel_context).where(*of_chat))
        return found


def _decode(row: Row[Any]) -> ChannelItem:
    return ChannelItem(
        seq=ItemSeq(row.seq),
        account=row.account,
        chat=decode_jid(row.chat),
        message_id=WaMessageId(row.message_id),
        body=msgspec.msgpack.decode(row.body, type=ChannelBody),
        taken_at=_to_time(row.taken_at_ms),
        ready_at=_to_time(row.ready_at_ms),
    )


def _to_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _to_time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
