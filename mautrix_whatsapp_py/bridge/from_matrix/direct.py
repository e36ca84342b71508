"""Direct chats that users begin in their own clients, with somebody of WhatsApp whom they see in a room."""

from __future__ import annotations

import logging

from mautrix_whatsapp_py.bridge.deps import BridgeDeps
from mautrix_whatsapp_py.bridge.from_matrix.member import REFUSAL
from mautrix_whatsapp_py.bridge.openings import Openings
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.convert.bot_text import quoted, to_notice
from mautrix_whatsapp_py.errors import CommandError, MatrixRefused, WhatsAppError
from mautrix_whatsapp_py.ids import MxTxnId, MxUserId, PortalKey
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.mx import MxMember, MxMembership
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.portal import Portal, direct_chat

log = logging.getLogger(__name__)

HELLO = "This is your chat with {name} on WhatsApp: what you write here goes there."
HERE = "Your chat with {name} is here: {link}"
ENCRYPTED = (
    "This room is encrypted, and the bridge cannot read along. Your chat with {name} is here instead: {link}"
)
OPEN = "Only encrypted rooms are bridged here. Your chat with {name} is here instead: {link}"
CLOSED = "The bridge may not enter this room. Your chat with {name} is here instead: {link}"
MANY = "To make this room a WhatsApp group of everybody in it, send `{prefix} create-group` and a name."
AWAY = "WhatsApp cannot be asked who that is just now. Send `ping` to the bridge, then try again."


async def handle(event: MxMember, deps: BridgeDeps) -> None:
    """A user invites a ghost to a direct chat: it becomes the chat of the two, or leads to the one there is."""
    ghost, user = event.user, event.origin.sender
    is_asked = event.membership is MxMembership.INVITE and event.is_direct and ghost != deps.matrix.bot
    if not is_asked or not deps.is_ours(ghost):
        return
    await deps.talk.chats.ensure_ghost(ghost)
    if deps.level_of(user) < PermissionLevel.USER:
        await deps.matrix.leave_room(event.origin.room_id, user=ghost, reason=REFUSAL)
        return
    try:
        login = await deps.talk.logins.require(user, None)
        person = await _require_person(ghost, login, deps)
    except CommandError as error:
        await _decline(event, error.text, deps)
    except WhatsAppError:
        await _decline(event, AWAY, deps)
    else:
        await _open(event, login, person, deps)


async def _require_person(ghost: MxUserId, login: Login, deps: BridgeDeps) -> Person:
    """Whose ghost this is, or will be; CommandError when nobody on WhatsApp has its number."""
    persons = deps.talk.persons
    known, number = await persons.get_by_ghost(ghost), persons.number_of(ghost)
    if known is not None:
        return known
    if number is None:
        raise CommandError("I know nobody of that id. Send `pm` and a phone number to the bridge.")
    openings = Openings(deps.talk, deps.talk.open_directory)
    (found,) = await openings.find_people(login, [number])
    return await openings.learn(found)


async def _open(event: MxMember, login: Login, person: Person, deps: BridgeDeps) -> None:
    talk, room_id = deps.talk, event.origin.room_id
    await talk.rooms.own_person(login)
    portal = await talk.portals.ensure(PortalKey(chat=direct_chat(person.id), receiver=login.id))
    if portal.room_id == room_id:
        return
    if portal.room_id is not None or person.ghost != event.user:
        await _lead(event, login, person, HERE, deps)
        return
    await talk.ghosts.ensure(person)
    await deps.matrix.join_room(room_id, user=person.ghost)
    try:
        await talk.following.deps.matrix_rooms.bring_bot(room_id, by=person.ghost)
    except MatrixRefused:
        await _lead(event, login, person, CLOSED, deps)
        return
    if await deps.matrix.fetch_members(room_id) - {event.origin.sender, person.ghost, deps.matrix.bot}:
        text = MANY.format(prefix=deps.settings.command_prefix)
        txn_id = MxTxnId(f"several-{room_id}")
        await deps.matrix.send_notice(room_id, to_notice(text), sender=deps.matrix.bot, txn_id=txn_id)
        return
    is_encrypted = await deps.matrix.fetch_is_encrypted(room_id)
    if is_encrypted and not deps.matrix.reads_encrypted:
        await _lead(event, login, person, ENCRYPTED, deps)
    elif deps.settings.requires_encryption and not is_encrypted:
        await _lead(event, login, person, OPEN, deps)
    else:
        await _adopt(event, login, person, portal, deps)


async def _adopt(event: MxMember, login: Login, person: Person, portal: Portal, deps: BridgeDeps) -> None:
    talk, room_id = deps.talk, event.origin.room_id

    async def adopt() -> bool:
        current = await talk.portals.get(portal.id) or portal
        if current.room_id is None:
            await talk.rooms.adopt(current, room_id, login)
        return current.room_id in (None, room_id)

    # In the chat's own turn: somebody may write there at this moment.
    if not await talk.following.deps.turns.take(portal.id, adopt):
        await _lead(event, login, person, HERE, deps)
        return
    await _say(event, HELLO.format(name=_name(person)), deps, sender=deps.matrix.bot)


async def _lead(event: MxMember, login: Login, person: Person, sentence: str, deps: BridgeDeps) -> None:
    """Have the chat in a room of its own, and say where."""
    opened = await Openings(deps.talk, deps.talk.open_directory).open_direct(login, person)
    domain = deps.matrix.bot.partition(":")[2]
    link = f"https://matrix.to/#/{opened.room_id}?via={domain}"
    await _decline(event, sentence.format(name=_name(person), link=link), deps)


async def _decline(event: MxMember, text: str, deps: BridgeDeps) -> None:
    """Say why nothing comes of it in the room, and leave it."""
    room_id = event.origin.room_id
    await deps.matrix.join_room(room_id, user=event.user)
    await _say(event, text, deps, sender=event.user)
    for ours in (event.user, deps.matrix.bot):
        await deps.matrix.leave_room(room_id, user=ours, reason=text)


async def _say(event: MxMember, text: str, deps: BridgeDeps, *, sender: MxUserId) -> None:
    txn_id = MxTxnId(f"direct-{event.origin.event_id}")
    try:
        await deps.matrix.send_notice(event.origin.room_id, to_notice(text), sender=sender, txn_id=txn_id)
    except MatrixRefused as error:
        log.info("what becomes of a direct chat could not be said: %s", error.errcode)


def _name(person: Person) -> str:
    number = f"+{person.pn}" if person.pn else "them"
    return quoted(person.name) or number
