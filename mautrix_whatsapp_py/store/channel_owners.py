"""Whose links the accounts of the channel used, so that what came by one can go with its user."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, ColumnElement, Table, and_, delete

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables_channel import (
    channel_activation,
    channel_approved,
    channel_context,
    channel_hooks,
    channel_items,
    channel_polls,
    channel_sends,
    channel_strangers,
)

_PREFIX = "channel-of:"
_TIMED: tuple[tuple[Table, Column[int]], ...] = (
    (channel_items, channel_items.c.taken_at_ms),
    (channel_sends, channel_sends.c.made_at_ms),
    (channel_strangers, channel_strangers.c.told_at_ms),
    (channel_approved, channel_approved.c.approved_at_ms),
    (channel_polls, channel_polls.c.made_at_ms),
)
_TIMELESS = (channel_context, channel_activation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """A link that an account used, from when and until when, in milliseconds."""

    account: str
    login: LoginId
    since: int
    until: int | None

    def covers(self, column: Column[int]) -> ColumnElement[bool]:
        """Whether something was then."""
        return column >= self.since if self.until is None else and_(column >= self.since, column < self.until)


class OwnerRows:
    """Facts of the table `kv`; those of a link go with it, as their keys end with it."""

    def __init__(self) -> None:
        self._kv = KvRows()

    async def note(self, tx: Tx, account: str, login: LoginId, now: datetime) -> None:
        """An account uses a link; nothing changes where it is the one it used last."""
        last = [tenure for tenure in await self.get_all(tx) if tenure.account == account][-1:]
        if not last or last[0].login != login:
            since = int(now.timestamp() * 1000) if last else 0
            await self._kv.put(tx, f"{_PREFIX}{account}:{since:016}:{login}", "")

    async def get_all(self, tx: Tx) -> list[Tenure]:
        """By account, oldest first."""
        marks = await self._kv.get_prefixed(tx, _PREFIX)
        keys = sorted(key.removeprefix(_PREFIX).split(":") for key, _ in marks)
        tenures: list[Tenure] = []
        # From the newest on: each ends when the one after it begins.
        for account, since, login in reversed(keys):
            after = tenures[0] if tenures and tenures[0].account == account else None
            until = None if after is None else after.since
            tenures.insert(0, Tenure(account=account, login=LoginId(login), since=int(since), until=until))
        return tenures


async def forget_channel_of(tx: Tx, logins: Collection[LoginId]) -> None:
    """Forget what the channel took, sent and was told by these links."""
    await tx.execute(delete(channel_sends).where(channel_sends.c.login_id.in_(logins)))
    for tenure in await OwnerRows().get_all(tx):
        if tenure.login not in logins:
            continue
        for table, column in _TIMED:
            await tx.execute(delete(table).where(table.c.account == tenure.account, tenure.covers(column)))
        for table in _TIMELESS:
            await tx.execute(delete(table).where(table.c.account == tenure.account))
        is_of_account = channel_hooks.c.lane.startswith(f"{tenure.account} ", autoescape=True)
        at = channel_hooks.c.made_at_ms
        await tx.execute(delete(channel_hooks).where(is_of_account, tenure.covers(at)))
