"""Commands that open chats and say what they are."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.openings import Opened
from mautrix_whatsapp_py.bridge.persons import is_person
from mautrix_whatsapp_py.commands.chat_deps import (
    Answer,
    ChatDeps,
    explained,
    require_portal,
    take_login,
)
from mautrix_whatsapp_py.commands.results import Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection, UsageError
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.convert.bot_text import quoted
from mautrix_whatsapp_py.convert.phone import to_international
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import GROUP_SERVER, NEWSLETTER_SERVER, WaJid, decode_jid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.people import Person

MAX_CANDIDATES = 5


def chat_commands(deps: ChatDeps) -> tuple[Command, ...]:
    """`pm`, `resolve-identifier`, `open`, `id`."""
    return (_pm(deps), _resolve(deps), _open(deps), _id(deps))


def _pm(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        login, rest = await take_login(deps, call, min_rest=1)
        return await open_number(deps, login, to_international(" ".join(rest)))

    return Command(
        name="pm",
        aliases=("start-chat",),
        section=CommandSection.CHATS,
        summary="Open a chat with a phone number, if it is on WhatsApp.",
        usage="[login] <phone number>",
        example="+14155550002",
        level=PermissionLevel.USER,
        min_args=1,
        max_args=None,
        run=run,
    )


async def open_number(deps: ChatDeps, login: Login, number: str) -> Said:
    """Open the chat with a number and say where it is."""
    with explained(f"I cannot open a chat with +{number}"):
        (found,) = await deps.openings.find_people(login, [number])
    person = await deps.openings.learn(found)
    return _tell(deps, await deps.openings.open_direct(login, person), _name_of(person))


def _resolve(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        login, rest = await take_login(deps, call, min_rest=1)
        number = to_international(" ".join(rest))
        with explained(f"I cannot look up +{number}"):
            (found,) = await deps.openings.find_people(login, [number])
        person = await deps.openings.learn(found)
        known = f" I know them as {quoted(person.name)}." if person.name else ""
        return Said(
            text=f"+{number} is on WhatsApp.{known} Send `{call.prefix}pm +{number}` to open a chat with them."
        )

    return Command(
        name="resolve-identifier",
        aliases=("check",),
        section=CommandSection.CHATS,
        summary="Ask whether a phone number is on WhatsApp.",
        usage="[login] <phone number>",
        example="+14155550002",
        level=PermissionLevel.USER,
        min_args=1,
        max_args=None,
        run=run,
    )


def _open(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        login, rest = await take_login(deps, call, min_rest=1)
        wanted = " ".join(rest)
        jid = _address_in(wanted)
        if jid is not None and is_person(jid):
            return await _open_person(deps, login, jid)
        if jid is not None and jid.server not in (GROUP_SERVER, NEWSLETTER_SERVER):
            raise UsageError("I can open chats with people, groups and channels.")
        if jid is None and wanted.startswith("+"):
            return await open_number(deps, login, to_international(wanted))
        return await _open_shared(deps, call, login, jid, wanted)

    return Command(
        name="open",
        aliases=("create-portal",),
        section=CommandSection.CHATS,
        summary="Have a room for a chat: of a group by its name or id, a person by number, a channel by id.",
        usage="[login] <name | id | phone number>",
        example="Family",
        level=PermissionLevel.USER,
        min_args=1,
        max_args=None,
        run=run,
    )


async def _open_person(deps: ChatDeps, login: Login, jid: WaJid) -> Said:
    person = await deps.talk.persons.find(jid.bare)
    if person is None and jid.server == "s.whatsapp.net":
        return await open_number(deps, login, to_international(f"+{jid.user}"))
    if person is None:
        raise CommandError("I know nobody of that id. Open the chat by its phone number instead.")
    return _tell(deps, await deps.openings.open_direct(login, person), _name_of(person))


async def _open_shared(deps: ChatDeps, call: Call, login: Login, jid: WaJid | None, wanted: str) -> Said:
    with explained("I cannot look at your groups"):
        directory = deps.directory(login)
        groups = [(group.jid, group.name) for group in await directory.fetch_groups()]
        if jid is not None and jid.server == NEWSLETTER_SERVER:
            groups = [(news.jid, news.name) for news in await directory.fetch_newsletters()]
    if jid is not None:
        found = [(chat, name) for chat, name in groups if chat == jid.bare]
    else:
        folded = wanted.casefold()
        exact = [(chat, name) for chat, name in groups if name.casefold() == folded]
        found = exact or [(chat, name) for chat, name in groups if folded in name.casefold()]
    if not found:
        raise CommandError(
            f"You are in no group called `{quoted(wanted)}`. Send `{call.prefix}list-groups` to see yours."
        )
    if len(found) > 1:
        listed = "\n".join(f"`{call.prefix}open {chat}`: {quoted(name)}" for chat, name in found[:MAX_CANDIDATES])
        raise CommandError(f"{len(found)} groups match. Name one by its id:\n{listed}")
    ((chat, name),) = found
    return _tell(deps, await deps.openings.open_shared(login, chat, name), quoted(name))


def _id(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        portal = await require_portal(deps, call)
        if portal.person_id is None:
            return Said(text=f"This is the chat `{portal.key.chat}`, shared by all who are in it.")
        person = await deps.talk.persons.get(portal.person_id)
        names = " and ".join(f"`{jid}`" for jid in person.jids) if person is not None else "nobody known"
        return Said(text=f"This is the chat of +{portal.key.receiver} with {names}.")

    return Command(
        name="id",
        section=CommandSection.CHATS,
        summary="Show by which id WhatsApp knows this chat.",
        level=PermissionLevel.COMMANDS,
        run=run,
    )


def _tell(deps: ChatDeps, opened: Opened, name: str) -> Said:
    link = deps.link(opened.room_id)
    if opened.is_new:
        return Said(
            text=f"Opened the chat with {name}: {link}\nAccept the invitation to it to see what is written."
        )
    return Said(text=f"Your chat with {name} is here: {link}\nIf you have left it, you are invited again.")


def _name_of(person: Person) -> str:
    number = f"+{person.pn}" if person.pn else "a number that is hidden"
    return f"{quoted(person.name)} ({number})" if person.name and person.name != number else number


def _address_in(text: str) -> WaJid | None:
    if "@" not in text:
        return None
    try:
        jid = decode_jid(text)
    except ValueError as error:
        raise UsageError("That is not the id of a chat.") from error
    return jid if jid.user else None
