"""Sessions from the database, to be put into files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.session_copy import SessionCopy, TableCopy
from mautrix_whatsapp_py.store.cluster_tables import wa_facts, wa_journal, wa_sends
from mautrix_whatsapp_py.store.engine import create_writer
from mautrix_whatsapp_py.store.errors import translated
from mautrix_whatsapp_py.store.sessions import PAUSED
from mautrix_whatsapp_py.store.url import PostgresAddress

_SNAPSHOT = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
_COLUMNS = text(
    "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = 'whatsmeow' AND table_name LIKE 'whatsmeow\\_%' AND table_name <> 'whatsmeow_version'"
    " ORDER BY table_name, ordinal_position"
)
_LOGINS = text("SELECT DISTINCT substring(jid from '^[0-9]+') FROM whatsmeow.whatsmeow_device")
_OWNERS = {"whatsmeow_device": "jid"}
"""The column that says whose a row is, where it has another name; rows of tables without one are everybody's."""
_OWNER = "our_jid"


async def export_sessions(address: PostgresAddress) -> dict[LoginId, SessionCopy]:
    """All sessions as they are at one moment; none where they are kept in files."""
    engine = create_writer(address)
    try:
        with translated():
            async with engine.connect() as connection:
                await connection.execute(_SNAPSHOT)
                layout = await _get_layout(connection)
                logins = (await connection.execute(_LOGINS)).scalars().all() if layout else []
                own = [LoginId(login) for login in sorted(filter(None, logins))]
                return {login: await _export(connection, login, layout) for login in own}
    finally:
        await engine.dispose()


async def _get_layout(connection: AsyncConnection) -> Mapping[str, list[str]]:
    """The library's tables and their columns."""
    layout: dict[str, list[str]] = {}
    for table, column in await connection.execute(_COLUMNS):
        layout.setdefault(str(table), []).append(str(column))
    return layout


async def _export(connection: AsyncConnection, login: LoginId, layout: Mapping[str, Sequence[str]]) -> SessionCopy:
    tables = [await _export_table(connection, login, name, columns) for name, columns in layout.items()]
    sent = wa_sends.c
    sends = select(sent.send_id, sent.secret, sent.message_id, sent.outcome, sent.created_at_ms)
    events = select(wa_journal.c.code, wa_journal.c.received_at_ms, wa_journal.c.body).order_by(wa_journal.c.seq)
    facts = await _fetch(connection, select(wa_facts.c.name, wa_facts.c.value).where(wa_facts.c.session == login))
    return SessionCopy(
        tables=tuple(tables),
        events=await _fetch(connection, events.where(wa_journal.c.session == login)),
        sends=await _fetch(connection, sends.where(wa_sends.c.session == login)),
        facts=tuple((name, value) for name, value in facts if name != PAUSED),
        is_paused=any(name == PAUSED for name, _ in facts),
    )


async def _fetch(connection: AsyncConnection, query: Select[Any]) -> tuple[Any, ...]:
    return tuple(tuple(_plain(value) for value in row) for row in await connection.execute(query))


async def _export_table(
    connection: AsyncConnection, login: LoginId, name: str, columns: Sequence[str]
) -> TableCopy:
    shown = ", ".join(f'"{column}"' for column in columns)
    owner = _OWNERS.get(name, _OWNER)
    whose = f" WHERE substring({owner} from '^[0-9]+') = :login" if owner in columns else ""
    query = text(f"SELECT {shown} FROM whatsmeow.{name}{whose}")  # noqa: S608  names of the database's own
    rows = await connection.execute(query, {"login": login} if whose else {})
    plain = tuple(tuple(_plain(value) for value in row) for row in rows)
    return TableCopy(name=name, columns=tuple(columns), rows=plain)


def _plain(value: Any) -> Any:
    """As SQLite takes it."""
    match value:
        case UUID():
            return str(value)
        case memoryview():
            return bytes(value)
        case _:
            return value
