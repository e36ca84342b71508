"""Sessions from files into the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import insert, text

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.session_copy import SessionCopy, TableCopy
from mautrix_whatsapp_py.store.cluster_tables import wa_facts, wa_journal, wa_sends
from mautrix_whatsapp_py.store.sessions import PAUSED
from mautrix_whatsapp_py.store.store import Store, Tx
from mautrix_whatsapp_py.store.tx import Row

_SCHEMA = "whatsmeow"
_COLUMNS = text(
    "SELECT column_name, data_type FROM information_schema.columns"
    " WHERE table_schema = 'whatsmeow' AND table_name = :name"
)
_BATCH_ROWS = 500


async def import_session(store: Store, login: LoginId, session: SessionCopy) -> None:
    """Put all of a session into the database in one transaction; the library's tables must be there."""

    async def write(tx: Tx) -> None:
        for table in session.tables:
            await _import_table(tx, table)
        facts = [*session.facts, *([(PAUSED, "yes")] if session.is_paused else [])]
        await _add(tx, wa_journal, ("code", "received_at_ms", "body"), session.events, login)
        names = ("send_id", "secret", "message_id", "outcome", "created_at_ms")
        await _add(tx, wa_sends, names, session.sends, login)
        await _add(tx, wa_facts, ("name", "value"), facts, login)

    await store.write(write)


async def _import_table(tx: Tx, table: TableCopy) -> None:
    found = await tx.execute(_COLUMNS, {"name": table.name})
    kinds = {str(column.column_name): str(column.data_type) for column in found}
    known = [name for name in table.columns if name in kinds]
    if not known or not table.rows:
        return
    columns, places = ", ".join(f'"{name}"' for name in known), ", ".join(f":{name}" for name in known)
    statement = text(
        f"INSERT INTO {_SCHEMA}.{table.name} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING"  # noqa: S608
    )
    rows = [_convert(dict(zip(table.columns, row, strict=True)), kinds) for row in table.rows]
    for start in range(0, len(rows), _BATCH_ROWS):
        await tx.execute(statement, rows[start : start + _BATCH_ROWS])


def _convert(row: Mapping[str, object], kinds: Mapping[str, str]) -> Row:
    """Values as Postgres knows them: SQLite has no booleans."""
    return {
        name: bool(value) if kinds[name] == "boolean" and value is not None else value
        for name, value in row.items()
        if name in kinds
    }


async def _add(
    tx: Tx, table: object, names: Sequence[str], rows: Sequence[Sequence[object]], login: LoginId
) -> None:
    if rows:
        values = [{"session": login, **dict(zip(names, row, strict=True))} for row in rows]
        await tx.execute(insert(table), values)  # type: ignore[arg-type]
