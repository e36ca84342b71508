"""What happens to groups on WhatsApp."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable

import msgspec

from mautrix_whatsapp_py.bridge.filters import ChatAddress
from mautrix_whatsapp_py.bridge.persons import is_person
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert.group_words import clean_name, clean_topic
from mautrix_whatsapp_py.errors import WhatsAppRefused
from mautrix_whatsapp_py.ids import PersonId, PortalKey, WaJid
from mautrix_whatsapp_py.model.group import GroupFacts, GroupRole
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa import WaGroupChanged, WaGroupJoined, WaPictureChanged, WaSource

log = logging.getLogger(__name__)


async def find_chat(event: WaGroupJoined | WaGroupChanged, login: Login, talk: Talk) -> Portal | None:
    """The chat of an event; made when a login came into a group that is wanted."""
    chat = (event.group.jid if isinstance(event, WaGroupJoined) else event.chat).bare
    if not chat.is_group:
        return None
    if isinstance(event, WaGroupJoined):
        address = ChatAddress(chat=chat, is_community=event.group.is_community)
        is_wanted = not event.group.is_community and await talk.filters.is_wanted(address, login)
        return await talk.portals.ensure(PortalKey(chat=chat)) if is_wanted else None
    portal = await talk.portals.find(PortalKey(chat=chat))
    if portal is None:
        await _note_community(event, login, talk)
    return portal


async def _note_community(event: WaGroupChanged, login: Login, talk: Talk) -> None:
    """A community has no room but a space; of other groups without a room nobody asks these things."""
    if event.name is not None:
        talk.following.deps.spaces.note_name(event.chat.bare, event.name, login)
    for moved in (event.linked, event.unlinked):
        portal = await talk.portals.find(PortalKey(chat=moved.bare)) if moved is not None else None
        if portal is not None:
            talk.following.look_again(portal, login)


async def handle_joined(event: WaGroupJoined, portal: Portal, login: Login, talk: Talk) -> None:
    """A login came into a group: there is a room, and its user is invited."""
    name = clean_name(event.group.name)
    if name and name != portal.name:
        portal = await talk.portals.put(dataclasses.replace(portal, name=name))
    room_id = await talk.rooms.ensure_room(portal, login)
    current = await talk.portals.get(portal.id) or portal
    await talk.following.take(current, room_id, event.group, login)


async def handle_changed(event: WaGroupChanged, portal: Portal, login: Login, talk: Talk) -> None:
    """Something about a group changed."""
    if portal.room_id is None:
        return
    actor = await _resolve(event.sender, talk)
    own = await talk.rooms.own_person(login)
    left = await _ids(event.left, talk)
    if event.is_deleted or own.id in left:
        await talk.following.let_go(portal, login, _goodbye(event, login, actor, own))
        return
    record = await talk.following.deps.rooms.get(portal.room_id)
    facts = await _merge(event, record.facts, talk)
    is_doubtful = (facts.name, facts.topic) != (record.facts.name, record.facts.topic)
    is_doubtful = is_doubtful and talk.following.was_just_changed(portal.id)
    if record.is_levelled and not is_doubtful:
        await talk.following.change(portal, facts, actor)
        if facts.community != record.facts.community:
            talk.following.deps.spaces.want(login)
        return
    # Never seen as a whole yet, or crossed by a change of ours: WhatsApp is asked how things stand.
    try:
        await talk.following.bring_up(portal.id, login)
    except WhatsAppRefused as error:
        log.info("a group that changed cannot be looked at: %s", error.code)
        await talk.following.change(portal, facts, actor)


async def handle_picture(event: WaPictureChanged, portal: Portal, login: Login, talk: Talk) -> None:
    """A group has another picture, or none."""
    if portal.room_id is not None:
        await talk.following.deps.pictures.sync_group(portal.key.chat, portal.room_id, login)


async def note_picture(event: WaPictureChanged, login: Login, talk: Talk) -> None:
    """Somebody has another picture: it is looked at when there is time."""
    person = await talk.persons.find(event.jid.bare) if is_person(event.jid) else None
    if person is not None:
        talk.following.deps.pictures.want(person, login, is_changed=True)


def note_speaker(source: WaSource, login: Login, talk: Talk) -> None:
    """Somebody spoke: their picture is looked at when there is time."""
    person = talk.persons.get_known(source.sender)
    if person is not None and not source.is_from_me:
        talk.following.deps.pictures.want(person, login)


async def _merge(event: WaGroupChanged, facts: GroupFacts, talk: Talk) -> GroupFacts:
    """The facts after an event; only members can be promoted, whoever left meanwhile stays away."""
    roles = dict(facts.roles)
    for person in await _ids(event.joined, talk):
        roles.setdefault(person, GroupRole.MEMBER)
    for person in await _ids(event.left, talk):
        roles.pop(person, None)
    for people, role in ((event.promoted, GroupRole.ADMIN), (event.demoted, GroupRole.MEMBER)):
        roles |= {person: role for person in await _ids(people, talk) if person in roles}
    community = facts.community
    if event.linked is not None:
        community = str(event.linked)
    elif event.unlinked is not None:
        community = ""
    return msgspec.structs.replace(
        facts,
        name=facts.name if event.name is None else clean_name(event.name),
        topic=facts.topic if event.topic is None else clean_topic(event.topic),
        topic_id=facts.topic_id if event.topic_id is None else event.topic_id,
        is_locked=facts.is_locked if event.is_locked is None else event.is_locked,
        is_announcement=facts.is_announcement if event.is_announcement is None else event.is_announcement,
        disappearing_seconds=(
            facts.disappearing_seconds if event.disappearing_seconds is None else event.disappearing_seconds
        ),
        community=community,
        roles=roles,
    )


async def _resolve(jid: WaJid | None, talk: Talk) -> Person | None:
    return await talk.persons.resolve(jid.bare) if jid is not None and is_person(jid) else None


async def _ids(jids: Iterable[WaJid], talk: Talk) -> list[PersonId]:
    return [(await talk.persons.resolve(jid.bare)).id for jid in jids if is_person(jid)]


def _goodbye(event: WaGroupChanged, login: Login, actor: Person | None, own: Person) -> str:
    if event.is_deleted:
        return "This group was deleted on WhatsApp."
    if actor is None or actor.id == own.id:
        return f"{login.number} left this group on WhatsApp."
    who = actor.name or "An admin"
    return f"{who} removed {login.number} from this group on WhatsApp."
