"""What the channel keeps goes with the user of the link it came by, and nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Boolean, LargeBinary, Table, Text, select

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.store.channel_owners import OwnerRows, forget_channel_of
from mautrix_whatsapp_py.store.store import Store, Tx
from mautrix_whatsapp_py.store.tables_channel import CHANNEL_TABLES

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALICES, BOBS = LoginId("15550001111"), LoginId("15550004444")
TIMELESS = {"channel_context", "channel_activation"}


async def fill(tx: Tx, account: str, mark: str, at: datetime, login: LoginId) -> None:
    """A row in every table of the channel."""
    for table in CHANNEL_TABLES:
        await tx.execute(table.insert(), row_of(table, account, mark, int(at.timestamp() * 1000), login))


def row_of(table: Table, account: str, mark: str, at_ms: int, login: LoginId) -> dict[str, object]:
    row: dict[str, object] = {}
    for column in table.columns:
        if column.autoincrement is True:
            continue
        if isinstance(column.type, Boolean):
            row[column.name] = False
        elif isinstance(column.type, LargeBinary):
            row[column.name] = mark.encode()
        elif isinstance(column.type, Text):
            row[column.name] = mark
        else:
            row[column.name] = at_ms if isinstance(column.type, BigInteger) else 0
    named = {"account": account, "lane": f"{account} 1@g.us", "login_id": login}
    return {**row, **{name: value for name, value in named.items() if name in row}}


async def left(tx: Tx) -> dict[str, set[str]]:
    """Which marks are in which tables."""
    found: dict[str, set[str]] = {}
    for table in CHANNEL_TABLES:
        rows = [str(tuple(row)) for row in await tx.execute(select(table))]
        found[table.name] = {mark for mark in ("early", "alices", "bobs", "other") if any(mark in r for r in rows)}
    return found


async def test_every_table_forgets_one_user_and_keeps_the_others(store: Store) -> None:
    owners = OwnerRows()
    hour = timedelta(hours=1)
    async with store.transaction() as tx:
        await owners.note(tx, "default", ALICES, NOON)
        await owners.note(tx, "default", ALICES, NOON + hour)
        await owners.note(tx, "other", BOBS, NOON)
        await fill(tx, "default", "early", NOON - hour, ALICES)
        await fill(tx, "default", "alices", NOON + hour, ALICES)
        await fill(tx, "other", "other", NOON + hour, BOBS)
        await forget_channel_of(tx, [ALICES])
        assert await left(tx) == {table.name: {"other"} for table in CHANNEL_TABLES}


async def test_an_account_that_changed_hands_keeps_what_came_by_the_other_link(store: Store) -> None:
    owners = OwnerRows()
    hour = timedelta(hours=1)
    async with store.transaction() as tx:
        await owners.note(tx, "default", ALICES, NOON)
        await owners.note(tx, "default", BOBS, NOON + 2 * hour)
        await fill(tx, "default", "alices", NOON + hour, ALICES)
        await fill(tx, "default", "bobs", NOON + 3 * hour, BOBS)
        await forget_channel_of(tx, [ALICES])
        kept = await left(tx)
        assert kept == {name: set() if name in TIMELESS else {"bobs"} for name in kept}
        await forget_channel_of(tx, [BOBS])
        assert not any((await left(tx)).values())


async def test_an_account_whose_name_begins_like_another_is_another(store: Store) -> None:
    async with store.transaction() as tx:
        await OwnerRows().note(tx, "a", ALICES, NOON)
        await OwnerRows().note(tx, "a-2", BOBS, NOON)
        await fill(tx, "a-2", "bobs", NOON, BOBS)
        await forget_channel_of(tx, [ALICES])
        assert await left(tx) == {table.name: {"bobs"} for table in CHANNEL_TABLES}
        tenures = await OwnerRows().get_all(tx)
        assert [(one.account, one.login, one.until) for one in tenures] == [
            ("a", ALICES, None),
            ("a-2", BOBS, None),
        ]
