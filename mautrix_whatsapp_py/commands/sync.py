"""The command that brings everything up to date."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.syncing import Syncing, SyncRequest
from mautrix_whatsapp_py.commands.chat_deps import Answer, ChatDeps, take_login
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection, Flag, UsageError
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.errors import CommandError

ALL = "all"
_OTHER_WORDS = {"group": "groups", "contact": "contacts", "contacts-with-avatars": "avatars", "spaces": "space"}


def sync_commands(deps: ChatDeps, syncing: Syncing) -> tuple[Command, ...]:
    """`sync`."""

    async def run(call: Call) -> Answer:
        if syncing.is_known(call.request.event_id, call.request.sender):
            return ()
        login, rest = await take_login(deps, call)
        if not deps.talk.logins.state_of(login).is_usable:
            raise CommandError(f"{login.number} is not connected. Send `ping` to see why, then try again.")
        request = SyncRequest(
            login=login,
            parts=_decode_parts(rest, syncing),
            room_id=call.request.answered_in or call.request.room_id,
            event_id=call.request.event_id,
            user=call.request.sender,
            is_thorough="create" in call.flags or "create-portals" in call.flags,
        )
        if not await syncing.start(request):
            raise CommandError("I am at it already. Send `cancel` to stop.")
        return ()

    command = Command(
        name="sync",
        section=CommandSection.CHATS,
        summary="Bring names, groups and rooms up to date with WhatsApp.",
        usage=f"[login] [{' | '.join((*syncing.names, ALL))}]",
        example="groups --create",
        level=PermissionLevel.USER,
        max_args=None,
        flags=(
            Flag(name="create", summary="Make a room for every group now, instead of with its next message."),
            Flag(name="create-portals", summary="The same as `--create`."),
        ),
        run=run,
    )
    return (command,)


def _decode_parts(words: tuple[str, ...], syncing: Syncing) -> tuple[str, ...]:
    wanted = {_OTHER_WORDS.get(word.lower(), word.lower()) for word in words} or {ALL}
    unknown = wanted - {*syncing.names, ALL}
    if unknown:
        raise UsageError(f"I can synchronise {', '.join(syncing.names)}, or all of it.")
    return tuple(name for name in syncing.names if ALL in wanted or name in wanted)
