"""All commands about chats, in the order in which help lists them."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.syncing import Syncing
from mautrix_whatsapp_py.commands.answers import answer_commands
from mautrix_whatsapp_py.commands.blocking import blocking_commands
from mautrix_whatsapp_py.commands.chat_deps import ChatDeps
from mautrix_whatsapp_py.commands.chats import chat_commands
from mautrix_whatsapp_py.commands.debugging import debugging_commands
from mautrix_whatsapp_py.commands.files import file_commands
from mautrix_whatsapp_py.commands.filtering import filter_commands
from mautrix_whatsapp_py.commands.groups import group_commands
from mautrix_whatsapp_py.commands.people import people_commands
from mautrix_whatsapp_py.commands.powers import LevelOf, RunRequest, power_commands
from mautrix_whatsapp_py.commands.relay import relay_commands
from mautrix_whatsapp_py.commands.rooms import room_commands
from mautrix_whatsapp_py.commands.spec import Command
from mautrix_whatsapp_py.commands.sync import sync_commands
from mautrix_whatsapp_py.commands.wishes import wish_commands


def every_chat_command(
    deps: ChatDeps, syncing: Syncing, *, run_request: RunRequest, level_of: LevelOf
) -> tuple[Command, ...]:
    """The commands."""
    return (
        *chat_commands(deps),
        *people_commands(deps),
        *sync_commands(deps, syncing),
        *group_commands(deps),
        *wish_commands(deps),
        *answer_commands(deps),
        *file_commands(deps),
        *filter_commands(deps),
        *blocking_commands(deps),
        *room_commands(deps),
        *relay_commands(deps),
        *power_commands(deps, run_request=run_request, level_of=level_of),
        *debugging_commands(deps),
    )
