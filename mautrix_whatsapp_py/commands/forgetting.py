"""`delete-me`."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.forgetting import Forgetting
from mautrix_whatsapp_py.commands.dialogs import Dialog, Dialogs
from mautrix_whatsapp_py.commands.results import Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import MxUserId

CONSENT = "delete everything"
NAME = "delete-me"


def forgetting_commands(forgetting: Forgetting, dialogs: Dialogs) -> tuple[Command, ...]:
    """`delete-me`."""

    async def run(call: Call) -> Said:
        request = call.request
        if not request.is_management or request.answered_in is not None:
            raise CommandError("Send this in your management room, where the room itself stays.")
        found = await forgetting.look(request.sender)

        async def take(answer: str) -> Said:
            return await _decide(answer, request.sender, forgetting, dialogs)

        dialogs.start(request.sender, Dialog(name=NAME, room_id=request.room_id, take=take))
        accounts = ", ".join(found.numbers) or "no account"
        return Said(
            text=f"This unlinks {accounts} from WhatsApp, removes you and everybody else from {found.own_rooms} "
            f"rooms of chats and takes you out of {found.shared_rooms} that others here share. "
            "All I know of you is deleted. What was said stays on WhatsApp, and with whoever else was in a room. "
            "This cannot be undone.\n"
            f"Send `{CONSENT}` to do it, anything else to leave it."
        )

    return (
        Command(
            name=NAME,
            section=CommandSection.LOGIN,
            summary="Unlink all your accounts and delete everything the bridge knows of you.",
            level=PermissionLevel.COMMANDS,
            run=run,
        ),
    )


async def _decide(answer: str, user: MxUserId, forgetting: Forgetting, dialogs: Dialogs) -> Said:
    dialogs.end(user)
    if " ".join(answer.lower().split()) != CONSENT:
        return Said(text="Nothing was deleted.")
    untold = await forgetting.forget(user)
    rest = (
        f" The phone of {', '.join(untold)} could not be told: take the bridge off its list of linked devices."
        if untold
        else ""
    )
    return Said(text=f"Everything of yours is deleted. You may leave this room now.{rest}")
