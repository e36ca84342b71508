"""Commands about groups, channels and the links to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from mautrix_whatsapp_py.commands.chat_deps import (
    Answer,
    ChatDeps,
    Here,
    explained,
    require_here,
    take_login,
)
from mautrix_whatsapp_py.commands.results import Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection, Flag, UsageError
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.convert.bot_text import quoted
from mautrix_whatsapp_py.convert.phone import to_international
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import NEWSLETTER_SERVER, MxRoomId, WaJid, decode_jid
from mautrix_whatsapp_py.model.content import MxGroupInvite
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_directory import WaJoinOutcome, WaLinkTarget, WaTargetKind

_LINK = re.compile(r"https?://(?:chat\.whatsapp\.com|(?:www\.)?whatsapp\.com/channel)/[\w/-]+")
MAX_NAME = 100
"""What WhatsApp allows."""


def group_commands(deps: ChatDeps) -> tuple[Command, ...]:
    """`create-group`, `invite-link`, `resolve-link`, `join`, `accept`, `leave`."""
    return (
        _create_group(deps),
        _invite_link(deps),
        _resolve_link(deps),
        _join(deps),
        _accept(deps),
        _leave(deps),
    )


def _create_group(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        login, rest = await take_login(deps, call)
        plumbed = await _room_to_plumb(deps, call)
        name, numbers = _split_people(rest)
        if not name and plumbed is not None:
            name = await deps.rooms.fetch_name(plumbed)
        if not 1 <= len(name) <= MAX_NAME:
            raise UsageError(f"A group needs a name of 1 to {MAX_NAME} characters.")
        people = await _people_for(deps, login, numbers, plumbed)
        jid = await _create_once(deps, call, login, name, people)
        return await _house(deps, login, jid, name, plumbed)

    return Command(
        name="create-group",
        aliases=("create",),
        section=CommandSection.CHATS,
        summary="Make a WhatsApp group: with a room of its own, or of the room you send this in.",
        usage="[login] <name> [phone numbers]",
        example="Garden club +14155550002 +14155550003",
        level=PermissionLevel.USER,
        max_args=None,
        run=run,
    )


async def _room_to_plumb(deps: ChatDeps, call: Call) -> MxRoomId | None:
    """The room itself, unless it is somebody's management room or a chat already."""
    room_id = call.request.room_id
    if call.request.is_management or deps.talk.portals.get_id(room_id) is not None:
        return None
    await require_state_power(deps, call)
    return room_id


async def require_state_power(deps: ChatDeps, call: Call) -> None:
    """Only who may change a room may tie it to a chat."""
    levels = await deps.rooms.fetch_levels(call.request.room_id)
    if levels.of(call.request.sender) < levels.needed_for("m.bridge"):
        raise CommandError(
            "You may not change this room. Ask one of its moderators to do this, or do it in another room."
        )


def _split_people(args: Sequence[str]) -> tuple[str, list[str]]:
    """A name, and the numbers after it."""
    first = next((index for index, word in enumerate(args) if word.startswith("+")), len(args))
    numbers = [to_international(word) for word in args[first:]]
    return " ".join(args[:first]).strip(), list(dict.fromkeys(numbers))


async def _people_for(
    deps: ChatDeps, login: Login, numbers: Sequence[str], plumbed: MxRoomId | None
) -> list[WaJid]:
    people: list[WaJid] = []
    if numbers:
        with explained("The group was not made"):
            found = await deps.openings.find_people(login, numbers)
        people = [(await deps.openings.learn(one)).jid(is_lid_addressed=False) for one in found]
    if plumbed is not None:
        for user in sorted(await deps.matrix.fetch_members(plumbed)):
            person = await deps.talk.persons.get_by_ghost(user)
            if person is not None:
                people.append(person.jid(is_lid_addressed=False))
    own = {login.jid.bare, login.lid}
    return [jid for jid in dict.fromkeys(people) if jid not in own]


async def _create_once(deps: ChatDeps, call: Call, login: Login, name: str, people: Sequence[WaJid]) -> WaJid:
    """Make the group; a command that a crash repeats finds the one it made."""
    facts, key = deps.talk.rows.facts, f"created:{call.request.event_id}"
    async with deps.talk.store.reading() as tx:
        known = await facts.get(tx, key)
    if known is not None:
        return decode_jid(known)
    with explained("The group was not made"):
        group = await deps.directory(login).create_group(name, people)
    async with deps.talk.store.transaction() as tx:
        await facts.put(tx, key, str(group.jid))
    return group.jid


async def _house(deps: ChatDeps, login: Login, jid: WaJid, name: str, plumbed: MxRoomId | None) -> Said:
    if plumbed is None:
        opened = await deps.openings.open_shared(login, jid, name)
        link = deps.link(opened.room_id)
        return Said(text=f"Made the group {quoted(name)}: {link}\nSend `invite-link` there to let others join.")
    await deps.openings.plumb(jid, name, plumbed, closings=deps.closings)
    return Said(text=f"This room is now the WhatsApp group {quoted(name)}. What is written here goes there.")


