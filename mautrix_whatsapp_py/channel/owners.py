"""Remembers which links the accounts use, for the day on which somebody wants to be forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.store.channel_owners import OwnerRows
from mautrix_whatsapp_py.store.store import Store


@dataclass(slots=True, kw_only=True)
class Owners:
    """Writes only what is new."""

    store: Store
    clock: Clock
    _known: dict[str, LoginId] = field(default_factory=dict)
    _rows: OwnerRows = field(default_factory=OwnerRows)

    async def note(self, account: str, login: LoginId | None) -> None:
        """An account uses a link, or none."""
        if login is None:
            self._known.pop(account, None)
        elif self._known.get(account) != login:
            now = self.clock.now()
            await self.store.write(lambda tx: self._rows.note(tx, account, login, now))
            self._known[account] = login
