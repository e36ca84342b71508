"""What is on its way to WhatsApp."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, select, update

from mautrix_whatsapp_py.ids import InboxSeq, LoginId, MxEventId, SendId
from mautrix_whatsapp_py.model.portal import OutboxRow, PortalId, SendState
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import outbox
from mautrix_whatsapp_py.store.tx import prepare_insert

_ADD = prepare_insert(outbox, lambda insert: insert.on_conflict_do_nothing().returning(outbox.c.send_id))
_GET = select(outbox).where(outbox.c.send_id == bindparam("of_send"))
_FILL = (
    update(outbox)
    .where(outbox.c.send_id == bindparam("of_send"))
    .values(login_id=bindparam("by_login"), content=bindparam("with_content"))
)
_REMOVE = delete(outbox).where(outbox.c.send_id == bindparam("of_send"))


class OutboxRows:
    """The table `outbox`."""

    async def add(self, tx: Tx, row: OutboxRow) -> OutboxRow:
        """Put a message on its way; an earlier try's row when there is one, with its secret."""
        values = {
            "send_id": row.send_id,
            "portal_id": row.portal_id,
            "login_id": row.login_id,
            "event_id": row.event_id,
            "inbox_seq": row.inbox_seq,
            "secret": row.secret,
            "content": row.content,
            "created_at_ms": int(row.created_at.timestamp() * 1000),
            "state": row.state.value,
        }
        if (await tx.run_insert(_ADD, values)).first() is not None:
            return row
        found = await self.get(tx, row.send_id)
        assert found is not None
        return found

    async def fill(self, tx: Tx, row: OutboxRow) -> OutboxRow:
        """Put a message on its way with all that is said; what an earlier try has said stays, and its secret."""
        known = await self.add(tx, row)
        if known.content:
            return known
        await tx.execute(_FILL, {"of_send": row.send_id, "by_login": row.login_id, "with_content": row.content})
        return replace(known, login_id=row.login_id, content=row.content)

    async def get(self, tx: Tx, send_id: SendId) -> OutboxRow | None:
        """One message."""
        row = (await tx.execute(_GET, {"of_send": send_id})).first()
        return None if row is None else _decode(row)

    async def get_ids(self, tx: Tx) -> list[SendId]:
        """Of all messages that are on their way."""
        return [SendId(value) for value in (await tx.execute(select(outbox.c.send_id))).scalars()]

    async def get_of_portal(self, tx: Tx, portal_id: PortalId) -> list[OutboxRow]:
        """What is on its way to a chat."""
        rows = await tx.execute(select(outbox).where(outbox.c.portal_id == portal_id))
        return [_decode(row) for row in rows]

    async def get_uncertain(self, tx: Tx) -> list[OutboxRow]:
        """Messages of which nobody knows whether they left."""
        rows = await tx.execute(select(outbox).where(outbox.c.state == SendState.UNCERTAIN.value))
        return [_decode(row) for row in rows]

    async def set_state(self, tx: Tx, send_id: SendId, state: SendState) -> None:
        """Remember how far a message has come."""
        await tx.execute(update(outbox).where(outbox.c.send_id == send_id).values(state=state.value))

    async def remove(self, tx: Tx, send_id: SendId) -> None:
        """Its fate is known."""
        await tx.execute(_REMOVE, {"of_send": send_id})


def _decode(row: Row[Any]) -> OutboxRow:
    return OutboxRow(
        send_id=SendId(row.send_id),
        portal_id=PortalId(row.portal_id),
        login_id=LoginId(row.login_id),
        event_id=MxEventId(row.event_id),
        inbox_seq=InboxSeq(row.inbox_seq),
        secret=bytes(row.secret),
        content=bytes(row.content),
        created_at=datetime.fromtimestamp(row.created_at_ms / 1000, UTC),
        state=SendState(row.state),
    )
