"""Fetches what converting an event from Matrix needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mautrix_whatsapp_py.bridge.cards import find_card
from mautrix_whatsapp_py.bridge.from_matrix.quoting import fetch_thumbnail
from mautrix_whatsapp_py.bridge.groups import is_admin
from mautrix_whatsapp_py.bridge.rooms import chat_address
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert.context import (
    Quoted,
    ToWhatsAppContext,
    ToWhatsAppOptions,
    WaReactionTarget,
    WaTarget,
)
from mautrix_whatsapp_py.convert.needs import needs_of_mx, users_in
from mautrix_whatsapp_py.convert.relay import Relaying
from mautrix_whatsapp_py.ids import MxEventId, MxUserId, WaJid
from mautrix_whatsapp_py.model.content import (
    MxContent,
    MxPollVote,
    MxReactionContent,
    MxRedactionContent,
    WaMessageRef,
)
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.mx import MxOrigin
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.portal import MessagePart, Portal, ReactionRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where an event goes: the chat as WhatsApp knows it, the login that carries it, and who that is there."""

    portal: Portal
    login: Login
    own: Person
    chat: WaJid
    relaying: Relaying | None = None
    """Who says it, where that is not the owner of the login."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The rows of what an event is about."""

    part: MessagePart | None = None
    reaction: ReactionRow | None = None


async def may_carry(login: Login, origin: MxOrigin, portal: Portal, talk: Talk) -> bool:
    """Whether a login may send what somebody wrote: its owner, or whoever it speaks for; both may change."""
    if login.user == origin.sender:
        return True
    relay = None if talk.relays is None else await talk.relays.choose(origin.sender, portal)
    return relay is not None and relay.id == login.id


async def set_stage(portal: Portal, login: Login, talk: Talk, origin: MxOrigin | None = None) -> Stage | None:
    """None when the chat has become part of another."""
    partner: Person | None = None
    if portal.person_id is not None:
        partner = await talk.persons.get(portal.person_id)
        if partner is None:
            return None
    own = await talk.rooms.own_person(login)
    chat = chat_address(portal, partner)
    relaying: Relaying | None = None
    if talk.relays is not None and origin is not None and login.user != origin.sender:
        carrier = own.jid(is_lid_addressed=portal.is_lid_addressed).bare
        relaying = await talk.relays.describe(origin.sender, origin.room_id, origin.event_id, carrier)
    return Stage(portal=portal, login=login, own=own, chat=chat, relaying=relaying)


async def fetch_target(content: MxContent, stage: Stage, talk: Talk) -> Target:
    """What an event edits, redacts or reacts to."""
    event_id = needs_of_mx(content).target
    if event_id is None:
        return Target()
    async with talk.store.reading() as tx:
        reaction = await talk.rows.reactions.get_by_event(tx, event_id)
        part = await talk.rows.messages.get_by_event(tx, event_id) if reaction is None else None
        if reaction is not None:
            parts = await talk.rows.messages.get_parts(
                tx, reaction.portal_id, reaction.message_id, reaction.author_id
            )
            part = parts[0] if parts else None
    if part is not None and part.portal_id != stage.portal.id:
        return Target()
    return Target(part=part, reaction=reaction)


async def is_target_known(content: MxContent, stage: Stage, talk: Talk) -> bool:
    """Whether all it is about or answers is recorded, or there is nothing of the kind."""
    needs = needs_of_mx(content)
    if needs.target is not None:
        return await fetch_target(content, stage, talk) != Target()
    if needs.reply_to is None:
        return True
    async with talk.store.reading() as tx:
        return await talk.rows.messages.get_by_event(tx, needs.reply_to) is not None


async def fetch_context(
    content: MxContent, origin: MxOrigin, target: Target, stage: Stage, talk: Talk
) -> ToWhatsAppContext:
    """Everything an event needs."""
    needs = needs_of_mx(content)
    about = _target(target, stage)
    if isinstance(about, WaTarget) and about.is_own and target.part is not None:
        about = replace(about, is_own=await _is_of_writer(content, origin, target.part, stage, talk))
    quoted = await _fetch_quoted(needs.reply_to, stage, talk)
    users = needs.users | (users_in(quoted.content) if quoted and quoted.content else frozenset())
    return ToWhatsAppContext(
        chat=stage.chat,
        written_at=origin.sent_at,
        now=talk.clock.now(),
        addressed=await _fetch_addresses(users, stage, talk),
        quoted=quoted,
        target=about,
        is_group_admin=await _may_moderate(content, about, stage, talk),
        relaying=stage.relaying,
        link_preview=await find_card(content, needs.preview_url, talk.cards),
        disappears_after_s=stage.portal.disappearing_seconds or None,
        options=ToWhatsAppOptions(with_notices=talk.settings.with_notices),
    )


