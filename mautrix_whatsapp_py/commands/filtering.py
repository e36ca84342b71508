"""The command that says which chats are bridged."""

from __future__ import annotations

from collections.abc import Iterable

from mautrix_whatsapp_py.commands.chat_deps import Answer, ChatDeps
from mautrix_whatsapp_py.commands.results import Group, Item, Listing, Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection, Flag, UsageError
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.convert.filtering import TRAITS
from mautrix_whatsapp_py.convert.phone import to_international
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import MxUserId, decode_jid
from mautrix_whatsapp_py.model.filtering import EVERYTHING, ChatKind, FilterRule
from mautrix_whatsapp_py.store.wishes import EVERYBODY

KINDS = frozenset(kind.value for kind in ChatKind)
HERE = "this"
_PLURALS = {"groups": "group", "channels": "newsletter", "channel": "newsletter", "communities": "community"}
_MEANINGS = {
    "archived": "chats that are archived on the phone",
    "muted": "chats that are muted on the phone",
    "unknown": "chats with people who are not in the contact book",
    "all": "all chats that no other rule speaks of",
}


def filter_commands(deps: ChatDeps) -> tuple[Command, ...]:
    """`filter`."""

    async def run(call: Call) -> Answer:
        user = _whose(call)
        if not call.args or call.args[0].lower() == "list":
            return await _show(deps, user)
        verb = call.args[0].lower()
        if verb not in {"allow", "deny", "clear"}:
            raise UsageError("I can allow, deny or clear.")
        if len(call.args) < 2:
            raise UsageError("Which chats?")
        subject = await _decode_subject(deps, call, " ".join(call.args[1:]))
        return await _change(deps, call, user, verb, subject)

    command = Command(
        name="filter",
        section=CommandSection.CHATS,
        summary="Choose which chats are bridged: by kind, by id, or archived, muted and unknown ones.",
        usage="[list | allow <which> | deny <which> | clear <which>]",
        example="deny newsletter",
        level=PermissionLevel.USER,
        max_args=None,
        flags=(Flag(name="everyone", summary="The rules of all users; for admins of the bridge."),),
        run=run,
    )
    return (command,)


def _whose(call: Call) -> MxUserId:
    if "everyone" not in call.flags:
        return call.request.sender
    if call.request.level < PermissionLevel.ADMIN:
        raise CommandError("Only admins of the bridge may change what holds for everyone. Leave out `--everyone`.")
    return EVERYBODY


async def _change(deps: ChatDeps, call: Call, user: MxUserId, verb: str, subject: str) -> Said:
    words = _words(subject)
    if verb == "clear":
        if await deps.filters.remove(user, subject):
            return Said(text=f"There is no rule about {words} any more.")
        return Said(text=f"There was no rule about {words}. Send `{call.prefix}filter` to see those there are.")
    await deps.filters.put(user, FilterRule(subject=subject, is_allowed=verb == "allow"))
    if verb == "allow":
        return Said(text=f"From now on {words} are bridged. A room comes with the next message.")
    return Said(
        text=f"From now on {words} are not bridged: they get no room. Rooms that are there already stay; "
        f"send `{call.prefix}unbridge` in one to let go of it."
    )


async def _show(deps: ChatDeps, user: MxUserId) -> Listing:
    groups = [
        _group("Rules of everyone" if user == EVERYBODY else "Your rules", await deps.filters.get_rules(user)),
    ]
    if user != EVERYBODY:
        groups.append(_group("Rules of everyone", await deps.filters.get_rules(EVERYBODY)))
    groups.append(_group("Rules of the configuration", deps.filters.configured))
    shown = tuple(group for index, group in enumerate(groups) if index == 0 or group.items[0].term)
    footer = "Earlier groups win over later ones. Chats that no rule speaks of are bridged."
    return Listing(groups=shown, footer=footer)


def _group(title: str, rules: Iterable[FilterRule]) -> Group:
    items = tuple(
        Item(
            term=f"{'allow' if rule.is_allowed else 'deny'} {rule.subject}",
            text=_words(rule.subject),
            is_code=True,
        )
        for rule in rules
    )
    return Group(title=title, items=items or (Item(term="", text="There are none."),))


async def _decode_subject(deps: ChatDeps, call: Call, text: str) -> str:
    word = text.lower()
    word = _PLURALS.get(word, word)
    if word in KINDS | TRAITS | {EVERYTHING}:
        return word
    if word == HERE:
        return await _id_here(deps, call)
    if text.startswith("+"):
        return f"+{to_international(text)}"
    try:
        jid = decode_jid(text)
    except ValueError:
        jid = None
    if jid is None or not jid.user:
        known = ", ".join(sorted(KINDS | TRAITS | {EVERYTHING, HERE}))
        raise UsageError(f"I know {known}, ids of chats, and phone numbers with a plus.")
    return str(jid.bare)


async def _id_here(deps: ChatDeps, call: Call) -> str:
    portal = await deps.get_portal(call.request.room_id)
    if portal is None:
        raise CommandError("This room is not a WhatsApp chat. Name the chat by its id.")
    if portal.person_id is None:
        return str(portal.key.chat)
    person = await deps.talk.persons.get(portal.person_id)
    if person is None:
        raise CommandError("This chat has become part of another one. Name that by its number.")
    return f"+{person.pn}" if person.pn else str(person.jid(is_lid_addressed=True))


def _verb(rule: FilterRule) -> str:
    return "allow" if rule.is_allowed else "deny"


def _words(subject: str) -> str:
    meaning = _MEANINGS.get(subject)
    if meaning is not None:
        return meaning
    return f"chats of the kind `{subject}`" if subject in KINDS else f"messages of `{subject}`"
