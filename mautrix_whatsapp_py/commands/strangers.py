"""The command about people who wait to be let into the channel; there only where the channel is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.commands.results import Result, Said, Table
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection, UsageError
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.ids import LoginId


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Somebody who was told a code."""

    account: str
    number: str
    code: str


class StrangerDesk(Protocol):
    """What the channel does for the command; of the accounts that use these links alone. Raises CommandError."""

    async def get_waiting(self, logins: Collection[LoginId]) -> Sequence[Waiting]:
        """Whose code is still good."""

    async def approve(self, logins: Collection[LoginId], code: str) -> str:
        """Let somebody in; their number."""

    async def deny(self, logins: Collection[LoginId], code: str) -> str:
        """Refuse somebody; their number."""


def stranger_commands(desk: StrangerDesk | None, *, logins: Logins) -> tuple[Command, ...]:
    """`pairing`."""
    if desk is None:
        return ()

    async def run(call: Call) -> Result:
        own = frozenset(login.id for login in logins.of_user(call.request.sender))
        match call.args:
            case () | ("list",):
                rows = tuple((one.account, f"+{one.number}", one.code) for one in await desk.get_waiting(own))
                return Table(
                    header=("Account", "Number", "Code"), rows=rows, if_empty="Nobody waits to be let in."
                )
            case ("approve", code):
                return Said(text=f"+{await desk.approve(own, code)} is let in and heard from now on.")
            case ("deny", code):
                return Said(text=f"+{await desk.deny(own, code)} is refused.")
            case _:
                raise UsageError("Say list, or approve or deny and the code.")

    pairing = Command(
        name="pairing",
        section=CommandSection.LOGIN,
        summary="Show who asks to be heard by the programs behind your account, and let them in or not.",
        usage="[list | approve code | deny code]",
        example="approve ABCD2345",
        level=PermissionLevel.USER,
        max_args=2,
        run=run,
    )
    return (pairing,)
