"""Commands by which admins act in other rooms and for other people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from mautrix_whatsapp_py.bridge.door import CommandRequest
from mautrix_whatsapp_py.commands.chat_deps import Answer, ChatDeps, require_presence
from mautrix_whatsapp_py.commands.results import Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection, UsageError
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.errors import CommandError, MatrixRefused
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId, decode_mx_user

RunRequest = Callable[[CommandRequest], Awaitable[Answer]]
LevelOf = Callable[[MxUserId], PermissionLevel]
MAX_LEVEL = 2**53 - 1


def power_commands(deps: ChatDeps, *, run_request: RunRequest, level_of: LevelOf) -> tuple[Command, ...]:
    """`set-pl`, `sudo`, `doin`."""
    return (_set_level(deps), _sudo(deps, run_request, level_of), _do_in(deps, run_request))


def _set_level(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        user = _decode_user(call.args[0]) if len(call.args) == 2 else call.request.sender
        try:
            level = int(call.args[-1])
        except ValueError as error:
            raise UsageError("A power level is a number.") from error
        if abs(level) > MAX_LEVEL:
            raise UsageError("That number is too large.")
        try:
            await deps.rooms.set_level(call.request.room_id, user, level)
        except MatrixRefused as error:
            raise CommandError(
                "I may not give that level here: mine is not high enough. "
                "Ask a moderator of this room to give me one above it."
            ) from error
        return Said(text=f"{user} now has the power level {level} in this room.")

    return Command(
        name="set-pl",
        aliases=("set-power-level",),
        section=CommandSection.ADMIN,
        summary="Give yourself, or somebody, a power level in this room, as far as I may.",
        usage="[user] <level>",
        example="@ann:example.com 50",
        level=PermissionLevel.ADMIN,
        min_args=1,
        max_args=2,
        run=run,
    )


def _sudo(deps: ChatDeps, run_request: RunRequest, level_of: LevelOf) -> Command:
    async def run(call: Call) -> Answer:
        user = _decode_user(call.args[0])
        if deps.is_ours(user):
            raise CommandError("That is one of mine. Name a user of the bridge.")
        is_management = await deps.users.get_management_room(user) == call.request.room_id
        request = replace(
            call.request,
            sender=user,
            level=level_of(user),
            text=" ".join(call.args[1:]),
            is_management=is_management,
        )
        return await run_request(request)

    return Command(
        name="sudo",
        aliases=("doas", "do-as", "runas", "run-as"),
        section=CommandSection.ADMIN,
        summary="Run a command as if another user of the bridge had sent it.",
        usage="<user> <command>",
        example="@ann:example.com list-logins",
        level=PermissionLevel.ADMIN,
        min_args=2,
        max_args=None,
        takes_command=True,
        run=run,
    )


def _do_in(deps: ChatDeps, run_request: RunRequest) -> Command:
    async def run(call: Call) -> Answer:
        room_id = MxRoomId(call.args[0])
        if not room_id.startswith("!"):
            raise UsageError("The id of a room begins with an exclamation mark.")
        await require_presence(deps, call, room_id)
        request = call.request
        is_management = await deps.users.get_management_room(request.sender) == room_id
        return await run_request(
            replace(
                request,
                room_id=room_id,
                text=" ".join(call.args[1:]),
                is_management=is_management,
                answered_in=request.answered_in or request.room_id,
            )
        )

    return Command(
        name="doin",
        aliases=("do-in", "runin", "run-in"),
        section=CommandSection.GENERAL,
        summary="Run a command as if you had sent it in another room.",
        usage="<room id> <command>",
        example="!abc:example.com invite-link",
        min_args=2,
        max_args=None,
        takes_command=True,
        run=run,
    )


def _decode_user(text: str) -> MxUserId:
    try:
        decode_mx_user(text)
    except ValueError as error:
        raise UsageError("A user id looks like @ann:example.com.") from error
    return MxUserId(text)
