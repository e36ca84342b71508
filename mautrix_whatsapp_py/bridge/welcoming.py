"""Who may link how many accounts, and what happens when a phone has agreed; the same wherever codes are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mautrix_whatsapp_py.bridge import link_texts as texts
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.model.wa_link import WaDevice
from mautrix_whatsapp_py.ports import WhatsAppNetwork


class TooManyLogins(CommandError):
    """You may not link more accounts here."""

    def __init__(self, limit: int) -> None:
        super().__init__(texts.too_many(limit))
        self.limit = limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcomed:
    """An account that counts from now on."""

    former: MxUserId | None = None
    """Whose it was here until now."""


class Welcoming:
    """Takes accounts in."""

    def __init__(
        self,
        *,
        network: WhatsAppNetwork,
        logins: Logins,
        max_logins: Callable[[MxUserId], int | None],
    ) -> None:
        self._network = network
        self._logins = logins
        self._max_logins = max_logins

    def require_room(self, user: MxUserId) -> None:
        """TooManyLogins when somebody may link no more."""
        limit = self._max_logins(user)
        if limit is not None and len(self._logins.of_user(user)) >= limit:
            raise TooManyLogins(limit)

    async def welcome(self, user: MxUserId, device: WaDevice) -> Welcomed:
        """The account is linked: remember whose it is, or let go of it when it is one too many."""
        mine = [login.id for login in self._logins.of_user(user)]
        limit = self._max_logins(user)
        if limit is not None and device.login not in mine and len(mine) >= limit:
            # A phone of another account has scanned what was meant for one that counts already.
            await self._network.logout(device.login)
            self._logins.check_sessions()
            raise TooManyLogins(limit)
        former = await self._logins.add(user, device)
        return Welcomed(former=None if former is None else former.user)
