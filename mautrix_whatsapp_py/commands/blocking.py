"""Commands about people who are not let through."""

from __future__ import annotations

from mautrix_whatsapp_py.commands.chat_deps import Answer, ChatDeps, explained, require_here, take_login
from mautrix_whatsapp_py.commands.pages import Listed, decode_page, page_of
from mautrix_whatsapp_py.commands.results import Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection, UsageError
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.convert.phone import to_international
from mautrix_whatsapp_py.errors import CommandError, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import USER_SERVER, WaJid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.ports_groups import WhatsAppGroups

NOT_HERE = "Others read along here, and whom you have blocked is nobody's business. Ask me in our direct chat."


def blocking_commands(deps: ChatDeps) -> tuple[Command, ...]:
    """`block`, `unblock`, `list-blocked`."""
    return (
        _change(deps, "block", "Block somebody on WhatsApp: the person of this chat, or a phone number."),
        _change(deps, "unblock", "Let somebody through again whom you have blocked on WhatsApp."),
        _list(deps),
    )


def _change(deps: ChatDeps, name: str, summary: str) -> Command:
    is_blocked = name == "block"

    async def run(call: Call) -> Answer:
        login, person = await _whom(deps, call)
        number = f"+{person.pn}" if person.pn else person.name or "this person"
        with explained(f"{number} was not {name}ed"):
            # WhatsApp names people by LID in this list.
            jid = person.jid(is_lid_addressed=True)
            await _groups(deps, login).set_blocked(jid, is_blocked=is_blocked)
        if not is_blocked:
            return Said(text=f"{number} can reach {login.number} again.")
        return Said(
            text=f"{number} is blocked: their messages and calls do not reach {login.number} any more, here and "
            f"on the phone. Send `{call.prefix}unblock {number}` to undo that."
        )

    return Command(
        name=name,
        section=CommandSection.CHATS,
        summary=summary,
        usage="[login] [phone number]",
        example="+14155550002",
        level=PermissionLevel.USER,
        max_args=None,
        run=run,
    )


async def _whom(deps: ChatDeps, call: Call) -> tuple[Login, Person]:
    if call.args:
        login, rest = await take_login(deps, call, min_rest=1)
        number = to_international(" ".join(rest))
        with explained(f"I cannot look up +{number}"):
            (found,) = await deps.openings.find_people(login, [number])
        return login, await deps.openings.learn(found)
    portal = await deps.get_portal(call.request.room_id)
    person_id = None if portal is None else portal.person_id
    if person_id is None:
        raise UsageError("Tell me whose phone number, or send this in your chat with that person.")
    here, person = await require_here(deps, call), await deps.talk.persons.get(person_id)
    if person is None:
        raise CommandError("I do not know who this chat is with.")
    return here.login, person


def _list(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        login, rest = await take_login(deps, call)
        if not await deps.is_private(call):
            raise CommandError(NOT_HERE)
        with explained("Whom you have blocked cannot be looked up"):
            blocked = await _groups(deps, login).fetch_blocked()

        async def to_row(jid: WaJid) -> tuple[str, ...]:
            person = await deps.talk.persons.find(jid.bare)
            pn = person.pn if person is not None else jid.user if jid.server == USER_SERVER else None
            return (person.name if person is not None else "") or "-", f"+{pn}" if pn else f"`{jid.bare}`"

        listed = Listed(noun="blocked people", header=("Name", "Number"), items=blocked, to_row=to_row)
        return await page_of(call, decode_page(rest), listed)

    return Command(
        name="list-blocked",
        section=CommandSection.CHATS,
        summary="Show whom an account has blocked.",
        usage="[login] [page]",
        example="2",
        level=PermissionLevel.USER,
        max_args=2,
        run=run,
    )


def _groups(deps: ChatDeps, login: Login) -> WhatsAppGroups:
    groups = deps.talk.following.deps.open_groups(login.id)
    if groups is None:
        raise WhatsAppUnavailable(code="not-connected")
    return groups
