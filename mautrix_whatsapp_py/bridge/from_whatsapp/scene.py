"""Where an event from WhatsApp happened, and whom it is from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mautrix_whatsapp_py.bridge.persons import Persons, is_person
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.ids import (
    BROADCAST_SERVER,
    LID_SERVER,
    NEWSLETTER_SERVER,
    MxUserId,
    PortalKey,
    WaJid,
)
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.portal import Portal, direct_chat
from mautrix_whatsapp_py.model.wa import WaSource

STATUS = "status"
STATUS_NAME = "WhatsApp Status Broadcast"
STATUS_CHAT = WaJid(user=STATUS, server=BROADCAST_SERVER)


class TargetUnknown(Exception):
    """The message that an event is about is not here; it may yet come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One event's place: the chat, the login that saw it, and who did it."""

    portal: Portal
    login: Login
    sender: Person
    is_past: bool = False
    """Whether it came before its user was called, who can then do nothing here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """Whom a direct chat is with, by every address WhatsApp gave."""

    jid: WaJid
    alternate: WaJid | None


def partner_of(source: WaSource) -> Partner | None:
    """Whom a direct chat is with; None when it is no direct chat."""
    chat = source.chat.bare
    if is_person(chat):
        alternate = source.recipient_alt if source.is_from_me else source.sender_alt
        return Partner(jid=chat, alternate=alternate)
    is_list = chat.server == BROADCAST_SERVER and chat.user != STATUS
    if is_list and not source.is_from_me and is_person(source.sender):
        return Partner(jid=source.sender.bare, alternate=source.sender_alt)
    return None


def special_key(source: WaSource, login: Login, talk: Talk) -> PortalKey | None:
    """The chat of an event that is with no single person."""
    chat = source.chat.bare
    if chat.is_group or chat.server == NEWSLETTER_SERVER:
        return PortalKey(chat=chat)
    if chat == STATUS_CHAT and talk.settings.with_status_broadcast:
        return PortalKey(chat=chat, receiver=login.id)
    return None


def double_of(scene: Scene, talk: Talk) -> MxUserId | None:
    """The user who did it; in the chats of one account nobody else acts as themselves."""
    login = talk.login_of(scene.sender)
    if scene.is_past or login is None or (scene.portal.key.receiver is not None and login.id != scene.login.id):
        return None
    return login.user


async def resolve_key(source: WaSource, login: Login, talk: Talk) -> PortalKey | None:
    """The chat of an event, with its people made known; None for chats that are not bridged."""
    special = special_key(source, login, talk)
    if special is not None:
        return special
    partner = partner_of(source)
    if partner is None:
        return None
    person = await talk.persons.resolve(partner.jid, partner.alternate)
    return PortalKey(chat=direct_chat(person.id), receiver=login.id)


async def ensure_portal(key: PortalKey, talk: Talk) -> Portal:
    """The portal of a chat; that of status updates has its name from the start."""
    portal = await talk.portals.ensure(key)
    if key.chat == STATUS_CHAT and not portal.name:
        return await talk.portals.put(replace(portal, name=STATUS_NAME))
    return portal


async def find_key(source: WaSource, login: Login, talk: Talk) -> PortalKey | None:
    """The chat of an event, when its people are known already."""
    special = special_key(source, login, talk)
    if special is not None:
        return special
    partner = partner_of(source)
    person = None if partner is None else await talk.persons.find(partner.jid)
    return None if person is None else PortalKey(chat=direct_chat(person.id), receiver=login.id)


def get_known_key(source: WaSource, login: Login, persons: Persons) -> PortalKey | None:
    """The chat of an event, when finding it takes no look at the database and teaches nothing new."""
    if source.chat.is_group:
        return PortalKey(chat=source.chat.bare)
    partner = partner_of(source)
    person = None if partner is None else persons.get_known(partner.jid, partner.alternate)
    return None if person is None else PortalKey(chat=direct_chat(person.id), receiver=login.id)


def is_lid_addressed(source: WaSource) -> bool:
    """Whether the chat speaks of people by LID."""
    return source.is_lid_addressed or source.chat.server == LID_SERVER
