"""How far the past of accounts has come into their rooms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, select

from mautrix_whatsapp_py.ids import LoginId, MxEventId, MxRoomId
from mautrix_whatsapp_py.model.backfill import BackfillRun, RunState
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import PortalId
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import backfill_chats, backfill_runs


class BackfillRows:
    """The tables `backfill_runs` and `backfill_chats`, and facts of `kv`."""

    def __init__(self) -> None:
        self._facts = KvRows()

    async def put_run(self, tx: Tx, run: BackfillRun) -> None:
        """Remember where the work on an account stands."""
        row = {
            "login_id": run.login_id,
            "state": run.state.value,
            "started_at_ms": int(run.started_at.timestamp() * 1000),
            "chats_total": run.chats_total,
            "chats_done": run.chats_done,
            "messages_total": run.messages_total,
            "messages_done": run.messages_done,
            "files_total": run.files_total,
            "files_done": run.files_done,
            "room_id": run.room_id or "",
            "event_id": run.event_id or "",
        }
        changes = {key: value for key, value in row.items() if key != "login_id"}
        insert = tx.insert(backfill_runs).values(row)
        await tx.execute(insert.on_conflict_do_update(index_elements=["login_id"], set_=changes))

    async def get_run(self, tx: Tx, login_id: LoginId) -> BackfillRun | None:
        """Where the work on an account stands; None when there never was any."""
        row = (await tx.execute(select(backfill_runs).where(backfill_runs.c.login_id == login_id))).first()
        if row is None:
            return None
        return BackfillRun(
            login_id=login_id,
            state=RunState(row.state),
            started_at=datetime.fromtimestamp(row.started_at_ms / 1000, UTC),
            chats_total=row.chats_total,
            chats_done=row.chats_done,
            messages_total=row.messages_total,
            messages_done=row.messages_done,
            files_total=row.files_total,
            files_done=row.files_done,
            room_id=MxRoomId(row.room_id) if row.room_id else None,
            event_id=MxEventId(row.event_id) if row.event_id else None,
        )

    async def open_chat(self, tx: Tx, login_id: LoginId, portal_id: PortalId) -> None:
        """The room of a chat is being filled, and its user is not to be called before that is done."""
        insert = tx.insert(backfill_chats).values(login_id=login_id, portal_id=portal_id)
        await tx.execute(insert.on_conflict_do_nothing())

    async def close_chat(self, tx: Tx, login_id: LoginId, portal_id: PortalId) -> None:
        """The room of a chat is filled."""
        where = (backfill_chats.c.login_id == login_id, backfill_chats.c.portal_id == portal_id)
        await tx.execute(delete(backfill_chats).where(*where))

    async def get_open_chats(self, tx: Tx) -> Sequence[tuple[LoginId, PortalId]]:
        """Chats whose rooms are being filled."""
        rows = await tx.execute(select(backfill_chats))
        return tuple((LoginId(row.login_id), PortalId(row.portal_id)) for row in rows)

    async def get_told(self, tx: Tx, login: Login) -> int:
        """Of how many damaged chunks its user knows, since an account was linked."""
        linked, _, count = (await self._facts.get(tx, _told_key(login.id)) or "").partition(" ")
        return int(count) if linked == _linked(login) else 0

    async def put_told(self, tx: Tx, login: Login, count: int) -> None:
        """So many its user knows of now."""
        await self._facts.put(tx, _told_key(login.id), f"{_linked(login)} {count}")

    async def remove(self, tx: Tx, login_id: LoginId) -> None:
        """Forget an account."""
        await self._facts.drop(tx, _told_key(login_id))
        await tx.execute(delete(backfill_chats).where(backfill_chats.c.login_id == login_id))
        await tx.execute(delete(backfill_runs).where(backfill_runs.c.login_id == login_id))


def _told_key(login_id: LoginId) -> str:
    return f"history-told:{login_id}"


def _linked(login: Login) -> str:
    return str(int(login.linked_at.timestamp()))
