"""Commands that show whom and what an account knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from mautrix_whatsapp_py.commands.chat_deps import Answer, ChatDeps, explained, take_login
from mautrix_whatsapp_py.commands.pages import Listed, PageRequest, decode_page, page_of
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection, UsageError
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import USER_SERVER, PortalKey, WaJid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import direct_chat
from mautrix_whatsapp_py.model.wa_directory import WaContact, WaGroupBrief

NOT_HERE = "Others read along here, and whom you know is your own affair. Ask me in your management room."
NO_ROOM = "-"
NO_NAME = "(no name)"
MIN_DIGITS = 4
"""Fewer match too many numbers."""
_CONTACT_HEADER = ("Name", "Number", "Room")
_GROUP_HEADER = ("Name", "Id", "Members", "Room")
_SEARCH_HEADER = ("Name", "Number or id", "Room")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contact:
    name: str
    number: str


_Chat: TypeAlias = _Contact | WaGroupBrief


def people_commands(deps: ChatDeps) -> tuple[Command, ...]:
    """`list-contacts`, `list-groups`, `list`, `search`."""
    return (_list_contacts(deps), _list_groups(deps), _list(deps), _search(deps))


def _list_contacts(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        login, rest = await take_login(deps, call)
        return await _contacts_page(deps, call, login, decode_page(rest))

    return Command(
        name="list-contacts",
        aliases=("contacts",),
        section=CommandSection.CHATS,
        summary="Show the contacts of an account, a page at a time, or those that match a word.",
        usage="[login] [search] [page]",
        example="ben 2",
        level=PermissionLevel.USER,
        max_args=None,
        run=run,
    )


def _list_groups(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        login, rest = await take_login(deps, call)
        return await _groups_page(deps, call, login, decode_page(rest))

    return Command(
        name="list-groups",
        aliases=("groups",),
        section=CommandSection.CHATS,
        summary="Show the groups an account is in, a page at a time, or those that match a word.",
        usage="[login] [search] [page]",
        example="family",
        level=PermissionLevel.USER,
        max_args=None,
        run=run,
    )


def _list(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        kind, *rest = call.args
        login = await deps.talk.logins.require(call.request.sender, None)
        if kind.lower() == "contacts":
            return await _contacts_page(deps, call, login, decode_page(rest, before=(kind,)))
        if kind.lower() == "groups":
            return await _groups_page(deps, call, login, decode_page(rest, before=(kind,)))
        raise UsageError("I can list contacts or groups.")

    return Command(
        name="list",
        section=CommandSection.CHATS,
        summary="Show contacts or groups; the same as `list-contacts` and `list-groups`.",
        usage="<contacts | groups> [page]",
        example="groups 2",
        level=PermissionLevel.USER,
        min_args=1,
        max_args=None,
        run=run,
    )


def _search(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        login, rest = await take_login(deps, call, min_rest=1)
        await _require_private(deps, call)
        asked = decode_page(rest)
        if not asked.query:
            raise UsageError("What shall I look for?")
        with explained("I cannot search just now"):
            contacts = await deps.directory(login).fetch_contacts()
            groups = await deps.directory(login).fetch_groups()
        found: list[_Chat] = [*_matching_contacts(contacts, login, asked), *_matching_groups(groups, asked)]
        listed = Listed(
            noun="chats", header=_SEARCH_HEADER, items=found, to_row=lambda chat: _search_row(deps, login, chat)
        )
        return await page_of(call, asked, listed)

    return Command(
        name="search",
        section=CommandSection.CHATS,
        summary="Look for contacts and groups by name or number.",
        usage="[login] <words> [page]",
        example="ben",
        level=PermissionLevel.USER,
        min_args=1,
        max_args=None,
        run=run,
    )


async def _require_private(deps: ChatDeps, call: Call) -> None:
    if not await deps.is_private(call):
        raise CommandError(NOT_HERE)


async def _contacts_page(deps: ChatDeps, call: Call, login: Login, asked: PageRequest) -> Answer:
    await _require_private(deps, call)
    with explained("Your contacts cannot be read just now"):
        contacts = await deps.directory(login).fetch_contacts()

    async def to_row(contact: _Contact) -> tuple[str, ...]:
        return contact.name, f"+{contact.number}", await _direct_room(deps, login, contact.number)

    found = _matching_contacts(contacts, login, asked)
    listed = Listed(noun="contacts", header=_CONTACT_HEADER, items=found, to_row=to_row)
    return await page_of(call, asked, listed)


async def _groups_page(deps: ChatDeps, call: Call, login: Login, asked: PageRequest) -> Answer:
    await _require_private(deps, call)
    with explained("Your groups cannot be listed just now"):
        groups = await deps.directory(login).fetch_groups()

    async def to_row(group: WaGroupBrief) -> tuple[str, ...]:
        members = "community" if group.is_community else str(group.member_count)
        return group.name or NO_NAME, f"`{group.jid}`", members, await _group_room(deps, group)

    found = _matching_groups(groups, asked)
    return await page_of(call, asked, Listed(noun="groups", header=_GROUP_HEADER, items=found, to_row=to_row))


async def _search_row(deps: ChatDeps, login: Login, chat: _Chat) -> tuple[str, ...]:
    if isinstance(chat, _Contact):
        return chat.name, f"+{chat.number}", await _direct_room(deps, login, chat.number)
    return chat.name or NO_NAME, f"`{chat.jid}`", await _group_room(deps, chat)


def _matching_contacts(contacts: Iterable[WaContact], login: Login, asked: PageRequest) -> list[_Contact]:
    """One per person, in alphabetical order; people whose number is hidden are nobody's contacts."""
    best: dict[str, str] = {}
    for contact in contacts:
        number = contact.jid.user
        if contact.jid.server == USER_SERVER and number != login.id and contact.name:
            best[number] = contact.name if contact.full_name else best.get(number) or contact.name
    wanted = asked.query.casefold()
    digits = "".join(character for character in wanted if character.isdigit())
    found = [
        _Contact(name=name, number=number)
        for number, name in best.items()
        if wanted in name.casefold() or (len(digits) >= MIN_DIGITS and digits in number)
    ]
    return sorted(found, key=lambda contact: (contact.name.casefold(), contact.number))


def _matching_groups(groups: Iterable[WaGroupBrief], asked: PageRequest) -> list[WaGroupBrief]:
    wanted = asked.query.casefold()
    found = [group for group in groups if wanted in group.name.casefold() or wanted == str(group.jid)]
    return sorted(found, key=lambda group: (group.name.casefold(), str(group.jid)))


async def _direct_room(deps: ChatDeps, login: Login, number: str) -> str:
    person = await deps.talk.persons.find(WaJid(user=number, server=USER_SERVER))
    if person is None:
        return NO_ROOM
    return await _room_of(deps, PortalKey(chat=direct_chat(person.id), receiver=login.id))


async def _group_room(deps: ChatDeps, group: WaGroupBrief) -> str:
    return await _room_of(deps, PortalKey(chat=group.jid))


async def _room_of(deps: ChatDeps, key: PortalKey) -> str:
    portal = await deps.talk.portals.find(key)
    return NO_ROOM if portal is None or portal.room_id is None else deps.link(portal.room_id)
