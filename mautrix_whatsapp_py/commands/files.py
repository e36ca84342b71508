"""Commands about files."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.missing_files import ask_for_file
from mautrix_whatsapp_py.commands.chat_deps import Answer, ChatDeps
from mautrix_whatsapp_py.commands.results import Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection
from mautrix_whatsapp_py.errors import CommandError


def file_commands(deps: ChatDeps) -> tuple[Command, ...]:
    """`retry`."""
    return (_retry(deps),)


def _retry(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        event_id = call.request.replied_to
        if event_id is None:
            raise CommandError("Send this as a reply to the notice that stands in the place of the file.")
        if not await ask_for_file(event_id, deps.talk):
            raise CommandError(
                "No file is missing there: it came, or it is so old that WhatsApp has deleted it. "
                "Reply to a notice that offers another try."
            )
        return Said(text="I am trying again. The file will take the place of the notice.")

    return Command(
        name="retry",
        section=CommandSection.CHATS,
        summary="Try again to fetch a file that could not be shown; send it as a reply to the notice about it.",
        run=run,
    )
