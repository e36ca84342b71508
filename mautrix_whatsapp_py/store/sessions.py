"""WhatsApp sessions in Postgres: the client library's tables, and what its hosts keep beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select, text, update

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.store.cluster_tables import wa_facts, wa_journal, wa_sends
from mautrix_whatsapp_py.store.store import Store, Tx

PAUSED = "paused"
_HAS_TABLES = text("SELECT to_regclass('whatsmeow.whatsmeow_device')")
_LOGINS = text("SELECT DISTINCT substring(jid from '^[0-9]+') FROM whatsmeow.whatsmeow_device")
_FIND = text("SELECT 1 FROM whatsmeow.whatsmeow_device WHERE substring(jid from '^[0-9]+') = :login LIMIT 1")
# Their rows go with the device: the library's other tables point to it.
_DELETE = text(
    "DELETE FROM whatsmeow.whatsmeow_device WHERE substring(jid from '^[0-9]+') = :login AND jid <> :keep"
)
_BESIDE = (wa_journal, wa_sends, wa_facts)


class SessionRecords:
    """Each call is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get_logins(self) -> Sequence[LoginId]:
        """Logins with credentials, or with something to remember about those they had."""

        async def read(tx: Tx) -> Sequence[LoginId]:
            found = set((await tx.execute(select(wa_facts.c.session).distinct())).scalars())
            if await _has_tables(tx):
                found |= set((await tx.execute(_LOGINS)).scalars())
            return sorted(LoginId(name) for name in found if name and name.isdigit())

        return await self._store.read(read)

    async def get_paused(self) -> frozenset[LoginId]:
        """Logins whose users want them disconnected."""
        paused = select(wa_facts.c.session).where(wa_facts.c.name == PAUSED)

        async def read(tx: Tx) -> frozenset[LoginId]:
            return frozenset(LoginId(name) for name in (await tx.execute(paused)).scalars())

        return await self._store.read(read)

    async def set_paused(self, login: LoginId, *, is_paused: bool) -> None:
        """A user wants a login disconnected, or up again."""

        async def write(tx: Tx) -> None:
            await tx.execute(delete(wa_facts).where(wa_facts.c.session == login, wa_facts.c.name == PAUSED))
            if is_paused:
                await tx.execute(tx.insert(wa_facts), {"session": login, "name": PAUSED, "value": "yes"})

        await self._store.write(write)

    async def has_session(self, login: LoginId) -> bool:
        """Whether a login has credentials."""

        async def read(tx: Tx) -> bool:
            return await _has_tables(tx) and (await tx.execute(_FIND, {"login": login})).first() is not None

        return await self._store.read(read)

    async def adopt(self, login: LoginId, *, jid: str, pairing: str) -> None:
        """Drop the other devices of a login; what came during the pairing is its own now."""

        async def write(tx: Tx) -> None:
            await tx.execute(_DELETE, {"login": login, "keep": jid})
            await tx.execute(update(wa_journal).where(wa_journal.c.session == pairing).values(session=login))
            await tx.execute(delete(wa_facts).where(wa_facts.c.session.in_((pairing, login))))

        await self._store.write(write)

    async def delete(self, login: LoginId) -> None:
        """Forget credentials and all that is kept beside them."""

        async def write(tx: Tx) -> None:
            if await _has_tables(tx):
                await tx.execute(_DELETE, {"login": login, "keep": ""})
            for table in _BESIDE:
                await tx.execute(delete(table).where(_session_of(table) == login))

        await self._store.write(write)


async def _has_tables(tx: Tx) -> bool:
    return (await tx.execute(_HAS_TABLES)).scalar() is not None


def _session_of(table: Any) -> Any:
    return table.c.session
