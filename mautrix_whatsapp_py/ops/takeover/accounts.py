"""Users, their accounts, and the sessions with which those are linked."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mautrix_whatsapp_py.ids import USER_SERVER, LoginId, MxRoomId, MxUserId, WaJid, decode_jid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.ops.takeover.records import OldLogin, OldUser
from mautrix_whatsapp_py.store.double_puppets import DoublePuppetRows
from mautrix_whatsapp_py.store.foreign import ForeignDatabase, ForeignRow
from mautrix_whatsapp_py.store.logins import LoginRows
from mautrix_whatsapp_py.store.store import Store, Tx
from mautrix_whatsapp_py.store.users import UserRows

DEVICES = "whatsmeow_device"
_PREFIX = "whatsmeow_"
_VERSION = "whatsmeow_version"
_OWNER_COLUMNS = ("our_jid", "jid")
"""Where a table of the client library says whose session a row belongs to."""


class SessionUnusable(Exception):
    """A session of the old bridge does not hold what the client library needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldDevice:
    """A session in the old bridge's database."""

    jid: WaJid
    row_jid: str
    """As it is written there."""
    lid: WaJid | None
    push_name: str
    business_name: str
    platform: str


async def find_device(database: ForeignDatabase, login: OldLogin) -> OldDevice | None:
    """The session of an account."""
    for row in await database.rows(DEVICES):
        device = _decode_device(row)
        if device is not None and device.jid.user == login.id and login.device in (0, device.jid.device):
            return device
    return None


def _decode_device(row: ForeignRow) -> OldDevice | None:
    user, _, rest = row.text("jid").partition(":")
    # Older versions wrote `user.agent:device`.
    text = f"{user.partition('.')[0]}:{rest}" if rest else row.text("jid")
    try:
        jid = decode_jid(text)
        lid = decode_jid(row.text("lid")) if row.text("lid") else None
    except ValueError:
        return None
    return OldDevice(
        jid=jid,
        row_jid=row.text("jid"),
        lid=lid.bare if lid else None,
        push_name=row.text("push_name"),
        business_name=row.text("business_name"),
        platform=row.text("platform"),
    )


async def copy_session(database: ForeignDatabase, device: OldDevice, target: Path) -> None:
    """Fill the client library's empty tables in `target` with one session. SessionUnusable when that cannot be."""
    with closing(sqlite3.connect(target)) as copy:
        tables = [
            str(name)
            for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rootpage")
            if str(name).startswith(_PREFIX) and name != _VERSION
        ]
        try:
            for table in tables:
                await _copy_table(database, device, table, copy)
            # Kept out of the transaction: SQLite checks nothing while tables are filled in any order.
            if copy.execute("PRAGMA foreign_key_check").fetchone() is not None:
                raise SessionUnusable
            copy.commit()
        except sqlite3.Error as error:
            raise SessionUnusable from error
        copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _copy_table(database: ForeignDatabase, device: OldDevice, table: str, copy: sqlite3.Connection) -> None:
    wanted = [str(row[1]) for row in copy.execute(f"PRAGMA table_info({table})")]
    columns = [name for name in wanted if name in database.columns(table)]
    if not columns:
        return
    owner = next((name for name in _OWNER_COLUMNS if name in columns), None)
    where = {} if owner is None else {owner: device.row_jid}
    places = ", ".join("?" for _ in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    statement = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})"  # noqa: S608  names of SQLite's own
    async for rows in database.batches(table, **where):
        copy.executemany(statement, [[_value(row, name, device) for name in columns] for row in rows])


def _value(row: ForeignRow, name: str, device: OldDevice) -> object:
    value = row.raw(name)
    if name in _OWNER_COLUMNS and value == device.row_jid:
        return str(device.jid)
    return value if value is None or isinstance(value, str | bytes | int | float) else str(value)


class AccountTaker:
    """Takes over users and their accounts."""

    def __init__(self, store: Store, *, now: datetime) -> None:
        self._store = store
        self._now = now
        self._users = UserRows()
        self._logins = LoginRows()
        self._tokens = DoublePuppetRows()

    async def take_users(self, users: Sequence[OldUser]) -> None:
        """Make users known with their management rooms and tokens."""

        async def put(tx: Tx) -> None:
            known = await self._tokens.get_all(tx)
            for user in users:
                await self._take_user(tx, user)
                if user.access_token and MxUserId(user.mxid) not in known:
                    await self._tokens.put(tx, MxUserId(user.mxid), user.access_token)

        await self._store.write(put)

    async def _take_user(self, tx: Tx, user: OldUser) -> None:
        mxid, room_id = MxUserId(user.mxid), MxRoomId(user.management_room)
        await self._users.ensure(tx, mxid)
        if not room_id or await self._users.get_management_room(tx, mxid) is not None:
            return
        if await self._users.get_user_of_management_room(tx, room_id) is None:
            await self._users.set_management_room(tx, mxid, room_id)

    async def take_login(self, old: OldLogin, device: OldDevice | None) -> None:
        """Make an account known, linked or not."""
        login = Login(
            id=LoginId(old.id),
            user=MxUserId(old.mxid),
            jid=device.jid if device else WaJid(user=old.id, server=USER_SERVER),
            lid=device.lid if device else None,
            push_name=device.push_name if device else "",
            business_name=device.business_name if device else "",
            platform=device.platform if device else "",
            linked_at=self._now,
        )

        async def put(tx: Tx) -> None:
            await self._users.ensure(tx, login.user)
            if await self._logins.get(tx, login.id) is None:
                await self._logins.put(tx, login)

        await self._store.write(put)