def _invite_link(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        here = await _require_group(deps, call)
        is_reset = "reset" in call.flags
        with explained("I cannot get the link of this group"):
            url = await deps.directory(here.login).fetch_invite_link(here.chat, is_reset=is_reset)
        if is_reset:
            return Said(text=f"The old link is void. The new one: {url}")
        return Said(text=f"Whoever has this link can join the group: {url}")

    return Command(
        name="invite-link",
        section=CommandSection.CHATS,
        summary="Show the link by which others can join this group.",
        level=PermissionLevel.USER,
        flags=(Flag(name="reset", summary="Make a new link, and the old one void."),),
        run=run,
    )


async def _require_group(deps: ChatDeps, call: Call) -> Here:
    here = await require_here(deps, call)
    if not here.chat.is_group:
        raise CommandError("This is not a group. Send this in the room of a WhatsApp group.")
    return here


def _resolve_link(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        login, rest = await take_login(deps, call, min_rest=1)
        with explained("I cannot follow that link"):
            target = await deps.directory(login).resolve_link(rest[0])
        return Said(text=_describe(target, call))

    return Command(
        name="resolve-link",
        section=CommandSection.CHATS,
        summary="Show where a link to a group, channel, person or business leads, without joining.",
        usage="[login] <link>",
        example="https://chat.whatsapp.com/AbCdEfGhIjKlMnOpQrStUv",
        level=PermissionLevel.USER,
        min_args=1,
        max_args=2,
        run=run,
    )


def _describe(target: WaLinkTarget, call: Call) -> str:
    name = quoted(target.name) if target.name else "(no name)"
    topic = f"\n{quoted(target.topic, limit=300)}" if target.topic else ""
    if target.kind is WaTargetKind.GROUP:
        return (
            f"The group {name} (`{target.jid}`, {target.member_count} members).{topic}\n"
            f"Send `{call.prefix}join` with the link to join it."
        )
    if target.kind is WaTargetKind.NEWSLETTER:
        return (
            f"The channel {name} (`{target.jid}`, {target.member_count} followers).{topic}\n"
            f"Send `{call.prefix}join` with the link to follow it."
        )
    what = "The business" if target.kind is WaTargetKind.BUSINESS else "The person"
    wanted = f"\nIt suggests to write: {quoted(target.message, limit=300)}" if target.message else ""
    return f"{what} {name}.{wanted}\nSend `{call.prefix}open {target.jid}` to open a chat."


def _join(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        login, rest = await take_login(deps, call, min_rest=1)
        return await _join_link(deps, login, rest[0])

    return Command(
        name="join",
        section=CommandSection.CHATS,
        summary="Join a group, or follow a channel, by its link.",
        usage="[login] <link>",
        example="https://chat.whatsapp.com/AbCdEfGhIjKlMnOpQrStUv",
        level=PermissionLevel.USER,
        min_args=1,
        max_args=2,
        run=run,
    )


async def _join_link(deps: ChatDeps, login: Login, url: str) -> Said:
    with explained("You did not join"):
        directory = deps.directory(login)
        target = await directory.resolve_link(url)
        outcome = await directory.join_link(url)
    return await _tell_joined(deps, login, outcome, target.name)


def _accept(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        request = call.request
        if request.replied_to is None:
            raise UsageError("Send this as a reply to the message with the invitation.")
        login, _ = await take_login(deps, call)
        message = await deps.talk.chats.fetch_message(request.room_id, request.replied_to)
        if message is not None and message.invite is not None:
            return await _accept_invite(deps, login, message.invite)
        link = _LINK.search(message.body) if message is not None else None
        if link is None:
            raise CommandError("There is no invitation in that message. Reply to the one that holds its link.")
        return await _join_link(deps, login, link[0])

    return Command(
        name="accept",
        section=CommandSection.CHATS,
        summary="Accept the invitation to a group or channel in the message you reply to.",
        level=PermissionLevel.USER,
        run=run,
    )


async def _accept_invite(deps: ChatDeps, login: Login, invite: MxGroupInvite) -> Said:
    expires = datetime.fromtimestamp(invite.expires_at_s, UTC)
    if invite.expires_at_s > 0 and expires < deps.talk.clock.now():
        raise CommandError("This invitation has expired. Ask whoever sent it for a new one.")
    with explained("You did not join"):
        directory = deps.directory(login)
        outcome = await directory.accept_invite(
            invite.group, inviter=invite.inviter, code=invite.code, expires=expires
        )
    return await _tell_joined(deps, login, outcome, invite.name)


async def _tell_joined(deps: ChatDeps, login: Login, outcome: WaJoinOutcome, name: str) -> Said:
    """Have a room for what somebody joined, and say where it is."""
    shown = quoted(name) if name else "the group"
    if outcome.is_pending:
        return Said(text=f"You have asked to join {shown}. Its room comes once an admin lets you in.")
    opened = await deps.openings.open_shared(login, outcome.jid, name)
    return Said(text=f"You are now in {shown}: {deps.link(opened.room_id)}")


def _leave(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        here = await require_here(deps, call)
        directory = deps.directory(here.login)
        with explained("You did not leave"):
            if here.chat.is_group:
                await directory.leave_group(here.chat)
            elif here.chat.server == NEWSLETTER_SERVER:
                await directory.follow_newsletter(here.chat, is_wanted=False)
            else:
                raise CommandError(
                    f"One cannot leave a chat with one person. Send `{call.prefix}unbridge` to let go of its room."
                )
        return Said(
            text=f"You have left {quoted(here.name)} on WhatsApp. This room stays with what was written; "
            "leave it when you like."
        )

    return Command(
        name="leave",
        section=CommandSection.CHATS,
        summary="Leave this group, or stop following this channel, on WhatsApp.",
        level=PermissionLevel.USER,
        run=run,
    )
