"""Commands about acting as the user themselves."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

from mautrix_whatsapp_py.bridge.double_rooms import catch_up
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.commands.results import Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.errors import CommandError, MatrixRefused
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUserId

ON = "What you do on your phone now appears as done by yourself, and rooms of new chats open by themselves."
HOW = (
    "Send `{prefix}login-matrix <token>` with an access token of your Matrix account. Take one of a session of "
    "its own, for it ends when you log that session out; in Element it stands in Settings, Help & About."
)


class DoubleDoor(Protocol):
    """What users can say about theirs."""

    async def log_in(self, user: MxUserId, token: str) -> bool:
        """Act as a user from now on; false when the token is not theirs."""

    async def log_in_automatically(self, user: MxUserId) -> bool:
        """Act as a user again with the configuration's token."""

    async def log_out(self, user: MxUserId) -> bool:
        """Act as a user no more; whether the bridge did until now."""

    async def is_on(self, user: MxUserId) -> bool:
        """Whether the bridge can act as a user."""

    async def hide(self, room_id: MxRoomId, event_id: MxEventId, user: MxUserId) -> bool:
        """Remove the message that holds a token."""

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Do something that nobody waits for."""


def double_commands(doubles: DoubleDoor, talk: Talk) -> tuple[Command, ...]:
    """`login-matrix`, `logout-matrix`, `ping-matrix`."""
    return (_login(doubles, talk), _logout(doubles), _ping(doubles))


def _login(doubles: DoubleDoor, talk: Talk) -> Command:
    async def run(call: Call) -> Said:
        user = call.request.sender
        stays = ""
        if not call.args:
            if not await doubles.log_in_automatically(user):
                raise CommandError(HOW.format(prefix=call.prefix))
        else:
            stays = await _take_token(call, doubles)
        doubles.start(catch_up(user, talk), name="invitations")
        return Said(text=f"{ON}{stays}")

    return Command(
        name="login-matrix",
        section=CommandSection.LOGIN,
        summary="Let what you do on your phone appear as done by yourself, with a token of your Matrix account.",
        usage="[access token]",
        example="syt_YWxpY2U_example",
        level=PermissionLevel.USER,
        max_args=1,
        run=run,
    )


async def _take_token(call: Call, doubles: DoubleDoor) -> str:
    """Use the token, and remove the message it came in, good or not; what to say when it has to stay."""
    request = call.request
    room_id = request.answered_in or request.room_id
    is_hidden = await doubles.hide(room_id, request.event_id, request.sender)
    try:
        is_taken = await doubles.log_in(request.sender, call.args[0])
    except MatrixRefused as error:
        raise CommandError(
            "I do not know where your Matrix server is. Ask the person who runs the bridge to add it to "
            "double_puppet.servers."
        ) from error
    is_hidden = is_hidden or await doubles.hide(room_id, request.event_id, request.sender)
    stays = "" if is_hidden else " I may not remove your message with it here: please do so yourself."
    if not is_taken:
        raise CommandError(
            f"Your Matrix server does not know this token as yours. Take a new one and try again.{stays}"
        )
    return stays


def _logout(doubles: DoubleDoor) -> Command:
    async def run(call: Call) -> Said:
        if not await doubles.log_out(call.request.sender):
            return Said(text="I was not acting as you.")
        return Said(
            text="I have forgotten your token and act as you no more. "
            f"Send `{call.prefix}login-matrix` to change your mind."
        )

    return Command(
        name="logout-matrix",
        section=CommandSection.LOGIN,
        summary="Have me act as yourself no more.",
        level=PermissionLevel.USER,
        run=run,
    )


def _ping(doubles: DoubleDoor) -> Command:
    async def run(call: Call) -> Said:
        user = call.request.sender
        if await doubles.is_on(user):
            return Said(text="I can act as you.")
        return Said(text=f"I cannot act as you. {HOW.format(prefix=call.prefix)}")

    return Command(
        name="ping-matrix",
        section=CommandSection.LOGIN,
        summary="Show whether I can act as yourself.",
        level=PermissionLevel.USER,
        run=run,
    )
