"""Linked WhatsApp accounts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, delete, select, update

from mautrix_whatsapp_py.ids import LoginId, MxUserId, decode_jid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.store.backfills import BackfillRows
from mautrix_whatsapp_py.store.chat_marks import ChatMarkRows
from mautrix_whatsapp_py.store.store import Store, Tx
from mautrix_whatsapp_py.store.tables import logins, users


class LoginRows:
    """The table `logins`."""

    async def put(self, tx: Tx, login: Login) -> None:
        """Store a login, or what is new about it; its user must be known."""
        row = _encode(login)
        changes = {key: value for key, value in row.items() if key != "id"}
        insert = tx.insert(logins).values(row)
        await tx.execute(insert.on_conflict_do_update(index_elements=[logins.c.id], set_=changes))

    async def get(self, tx: Tx, login_id: LoginId) -> Login | None:
        """One login."""
        row = (await tx.execute(select(logins).where(logins.c.id == login_id))).first()
        return None if row is None else _decode(row)

    async def get_all(self, tx: Tx) -> list[Login]:
        """Every login, in the order they were linked."""
        rows = await tx.execute(select(logins).order_by(logins.c.linked_at_ms, logins.c.id))
        return [_decode(row) for row in rows]

    async def set_told(self, tx: Tx, login_id: LoginId, error: str) -> None:
        """Remember which trouble its user was told of."""
        await tx.execute(update(logins).where(logins.c.id == login_id).values(told_error=error))

    async def remove(self, tx: Tx, login_id: LoginId) -> None:
        """Forget a login, also as anybody's preferred one."""
        await tx.execute(update(users).where(users.c.preferred_login == login_id).values(preferred_login=None))
        await tx.execute(delete(logins).where(logins.c.id == login_id))

    async def get_preferred(self, tx: Tx, user: MxUserId) -> LoginId | None:
        """The login a user's commands mean when they name none."""
        found = (await tx.execute(select(users.c.preferred_login).where(users.c.mxid == user))).scalar()
        return None if found is None else LoginId(found)

    async def set_preferred(self, tx: Tx, user: MxUserId, login_id: LoginId) -> None:
        """Choose the login a user's commands mean when they name none."""
        await tx.execute(update(users).where(users.c.mxid == user).values(preferred_login=login_id))


class LoginBook:
    """What the bridge remembers of links; each call is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = LoginRows()

    async def put(self, login: Login) -> None:
        """Store a login and its user."""
        async with self._store.transaction() as tx:
            await tx.execute(tx.insert(users).on_conflict_do_nothing(), {"mxid": login.user})
            before = await self._rows.get(tx, login.id)
            await self._rows.put(tx, login)
            if before is None or before.user != login.user:
                # Another user's clients were told nothing of how its chats are put.
                await ChatMarkRows().remove(tx, login.id)

    async def get_all(self) -> list[Login]:
        """Every login, in the order they were linked."""
        async with self._store.reading() as tx:
            return await self._rows.get_all(tx)

    async def set_told(self, login_id: LoginId, error: str) -> None:
        """Remember which trouble its user was told of."""
        async with self._store.transaction() as tx:
            await self._rows.set_told(tx, login_id, error)

    async def remove(self, login_id: LoginId) -> None:
        """Forget a login."""
        async with self._store.transaction() as tx:
            await BackfillRows().remove(tx, login_id)
            await ChatMarkRows().remove(tx, login_id)
            await self._rows.remove(tx, login_id)

    async def get_preferred(self, user: MxUserId) -> LoginId | None:
        """The login a user's commands mean when they name none."""
        async with self._store.reading() as tx:
            return await self._rows.get_preferred(tx, user)

    async def set_preferred(self, user: MxUserId, login_id: LoginId) -> None:
        """Choose the login a user's commands mean when they name none."""
        async with self._store.transaction() as tx:
            await self._rows.set_preferred(tx, user, login_id)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _encode(login: Login) -> Mapping[str, object]:
    return {
        "id": login.id,
        "mxid": login.user,
        "jid": str(login.jid),
        "lid": None if login.lid is None else str(login.lid),
        "push_name": login.push_name,
        "business_name": login.business_name,
        "platform": login.platform,
        "linked_at_ms": _ms(login.linked_at),
        "told_error": login.told_error,
    }


def _decode(row: Row[Any]) -> Login:
    return Login(
        id=LoginId(row.id),
        user=MxUserId(row.mxid),
        jid=decode_jid(row.jid),
        lid=None if row.lid is None else decode_jid(row.lid),
        push_name=row.push_name,
        business_name=row.business_name,
        platform=row.platform,
        linked_at=_moment(row.linked_at_ms),
        told_error=row.told_error,
    )
