"""Commands about the past of chats."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mautrix_whatsapp_py.bridge.backfill.asking import Asking, Kept
from mautrix_whatsapp_py.bridge.backfill.backfill import Backfill
from mautrix_whatsapp_py.commands.admin import StatusPart
from mautrix_whatsapp_py.commands.chat_deps import (
    Answer,
    ChatDeps,
    explained,
    require_here,
    require_presence,
    take_login,
)
from mautrix_whatsapp_py.commands.results import Group, Item, Said
from mautrix_whatsapp_py.commands.rooms import require_owner
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection, Flag, UsageError
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.convert.bot_text import quoted
from mautrix_whatsapp_py.convert.history_words import tell_count, tell_progress
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import MxRoomId
from mautrix_whatsapp_py.model.backfill import RunState

USUAL_COUNT: Final = 50
_ALL: Final = "all"


def history_commands(deps: ChatDeps, asking: Asking) -> tuple[Command, ...]:
    """`backfill`."""

    async def run(call: Call) -> Answer:
        if not asking.is_enabled:
            raise CommandError("History is switched off on this bridge (`backfill.enabled`).")
        there = await _in_named_room(deps, call)
        if there is not call or deps.talk.portals.get_id(call.request.room_id) is not None:
            return await _run_here(deps, asking, there, room="" if there is call else f" {there.request.room_id}")
        return await _run_everywhere(deps, asking, call)

    command = Command(
        name="backfill",
        section=CommandSection.CHATS,
        summary="Bring older messages over that the phone has sent: of this chat, or of chats without a room.",
        usage=f"[login] [<how many> | {_ALL}] [room id]",
        example="100",
        level=PermissionLevel.USER,
        max_args=3,
        flags=(
            Flag(name="last", summary="Put them at the end of the room, below what is newer."),
            Flag(name="recreate", summary="Make a new room with everything in order, in place of this one."),
        ),
        run=run,
    )
    return (command,)


async def _in_named_room(deps: ChatDeps, call: Call) -> Call:
    """The call as if it were sent in the room it names last; itself when it names none."""
    if not call.args or not call.args[-1].startswith("!"):
        return call
    room_id = MxRoomId(call.args[-1])
    await require_presence(deps, call, room_id)
    if deps.talk.portals.get_id(room_id) is None:
        raise CommandError("That is not the room of a WhatsApp chat.")
    request = replace(call.request, room_id=room_id, answered_in=call.request.answered_in or call.request.room_id)
    return replace(call, request=request, args=call.args[:-1])


async def _run_here(deps: ChatDeps, asking: Asking, call: Call, *, room: str) -> Answer:
    here = await require_here(deps, call)
    limit = _decode_count(call.args)
    with explained("What is stored cannot be looked at"):
        kept = await asking.find(here.portal, here.login)
        if kept is None:
            return Said(text="Nothing older of this chat is stored: here is all that the phone has sent.")
        wanted = kept.count if limit < 0 else min(limit, kept.count)
        command = f"{call.prefix}backfill {wanted}{room}"
        if "recreate" in call.flags:
            return await _recreate(deps, asking, call, kept, limit=limit)
        if "last" not in call.flags:
            return Said(
                text=f"{kept.count} older messages of {quoted(here.name)} are stored. Matrix shows messages "
                "in the order in which they come, so they would stand below all that is here.\n"
                f"Send `{command} --recreate` to have a new room with {wanted} of them and all that is here, "
                "in order; this one is closed then and points to it.\n"
                f"Send `{command} --last` to have them at the end of this room all the same, with the times at "
                "which they were written."
            )
        count = await asking.bring(kept, here.login, limit=limit)
    return Said(text=f"Bringing {count} older messages. They come at the end of this room.")


async def _recreate(deps: ChatDeps, asking: Asking, call: Call, kept: Kept, *, limit: int) -> Answer:
    await require_owner(deps, call)
    here = await require_here(deps, call)
    count = await asking.recreate(kept, here.portal, here.login, limit=limit)
    return Said(
        text=f"Making a new room with {count} older messages and all that is here. Nothing can be written here "
        "any more; you are invited to the new room when everything is in it."
    )


async def _run_everywhere(deps: ChatDeps, asking: Asking, call: Call) -> Answer:
    login, rest = await take_login(deps, call)
    with explained("What is stored cannot be looked at"):
        count = await asking.bring_roomless(login, limit=_decode_count(rest))
    if not count:
        return Said(
            text=f"Every chat of {login.number} that anything is stored of has its room. "
            f"Send `{call.prefix}backfill` in a chat's room to have more of that chat."
        )
    return Said(text=f"Making rooms for {tell_count(count, 'more chat')} of {login.number}.")


def _decode_count(words: tuple[str, ...]) -> int:
    """How many messages; below 0 for all of them."""
    if not words:
        return USUAL_COUNT
    word = words[-1].lower()
    if word == _ALL:
        return -1
    if not word.isdecimal() or not int(word) or int(word) > 1_000_000:
        raise UsageError("Tell me how many messages, or `all`.")
    return int(word)


def history_part(deps: ChatDeps, backfill: Backfill) -> StatusPart:
    """How far the past of the caller's accounts has come."""

    async def part(call: Call) -> Group:
        lines = []
        for login in deps.talk.logins.of_user(call.request.sender):
            run = await backfill.boards.load(login)
            if run is None:
                text = "nothing came from the phone yet"
            elif run.state is RunState.RUNNING:
                text = tell_progress(run, login.number, None)
            else:
                said = tell_count(run.messages_done, "message")
                text = f"{tell_count(run.chats_done, 'chat')} with {said} brought over"
            lines.append(Item(term=login.number, text=text))
        return Group(title="History", items=tuple(lines))

    return part
