"""Who is let into the channel, what wakes it, and what was asked of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Row, bindparam, delete, select, update

from mautrix_whatsapp_py.ids import LoginId, WaJid, WaMessageId, decode_jid
from mautrix_whatsapp_py.model.channel import ChannelPart, ChannelSend, Stranger
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables_channel import (
    channel_activation,
    channel_approved,
    channel_sends,
    channel_strangers,
)

_APPROVED = select(channel_approved.c.number).where(channel_approved.c.account == bindparam("account"))


class AccessRows:
    """The tables of strangers, approvals and activations."""

    async def get_approved(self, tx: Tx, account: str) -> frozenset[str]:
        """Numbers that were let in."""
        return frozenset(str(row.number) for row in await tx.execute(_APPROVED, {"account": account}))

    async def approve(self, tx: Tx, account: str, number: str, at: datetime) -> None:
        """Let somebody in."""
        values = {"account": account, "number": number, "approved_at_ms": _to_ms(at)}
        await tx.execute(tx.insert(channel_approved).on_conflict_do_nothing(), values)

    async def revoke(self, tx: Tx, account: str, number: str) -> bool:
        """Let somebody in no longer; whether they were."""
        done = await tx.execute(
            delete(channel_approved).where(
                channel_approved.c.account == account, channel_approved.c.number == number
            )
        )
        return bool(done.rowcount)

    async def get_strangers(self, tx: Tx, account: str) -> list[Stranger]:
        """Who was told a code, oldest first."""
        query = (
            select(channel_strangers)
            .where(channel_strangers.c.account == account)
            .order_by(channel_strangers.c.told_at_ms)
        )
        return [_decode_stranger(row) for row in await tx.execute(query)]

    async def put_stranger(self, tx: Tx, stranger: Stranger) -> None:
        """Remember who was told which code."""
        values = {
            "code": stranger.code,
            "message_id": stranger.message_id,
            "told_at_ms": _to_ms(stranger.told_at),
            "is_settled": stranger.is_settled,
        }
        key = {"account": stranger.account, "number": stranger.number}
        insert = tx.insert(channel_strangers).values(**key, **values)
        columns = [channel_strangers.c.account, channel_strangers.c.number]
        await tx.execute(insert.on_conflict_do_update(index_elements=columns, set_=values))

    async def prune_strangers(self, tx: Tx, before: datetime) -> None:
        """Forget who was told a code long ago."""
        await tx.execute(delete(channel_strangers).where(channel_strangers.c.told_at_ms < _to_ms(before)))

    async def get_activation(self, tx: Tx, account: str, chat: WaJid) -> str | None:
        """What was chosen for a chat."""
        query = select(channel_activation.c.activation).where(
            channel_activation.c.account == account, channel_activation.c.chat == str(chat)
        )
        value = (await tx.execute(query)).scalar()
        return None if value is None else str(value)

    async def put_activation(self, tx: Tx, account: str, chat: WaJid, activation: str) -> None:
        """Choose for a chat."""
        insert = tx.insert(channel_activation).values(account=account, chat=str(chat), activation=activation)
        columns = [channel_activation.c.account, channel_activation.c.chat]
        await tx.execute(insert.on_conflict_do_update(index_elements=columns, set_={"activation": activation}))


class ChannelSendRows:
    """The table `channel_sends`."""

    async def ensure(self, tx: Tx, send: ChannelSend) -> ChannelSend:
        """Remember that something is to be sent; what was remembered under the key when there is something."""
        values = {
            "account": send.account,
            "key": send.key,
            "chat": str(send.chat),
            "login_id": send.login_id,
            "parts": msgspec.msgpack.encode(send.parts),
            "fingerprint": send.fingerprint,
            "message_ids": " ".join(send.message_ids),
            "is_done": send.is_done,
            "made_at_ms": _to_ms(send.made_at),
        }
        await tx.execute(tx.insert(channel_sends).on_conflict_do_nothing(), values)
        kept = await self.get(tx, send.account, send.key)
        return send if kept is None else kept

    async def get(self, tx: Tx, account: str, key: str) -> ChannelSend | None:
        """What was remembered under a key."""
        query = select(channel_sends).where(channel_sends.c.account == account, channel_sends.c.key == key)
        row = (await tx.execute(query)).first()
        return None if row is None else _decode_send(row)

    async def finish(self, tx: Tx, account: str, key: str, message_ids: tuple[WaMessageId, ...]) -> None:
        """It was sent."""
        await tx.execute(
            update(channel_sends)
            .where(channel_sends.c.account == account, channel_sends.c.key == key)
            .values(message_ids=" ".join(message_ids), is_done=True, parts=b"\x90")
        )

    async def set_sent(self, tx: Tx, account: str, key: str, message_ids: tuple[WaMessageId, ...]) -> None:
        """So much of it was sent."""
        await tx.execute(
            update(channel_sends)
            .where(channel_sends.c.account == account, channel_sends.c.key == key)
            .values(message_ids=" ".join(message_ids))
        )

    async def get_open(self, tx: Tx) -> list[ChannelSend]:
        """What is not done, oldest first."""
        query = (
            select(channel_sends).where(channel_sends.c.is_done.is_(False)).order_by(channel_sends.c.made_at_ms)
        )
        return [_decode_send(row) for row in await tx.execute(query)]

    async def has_sent(self, tx: Tx, account: str, chat: WaJid, message_id: WaMessageId) -> bool:
        """Whether a message was sent by the channel."""
        query = select(channel_sends.c.message_ids).where(
            channel_sends.c.account == account,
            channel_sends.c.chat == str(chat),
            channel_sends.c.message_ids.contains(message_id, autoescape=True),
        )
        return any(message_id in str(row.message_ids).split() for row in await tx.execute(query))

    async def drop(self, tx: Tx, account: str, key: str) -> None:
        """Nothing was sent: the key may be used again."""
        await tx.execute(
            delete(channel_sends).where(channel_sends.c.account == account, channel_sends.c.key == key)
        )

    async def prune(self, tx: Tx, before: datetime) -> None:
        """Forget keys that nobody will use again."""
        await tx.execute(delete(channel_sends).where(channel_sends.c.made_at_ms < _to_ms(before)))


def _decode_stranger(row: Row[Any]) -> Stranger:
    return Stranger(
        account=row.account,
        number=row.number,
        code=row.code,
        message_id=WaMessageId(row.message_id),
        told_at=_to_time(row.told_at_ms),
        is_settled=row.is_settled,
    )


def _decode_send(row: Row[Any]) -> ChannelSend:
    return ChannelSend(
        account=row.account,
        key=row.key,
        chat=decode_jid(row.chat),
        login_id=LoginId(row.login_id),
        parts=msgspec.msgpack.decode(row.parts, type=tuple[ChannelPart, ...]),
        fingerprint=row.fingerprint,
        message_ids=tuple(WaMessageId(one) for one in row.message_ids.split()),
        is_done=row.is_done,
        made_at=_to_time(row.made_at_ms),
    )


def _to_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _to_time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