async def _is_of_writer(content: MxContent, origin: MxOrigin, part: MessagePart, stage: Stage, talk: Talk) -> bool:
    """Whether a message that a login sent is that of the writer, where the login speaks for several.

    Homeservers let everybody send edits of everything; who may redact what is theirs to say, but not that
    those for whom an account speaks delete what its owner said.
    """
    if talk.relays is None or isinstance(content, MxReactionContent | MxPollVote):
        return True
    is_redaction = isinstance(content, MxRedactionContent)
    if stage.relaying is None and (is_redaction or await talk.relays.get(stage.portal) is None):
        return True
    sender = await talk.relays.fetch_sender(origin.room_id, part.event_id)
    if sender == origin.sender:
        return True
    if sender is None or not is_redaction or sender == stage.login.user:
        return False
    return await talk.persons.get_by_ghost(sender) is None


async def _may_moderate(
    content: MxContent, target: WaTarget | WaReactionTarget | None, stage: Stage, talk: Talk
) -> bool:
    """Whether a redaction of another's message is one that an admin of the group may do."""
    if not isinstance(content, MxRedactionContent) or not isinstance(target, WaTarget) or target.is_own:
        return False
    if stage.relaying is not None:
        return False
    return await is_admin(stage.own, stage.portal, stage.login, talk)


async def _fetch_quoted(event_id: MxEventId | None, stage: Stage, talk: Talk) -> Quoted | None:
    if event_id is None or stage.portal.room_id is None:
        return None
    part = await talk.store.read(lambda tx: talk.rows.messages.get_by_event(tx, event_id))
    if part is None or part.portal_id != stage.portal.id:
        return None
    content = await talk.chats.fetch_message(stage.portal.room_id, event_id)
    thumbnail = None if content is None else await fetch_thumbnail(content, talk)
    relaying = None if content is None else await _find_writer(part, stage, talk)
    return Quoted(
        ref=_ref(part, stage), sender=part.sender, content=content, thumbnail=thumbnail, relaying=relaying
    )


async def _find_writer(part: MessagePart, stage: Stage, talk: Talk) -> Relaying | None:
    """Who wrote what an account sent for somebody else; None where it was its owner."""
    room_id = stage.portal.room_id
    if not part.is_own or talk.relays is None or room_id is None or await talk.relays.get(stage.portal) is None:
        return None
    sender = await talk.relays.fetch_sender(room_id, part.event_id)
    if sender is None or any(login.id == part.login_id for login in talk.logins.of_user(sender)):
        return None
    if await talk.persons.get_by_ghost(sender) is not None:
        return None
    return await talk.relays.describe(sender, room_id, part.event_id, part.sender)


async def _fetch_addresses(users: Iterable[MxUserId], stage: Stage, talk: Talk) -> dict[MxUserId, WaJid]:
    found: dict[MxUserId, WaJid] = {}
    for user in users:
        person = await talk.persons.get_by_ghost(user)
        if person is None and (logins := talk.logins.of_user(user)):
            person = await talk.rooms.own_person(logins[0])
        if person is not None:
            found[user] = person.jid(is_lid_addressed=stage.portal.is_lid_addressed)
    return found


def _target(target: Target, stage: Stage) -> WaTarget | WaReactionTarget | None:
    part = target.part
    if part is None:
        return None
    if target.reaction is not None:
        return WaReactionTarget(
            ref=_ref(part, stage), is_own=target.reaction.person_id == stage.own.id and stage.relaying is None
        )
    is_own = part.is_own and part.login_id == stage.login.id
    return WaTarget(ref=_ref(part, stage), sent_at=part.sent_at, is_own=is_own)


def _ref(part: MessagePart, stage: Stage) -> WaMessageRef:
    return WaMessageRef(chat=stage.chat, message_id=part.message_id, sender=part.sender)
