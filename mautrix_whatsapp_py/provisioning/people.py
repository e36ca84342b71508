"""Whom an account can write to, for programs: contacts, numbers, direct chats, groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mautrix_whatsapp_py.bridge.contacts import Contact, find_contacts
from mautrix_whatsapp_py.bridge.openings import Openings
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert.phone import to_international
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import GROUP_SERVER, LID_SERVER, USER_SERVER, MxRoomId, PortalKey, WaJid, decode_jid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.portal import direct_chat
from mautrix_whatsapp_py.model.wa import WaGroup
from mautrix_whatsapp_py.ports_groups import OpenGroups
from mautrix_whatsapp_py.provisioning.answers import ApiError, Json, bad_parameter, get_text, not_found

MAX_NAME = 100
TIMERS_SECONDS = (86_400, 604_800, 7_776_000)
_LID = "lid-"
_UNSUPPORTED = ("avatar", "username", "room_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleDeps:
    """What these requests work with."""

    talk: Talk
    openings: Openings
    open_groups: OpenGroups


class People:
    """Answers about people."""

    def __init__(self, deps: PeopleDeps) -> None:
        self._talk = deps.talk
        self._openings = deps.openings
        self._open_groups = deps.open_groups

    async def list_contacts(self, login: Login, query: str = "") -> list[Json]:
        """The contact book, or who of it matches."""
        contacts = await self._openings.require_directory(login).fetch_contacts()
        found = find_contacts(contacts, own=login.id, query=query)
        return [await self._encode_contact(login, contact) for contact in found]

    async def search(self, login: Login, query: str) -> list[Json]:
        """Contacts that match, and whoever has the number that was written."""
        found = await self.list_contacts(login, query)
        if not found and query.strip().startswith("+"):
            try:
                found = [await self.resolve(login, query)]
            except ApiError as error:
                if error.status not in (400, 404):
                    raise
        return found

    async def resolve(self, login: Login, identifier: str) -> Json:
        """Who has a number or an address."""
        person = await self._require_person(login, identifier)
        return await self._encode_person(login, person)

    async def create_dm(self, login: Login, identifier: str) -> tuple[Json, bool]:
        """The chat with somebody, and whether its room is new."""
        person = await self._require_person(login, identifier)
        opened = await self._openings.open_direct(login, person)
        current = await self._talk.persons.get(person.id) or person
        return {**(await self._encode_person(login, current)), "dm_room_mxid": opened.room_id}, opened.is_new

    async def create_group(self, login: Login, kind: str, body: Json) -> Json:
        """A group with people in it."""
        wish = _decode_group(kind, body)
        people = [await self._require_person(login, identifier) for identifier in wish.people]
        directory = self._openings.require_directory(login)
        jids = {person.jid(is_lid_addressed=False): person for person in people}
        group = await directory.create_group(wish.name, list(jids), community=wish.community)
        failed = [_id_of(person) for person in people if not _is_member(group, person)]
        if wish.timer_seconds:
            await directory.set_disappearing(group.jid, wish.timer_seconds)
        groups = self._open_groups(login.id)
        if wish.topic and groups is not None:
            await groups.set_topic(group.jid, wish.topic, previous_id="")
        opened = await self._openings.open_shared(login, group.jid, wish.name)
        return {"id": str(group.jid), "mxid": opened.room_id, "failed_participants": {one: {} for one in failed}}

    async def _require_person(self, login: Login, identifier: str) -> Person:
        jid = _decode_address(identifier)
        if jid is not None and jid.server == LID_SERVER:
            person = await self._talk.persons.find(jid)
            if person is None:
                raise not_found("Identifier not found")
            return person
        try:
            number = to_international(jid.user if jid is not None else identifier.removeprefix("tel:"))
        except CommandError as error:
            raise bad_parameter(error.text) from error
        try:
            (found,) = await self._openings.find_people(login, [number])
        except CommandError as error:
            raise not_found("Identifier not found") from error
        return await self._openings.learn(found)

    async def _encode_contact(self, login: Login, contact: Contact) -> Json:
        person = await self._talk.persons.find(WaJid(user=contact.number, server=USER_SERVER))
        known = {} if person is None else await self._encode_person(login, person)
        # What the user calls them counts for the user.
        return {"id": contact.number, "identifiers": [f"tel:+{contact.number}"], **known, "name": contact.name}

    async def _encode_person(self, login: Login, person: Person) -> dict[str, Any]:
        encoded: dict[str, Any] = {"id": _id_of(person), "mxid": person.ghost}
        if name := person.name or (f"+{person.pn}" if person.pn else ""):
            encoded["name"] = name
        if person.avatar_uri is not None:
            encoded["avatar_url"] = person.avatar_uri
        if person.pn is not None:
            encoded["identifiers"] = [f"tel:+{person.pn}"]
        if (room_id := await self._find_room(login, person)) is not None:
            encoded["dm_room_mxid"] = room_id
        return encoded

    async def _find_room(self, login: Login, person: Person) -> MxRoomId | None:
        key = PortalKey(chat=direct_chat(person.id), receiver=login.id)
        portal = await self._talk.portals.find(key)
        return None if portal is None else portal.room_id


@dataclass(frozen=True, slots=True, kw_only=True)
class _GroupWish:
    name: str
    people: Sequence[str]
    topic: str = ""
    timer_seconds: int = 0
    community: WaJid | None = None


def _decode_group(kind: str, body: Json) -> _GroupWish:
    if kind != "group":
        raise bad_parameter("Unrecognized group type")
    if unsupported := [key for key in _UNSUPPORTED if body.get(key)]:
        raise bad_parameter(f"{', '.join(unsupported)} cannot be given to a new group here")
    name = get_text(_part(body, "name"), "name").strip()
    if not 1 <= len(name) <= MAX_NAME:
        raise bad_parameter(f"A group needs a name of 1 to {MAX_NAME} characters")
    people = body.get("participants")
    if not isinstance(people, list) or not people or not all(isinstance(one, str) for one in people):
        raise bad_parameter("participants has to be a list of at least one id")
    return _GroupWish(
        name=name,
        people=people,
        topic=get_text(_part(body, "topic"), "topic"),
        timer_seconds=_decode_timer(_part(body, "disappear")),
        community=_decode_community(_part(body, "parent")),
    )


def _part(body: Json, key: str) -> Json:
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise bad_parameter(f"{key} has to be an object")
    return value


def _decode_timer(part: Json) -> int:
    timer = part.get("timer", 0)
    if not isinstance(timer, int) or isinstance(timer, bool):
        raise bad_parameter("disappear.timer has to be a number of milliseconds")
    seconds = timer // 1000
    if seconds and seconds not in TIMERS_SECONDS:
        raise bad_parameter("disappear.timer has to be 24 hours, 7 days or 90 days")
    return seconds


def _decode_community(part: Json) -> WaJid | None:
    text = get_text(part, "id")
    jid = _decode_address(text) if text else None
    if text and (jid is None or jid.server != GROUP_SERVER):
        raise bad_parameter("parent.id is no community")
    return jid


def _decode_address(identifier: str) -> WaJid | None:
    if identifier.startswith(_LID):
        return WaJid(user=identifier.removeprefix(_LID), server=LID_SERVER)
    if "@" not in identifier:
        return None
    try:
        jid = decode_jid(identifier).bare
    except ValueError as error:
        raise bad_parameter("That is no address of WhatsApp") from error
    if jid.server not in (USER_SERVER, LID_SERVER, GROUP_SERVER) or not jid.user:
        raise bad_parameter("That is no address of a person")
    return jid


def _is_member(group: WaGroup, person: Person) -> bool:
    addresses = {
        address
        for member in group.members
        for address in (member.jid, member.lid, member.phone_number)
        if address is not None
    }
    return not group.members or any(jid in addresses for jid in person.jids)


def _id_of(person: Person) -> str:
    return person.pn if person.pn is not None else f"{_LID}{person.lid}"
