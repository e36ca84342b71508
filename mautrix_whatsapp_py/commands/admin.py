"""Commands about the bridge itself."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.commands.dialogs import Dialogs
from mautrix_whatsapp_py.commands.results import Group, Listing, Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection
from mautrix_whatsapp_py.ids import MxUserId

StatusPart = Callable[[Call], Awaitable[Group]]
"""One group of lines of `status`; it never fails, but says what does not work."""


Cancel = Callable[[MxUserId], Awaitable[bool]]
"""Stops what a user has under way; whether there was something. It says itself that it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminDeps:
    """What these commands work with."""

    users: Users
    dialogs: Dialogs
    status_parts: Sequence[StatusPart]
    cancels: Sequence[Cancel] = ()


def admin_commands(deps: AdminDeps) -> tuple[Command, ...]:
    """`version`, `status`, `cancel`, `set-management-room`."""
    return (_version(), _status(deps), _cancel(deps), _set_management_room(deps))


def _version() -> Command:
    async def run(_call: Call) -> Said:
        return Said(text=f"mautrix-whatsapp-py {__version__} (Python {platform.python_version()})")

    return Command(
        name="version",
        section=CommandSection.GENERAL,
        summary="Show which version of the bridge this is.",
        run=run,
    )


def _status(deps: AdminDeps) -> Command:
    async def run(call: Call) -> Listing:
        return Listing(groups=tuple([await part(call) for part in deps.status_parts]))

    return Command(
        name="status",
        section=CommandSection.GENERAL,
        summary="Show how the bridge, the homeserver, the database and your links are doing.",
        run=run,
    )


def _cancel(deps: AdminDeps) -> Command:
    async def run(call: Call) -> Said | tuple[Said, ...]:
        dialog = deps.dialogs.end(call.request.sender)
        if dialog is not None:
            return Said(text=f"Stopped `{dialog.name}`.")
        for cancel in deps.cancels:
            if await cancel(call.request.sender):
                return ()
        return Said(text="There is nothing to cancel.")

    return Command(
        name="cancel",
        section=CommandSection.GENERAL,
        summary="Stop what is under way for you: linking an account, history, a sync, or a question of mine.",
        run=run,
    )


def _set_management_room(deps: AdminDeps) -> Command:
    async def run(call: Call) -> Said:
        await deps.users.set_management_room(call.request.sender, call.request.room_id)
        return Said(text="This is now your management room: here, your commands need no prefix.")

    return Command(
        name="set-management-room",
        section=CommandSection.GENERAL,
        summary="Make this room the one where your commands need no prefix and where I tell you news.",
        run=run,
    )
