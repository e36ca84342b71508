"""Commands about the rooms that stand for chats."""

from __future__ import annotations

from mautrix_whatsapp_py.commands.chat_deps import (
    Answer,
    ChatDeps,
    explained,
    require_here,
    require_portal,
    take_login,
)
from mautrix_whatsapp_py.commands.groups import require_state_power
from mautrix_whatsapp_py.commands.results import Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection, Flag, UsageError
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.convert.bot_text import quoted, to_notice
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import GROUP_SERVER, NEWSLETTER_SERVER, MxRoomId, MxTxnId, WaJid, decode_jid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal

MAX_SHOWN = 20
YES = Flag(name="yes", summary="Do it; without it I only tell what would be done.")


def room_commands(deps: ChatDeps) -> tuple[Command, ...]:
    """`sync-portal`, `bridge`, `unbridge`, `delete-chat`, `delete-portal`, `delete-all-portals`, `clean-rooms`."""
    return (
        _sync_portal(deps),
        _bridge(deps),
        _unbridge(deps),
        _delete_chat(),
        _delete(deps),
        _delete_all(deps),
        _clean(deps),
    )


def _sync_portal(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        here = await require_here(deps, call)
        with explained("This chat cannot be looked at"):
            changed = await deps.refresh(here.portal, here.login)
        if not changed:
            return Said(text="This chat is up to date.")
        return Said(text=f"Brought up to date: {', '.join(changed)}.")

    return Command(
        name="sync-portal",
        section=CommandSection.CHATS,
        summary="Bring this chat up to date with WhatsApp.",
        level=PermissionLevel.USER,
        run=run,
    )


def _delete_chat() -> Command:
    async def run(_call: Call) -> Answer:
        raise CommandError(
            "WhatsApp lets only the phone delete a chat. Delete it there, then send `unbridge` here to let go of "
            "this room."
        )

    return Command(
        name="delete-chat",
        section=CommandSection.CHATS,
        summary="Say how this chat is deleted on WhatsApp.",
        level=PermissionLevel.USER,
        run=run,
    )


def _bridge(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        login, rest = await take_login(deps, call, min_rest=1)
        await _require_free(deps, call)
        chat = _decode_chat(rest[0])
        name = await _require_member(deps, call, login, chat)
        known = await deps.openings.find_shared(chat)
        if known is not None and known.room_id is not None and "overwrite" not in call.flags:
            raise CommandError(
                f"That chat has a room already: {deps.link(known.room_id)}\n"
                "Add `--overwrite` to let go of that one and use this room instead."
            )
        await deps.openings.plumb(chat, name, call.request.room_id, closings=deps.closings)
        return Said(text=f"This room is now the chat {quoted(name)}. What is written here goes to WhatsApp.")

    return Command(
        name="bridge",
        section=CommandSection.CHATS,
        summary="Make the room you send this in the room of a group or channel.",
        usage="[login] <chat id>",
        example="120363040000000000@g.us",
        level=PermissionLevel.USER,
        min_args=1,
        max_args=2,
        flags=(
            Flag(name="overwrite", summary="Let go of the room the chat has already."),
            Flag(name="ignore-permissions", summary="Do it although you may not change this room; for admins."),
        ),
        run=run,
    )


async def _require_free(deps: ChatDeps, call: Call) -> None:
    if call.request.is_management:
        raise CommandError("This is your management room. Invite me to the room you mean, and send it there.")
    if deps.talk.portals.get_id(call.request.room_id) is not None:
        raise CommandError("This room is a WhatsApp chat already. Send `unbridge` first.")
    if "ignore-permissions" in call.flags:
        if call.request.level < PermissionLevel.ADMIN:
            raise CommandError("Only admins of the bridge may use `--ignore-permissions`.")
    else:
        await require_state_power(deps, call)
    if not deps.matrix.reads_encrypted and await deps.matrix.fetch_is_encrypted(call.request.room_id):
        raise CommandError("This room is encrypted, and I cannot read along in it. Use one that is not.")


def _decode_chat(text: str) -> WaJid:
    try:
        jid = decode_jid(text)
    except ValueError as error:
        raise UsageError("That is not the id of a chat.") from error
    if not jid.user or jid.server not in (GROUP_SERVER, NEWSLETTER_SERVER):
        raise UsageError("Rooms can be tied to groups and channels; `list-groups` shows their ids.")
    return jid.bare


async def _require_member(deps: ChatDeps, call: Call, login: Login, chat: WaJid) -> str:
    """The chat's name; CommandError when the login is not in it."""
    with explained("I cannot look at that chat"):
        directory = deps.directory(login)
        if chat.server == NEWSLETTER_SERVER:
            names = {news.jid: news.name for news in await directory.fetch_newsletters()}
        else:
            names = {group.jid: group.name for group in await directory.fetch_groups()}
    if chat not in names:
        raise CommandError(f"You are not in that chat. Send `{call.prefix}list-groups` to see yours.")
    return names[chat]


def _unbridge(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        portal = await require_owner(deps, call)
        await deps.closings.unbridge(portal)
        return Said(
            text="This room is not a WhatsApp chat any more: the people of WhatsApp have left it, "
            "what was written stays. The next message of the chat makes a new room."
        )

    return Command(
        name="unbridge",
        section=CommandSection.CHATS,
        summary="Let go of this room: people of WhatsApp leave it, what was written stays.",
        level=PermissionLevel.USER,
        run=run,
    )


async def require_owner(deps: ChatDeps, call: Call) -> Portal:
    """The chat of the room, for its owner, an admin of the bridge, or who may change the room."""
    portal = await require_portal(deps, call)
    receiver = portal.key.receiver
    owner = deps.talk.logins.get(receiver) if receiver is not None else None
    is_owner = owner is not None and owner.user == call.request.sender
    if not is_owner and call.request.level < PermissionLevel.ADMIN:
        await require_state_power(deps, call)
    return portal


def _delete(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        portal = await require_portal(deps, call)
        await deps.closings.delete(portal)
        # The room is gone, and with it the place for an answer.
        await _tell_apart(deps, call, "Deleted the room. The next message of that chat makes a new one.")
        return ()

    return Command(
        name="delete-portal",
        section=CommandSection.ADMIN,
        summary="Remove everybody from this room and forget it; the chat on WhatsApp stays.",
        level=PermissionLevel.ADMIN,
        run=run,
    )


async def _tell_apart(deps: ChatDeps, call: Call, text: str) -> None:
    room_id = await deps.users.get_management_room(call.request.sender)
    if room_id is None:
        return
    txn_id = MxTxnId(f"apart-{call.request.event_id}")
    await deps.matrix.send_notice(room_id, to_notice(text), sender=deps.matrix.bot, txn_id=txn_id)


def _delete_all(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        portals = [portal for portal in await deps.talk.portals.get_all() if portal.room_id is not None]
        if "yes" not in call.flags:
            return Said(
                text=f"This removes everybody from {len(portals)} rooms and forgets them. "
                f"Send `{call.prefix}delete-all-portals --yes` to do it."
            )
        is_here = False
        kept = 0
        for portal in portals:
            is_here = is_here or portal.room_id == call.request.room_id
            try:
                await deps.closings.delete(portal)
            except CommandError:
                kept += 1
        rest = f" {kept} stay, because messages of theirs are on their way to WhatsApp." if kept else ""
        text = f"Deleted {len(portals) - kept} rooms.{rest}"
        if is_here:
            await _tell_apart(deps, call, text)
            return ()
        return Said(text=text)

    return Command(
        name="delete-all-portals",
        section=CommandSection.ADMIN,
        summary="Remove everybody from every room of a chat and forget these; the chats on WhatsApp stay.",
        level=PermissionLevel.ADMIN,
        flags=(YES,),
        run=run,
    )


def _clean(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        abandoned = await _abandoned_rooms(deps)
        if not abandoned:
            return Said(text="There is no room that nobody is in but us.")
        if "yes" not in call.flags:
            listed = "\n".join(
                f"• {quoted(name) if name else '(no name)'}: {room}" for room, name in abandoned[:20]
            )
            more = f"\n… and {len(abandoned) - 20} more" if len(abandoned) > 20 else ""
            return Said(
                text=f"{len(abandoned)} rooms hold nobody but me and people of WhatsApp:\n{listed}{more}\n"
                f"Send `{call.prefix}clean-rooms --yes` to leave them."
            )
        for room_id, _ in abandoned:
            portal = await deps.get_portal(room_id)
            if portal is not None:
                await deps.closings.delete(portal)
            else:
                await deps.closings.empty(room_id)
        return Said(text=f"Left {len(abandoned)} rooms.")

    return Command(
        name="clean-rooms",
        section=CommandSection.ADMIN,
        summary="Leave rooms in which there is nobody any more but me and people of WhatsApp.",
        level=PermissionLevel.ADMIN,
        flags=(YES,),
        run=run,
    )


async def _abandoned_rooms(deps: ChatDeps) -> list[tuple[MxRoomId, str]]:
    found = []
    for room_id in await deps.rooms.fetch_joined_rooms():
        members = await deps.matrix.fetch_members(room_id)
        if all(deps.is_ours(user) for user in members):
            found.append((room_id, await deps.rooms.fetch_name(room_id)))
    return found
