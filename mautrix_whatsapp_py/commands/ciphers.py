"""Commands about encryption."""

from __future__ import annotations

from mautrix_whatsapp_py.commands.results import Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ports_ciphers import Ciphers


def cipher_commands(ciphers: Ciphers | None) -> tuple[Command, ...]:
    """`discard-megolm-session`."""

    async def run(call: Call) -> Said:
        if ciphers is None:
            raise CommandError("This bridge does not bridge encrypted rooms.")
        await ciphers.discard(call.request.room_id)
        return Said(text="What I say in this room from now on is encrypted with a new key.")

    discard = Command(
        name="discard-megolm-session",
        aliases=("discard-session",),
        section=CommandSection.ADMIN,
        summary="Encrypt what I say in this room with a new key, when somebody cannot read it.",
        level=PermissionLevel.USER,
        run=run,
    )
    return (discard,)
