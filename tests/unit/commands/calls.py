"""Calls of commands for tests."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.door import CommandRequest
from mautrix_whatsapp_py.commands.results import Result, Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection, Flag, UsageError
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.errors import CommandError, MatrixUnreachable
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUserId

ALICE = MxUserId("@alice:localhost")
ROOM = MxRoomId("!room:localhost")


def ask(
    text: str,
    *,
    level: PermissionLevel = PermissionLevel.USER,
    is_management: bool = True,
    sender: MxUserId = ALICE,
) -> CommandRequest:
    """A request."""
    return CommandRequest(
        event_id=MxEventId("$question"),
        room_id=ROOM,
        sender=sender,
        level=level,
        text=text,
        is_management=is_management,
    )


async def _echo(call: Call) -> Result:
    return Said(text=f"{' '.join(call.args)} {sorted(call.flags)}")


async def _fault(call: Call) -> Result:
    raise ZeroDivisionError("a secret detail")


async def _refuse(call: Call) -> Result:
    raise CommandError("Not on a Sunday.")


async def _misuse(call: Call) -> Result:
    raise UsageError("That is not a number.")


async def _away(call: Call) -> Result:
    raise MatrixUnreachable


ECHO = Command(
    name="echo",
    aliases=("say",),
    section=CommandSection.CHATS,
    summary="Say it again.",
    usage="<word> [word]",
    example="hello",
    min_args=1,
    max_args=2,
    flags=(Flag(name="loud", summary="Shout."),),
    run=_echo,
)
FAULTY = Command(name="faulty", section=CommandSection.CHATS, summary="Break.", run=_fault)
REFUSING = Command(name="refuse", section=CommandSection.CHATS, summary="Refuse.", run=_refuse)
MISUSED = Command(name="count", section=CommandSection.CHATS, summary="Count.", example="3", run=_misuse)
WAITING = Command(name="waiting", section=CommandSection.CHATS, summary="Wait.", run=_away)
SECRET = Command(
    name="sudo",
    section=CommandSection.ADMIN,
    summary="Rule.",
    level=PermissionLevel.ADMIN,
    run=_echo,
    max_args=None,
)
COMMANDS = (ECHO, FAULTY, REFUSING, MISUSED, WAITING, SECRET)
