"""People who wait to be let into the channel, for the bot's command."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mautrix_whatsapp_py.channel.accounts import Account
from mautrix_whatsapp_py.channel.faults import ChannelFault, FaultKind
from mautrix_whatsapp_py.channel.offers import Offers
from mautrix_whatsapp_py.channel.service import Channel
from mautrix_whatsapp_py.commands.strangers import Waiting
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import LoginId

NOT_YET = "The channel is still starting. Try again in a moment."
NO_ACCOUNT = "None of your accounts is used by the channel."
NOBODY = "No one waits with that code. Codes are good for one hour."


class ChannelStrangers:
    """Implements StrangerDesk."""

    def __init__(self) -> None:
        self._channel: Channel | None = None

    def bind(self, channel: Channel) -> None:
        """The channel is there."""
        self._channel = channel

    async def get_waiting(self, logins: Collection[LoginId]) -> Sequence[Waiting]:
        """See StrangerDesk."""
        offers, accounts = self._require(logins)
        return [
            Waiting(account=one.account, number=one.number, code=one.code)
            for account in accounts
            for one in await offers.get_pending(account)
        ]

    async def approve(self, logins: Collection[LoginId], code: str) -> str:
        """See StrangerDesk."""
        return await self._settle(logins, code, is_approved=True)

    async def deny(self, logins: Collection[LoginId], code: str) -> str:
        """See StrangerDesk."""
        return await self._settle(logins, code, is_approved=False)

    async def _settle(self, logins: Collection[LoginId], code: str, *, is_approved: bool) -> str:
        offers, accounts = self._require(logins)
        # Only the account that it is meant for is asked: a code that another does not know is no wrong guess.
        meant = [account for account in accounts if await offers.has_code(account, code)] or accounts[:1]
        settle = offers.approve if is_approved else offers.deny
        try:
            return await settle(meant[0], code)
        except ChannelFault as fault:
            raise CommandError(NOBODY if fault.kind is FaultKind.UNKNOWN else fault.text) from None

    def _require(self, logins: Collection[LoginId]) -> tuple[Offers, Sequence[Account]]:
        if self._channel is None:
            raise CommandError(NOT_YET)
        deps = self._channel.deps
        accounts = [one for one in deps.accounts.all if deps.accounts.login_of(one) in logins]
        if not accounts:
            raise CommandError(NO_ACCOUNT)
        return deps.offers, accounts
