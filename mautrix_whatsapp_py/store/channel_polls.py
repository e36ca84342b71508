"""Polls that the channel saw or sent, for the votes in them."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import delete, select

from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.model.channel import ChannelPoll
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables_channel import channel_polls


class ChannelPollRows:
    """The table `channel_polls`."""

    async def add(self, tx: Tx, poll: ChannelPoll, at: datetime) -> None:
        """Remember a poll; one that is known stays as it is."""
        values = {
            "account": poll.account,
            "chat": str(poll.chat),
            "message_id": poll.message_id,
            "question": poll.question,
            "options": msgspec.msgpack.encode(poll.options),
            "made_at_ms": int(at.timestamp() * 1000),
        }
        await tx.execute(tx.insert(channel_polls).on_conflict_do_nothing(), values)

    async def get(self, tx: Tx, account: str, chat: WaJid, message_id: WaMessageId) -> ChannelPoll | None:
        """A poll."""
        query = select(channel_polls).where(
            channel_polls.c.account == account,
            channel_polls.c.chat == str(chat),
            channel_polls.c.message_id == message_id,
        )
        row = (await tx.execute(query)).first()
        if row is None:
            return None
        options = msgspec.msgpack.decode(row.options, type=tuple[str, ...])
        return ChannelPoll(
            account=account, chat=chat, message_id=message_id, question=row.question, options=options
        )

    async def prune(self, tx: Tx, before: datetime) -> None:
        """Forget polls in which nobody votes any more."""
        await tx.execute(delete(channel_polls).where(channel_polls.c.made_at_ms < int(before.timestamp() * 1000)))
