"""Messages of every kind, edits, deletions and reactions from WhatsApp."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from mautrix_whatsapp_py.bridge.from_whatsapp.channels import channel_author
from mautrix_whatsapp_py.bridge.from_whatsapp.context import Fetched, fetch_context
from mautrix_whatsapp_py.bridge.from_whatsapp.echo import is_echo
from mautrix_whatsapp_py.bridge.from_whatsapp.scene import STATUS_CHAT, Scene, TargetUnknown, is_lid_addressed
from mautrix_whatsapp_py.bridge.names import txn_from_wa
from mautrix_whatsapp_py.bridge.persons import is_person, name_rank_of
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert.results import MxReact, MxRedact, MxSend, Skipped, SkipReason
from mautrix_whatsapp_py.convert.to_matrix import to_matrix
from mautrix_whatsapp_py.ids import NEWSLETTER_SERVER, MxEventId, MxRoomId, MxTxnId, WaMessageId
from mautrix_whatsapp_py.model.content import MxEdit, MxMessageContent, MxMsgType, WaContent, WaEdit, WaSilent
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import MessagePart, Portal, ReactionRow
from mautrix_whatsapp_py.model.wa import WaMessage, WaUndecryptable

log = logging.getLogger(__name__)

BY_ADMIN = "Deleted by an admin of the group"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """A message, where it happened, and the room it goes to."""

    event: WaMessage | WaUndecryptable
    scene: Scene
    room_id: MxRoomId

    def txn_id(self, part: int, purpose: str) -> MxTxnId:
        return txn_from_wa(
            self.scene.portal, self.event.message_id, self.scene.sender.id, part=part, purpose=purpose
        )


async def handle(event: WaMessage | WaUndecryptable, portal: Portal, login: Login, talk: Talk) -> bool:
    """Bring a message into its room; whether there is one now that others may have waited for.

    Raises TargetUnknown when it is about a message that is not here.
    """
    content = event.content if isinstance(event, WaMessage) else event
    if isinstance(content, WaSilent) or (isinstance(content, WaUndecryptable) and content.is_to_be_hidden):
        return False
    scene = await _set_scene(event, portal, login, talk)
    if scene is None:
        return False
    known = await _fetch_known(event, scene, talk)
    placeholder = next((part.event_id for part in known if part.is_placeholder), None)
    if (known and placeholder is None) or await is_echo(event, scene, talk):
        return False
    fetched = await fetch_context(content, event.source, scene, talk, placeholder=placeholder)
    result = to_matrix(content, fetched.context)
    if isinstance(result, Skipped):
        if result.reason is SkipReason.TARGET_UNKNOWN:
            raise TargetUnknown
        return False
    told = _Told(event=event, scene=scene, room_id=await talk.rooms.ensure_room(scene.portal, login))
    match result:
        case MxSend():
            await _send(result, content, told, fetched, talk)
        case MxReact():
            await _react(result, told, fetched, talk)
        case MxRedact():
            await _redact(result, told, talk)
        case _:
            assert_never(result)
    return isinstance(result, MxSend)


async def _set_scene(event: WaMessage | WaUndecryptable, portal: Portal, login: Login, talk: Talk) -> Scene | None:
    source = event.source
    if source.is_from_me:
        sender = await talk.rooms.own_person(login)
    elif is_person(source.sender):
        sender = await talk.persons.resolve(source.sender, source.sender_alt)
        business = event.business_name if isinstance(event, WaMessage) else ""
        name, rank = name_rank_of(push_name=event.push_name, business_name=business)
        sender = await talk.persons.learn_name(sender, name, rank)
    elif source.chat.server == NEWSLETTER_SERVER:
        sender = await channel_author(event, portal, login, talk)
    else:
        return None
    portal = await talk.portals.get(portal.id) or portal
    portal = await talk.portals.set_addressing(portal, is_lid_addressed=is_lid_addressed(source))
    return Scene(portal=portal, login=login, sender=sender)


async def _fetch_known(event: WaMessage | WaUndecryptable, scene: Scene, talk: Talk) -> Sequence[MessagePart]:
    """The events that stand for this message already."""
    async with talk.store.reading() as tx:
        parts = await talk.rows.messages.get_parts(tx, scene.portal.id, event.message_id)
    own = [part for part in parts if part.person_id == scene.sender.id]
    # Two logins may know one author by two addresses that nobody has told us belong together.
    at = int(event.timestamp.timestamp())
    return own or [
        part for part in parts if part.login_id != scene.login.id and int(part.sent_at.timestamp()) == at
    ]


async def _send(
    result: MxSend, content: WaContent | WaUndecryptable, told: _Told, fetched: Fetched, talk: Talk
) -> None:
    sent: list[tuple[int, MxEventId]] = []
    for index, part in enumerate(result.parts):
        event_id = await talk.ghosts.send_message(
            told.room_id,
            _quieten(part, told.scene, talk),
            person=told.scene.sender,
            txn_id=told.txn_id(index, "edit" if isinstance(part.relation, MxEdit) else "send"),
            sent_at=told.event.timestamp,
        )
        if not isinstance(part.relation, MxEdit):
            sent.append((index, event_id))
    for index, event_id in enumerate(result.redacts):
        txn_id = told.txn_id(index, "rest")
        await talk.ghosts.send_redaction(told.room_id, event_id, person=told.scene.sender, txn_id=txn_id)
    await _record(sent, content, told, fetched, talk)
    if result.timer_s is not None:
        portal = await talk.portals.get(told.scene.portal.id) or told.scene.portal
        await talk.portals.put(replace(portal, disappearing_seconds=result.timer_s))


def _quieten(part: MxMessageContent, scene: Scene, talk: Talk) -> MxMessageContent:
    """Clients announce no notices; nobody asked for status updates."""
    is_loud = scene.portal.key.chat != STATUS_CHAT or not talk.settings.is_status_quiet
    return part if is_loud or part.msgtype is not MxMsgType.TEXT else replace(part, msgtype=MxMsgType.NOTICE)


async def _record(
    sent: Sequence[tuple[int, MxEventId]],
    content: WaContent | WaUndecryptable,
    told: _Told,
    fetched: Fetched,
    talk: Talk,
) -> None:
    event, scene = told.event, told.scene
    message_id = content.target.message_id if isinstance(content, WaEdit) else event.message_id
    parts = [_part(message_id, index, event_id, content, told) for index, event_id in sent]
    async with talk.store.transaction() as tx:
        await talk.rows.messages.add(tx, parts)
        if fetched.context.placeholder is not None and not isinstance(content, WaUndecryptable):
            await talk.rows.messages.settle_placeholder(tx, scene.portal.id, message_id, scene.sender.id)


def _part(
    message_id: WaMessageId,
    index: int,
    event_id: MxEventId,
    content: WaContent | WaUndecryptable,
    told: _Told,
) -> MessagePart:
    event, scene = told.event, told.scene
    return MessagePart(
        portal_id=scene.portal.id,
        message_id=message_id,
        person_id=scene.sender.id,
        part=index,
        event_id=event_id,
        sender=event.source.sender.bare,
        sent_at=event.timestamp,
        login_id=scene.login.id,
        is_own=event.source.is_from_me,
        is_placeholder=isinstance(content, WaUndecryptable),
    )


async def _react(result: MxReact, told: _Told, fetched: Fetched, talk: Talk) -> None:
    event_id: MxEventId | None = None
    person = told.scene.sender
    if result.redacts is not None:
        txn_id = told.txn_id(0, "unreact")
        await talk.ghosts.send_redaction(told.room_id, result.redacts, person=person, txn_id=txn_id)
    if result.sends is not None:
        event_id = await talk.ghosts.send_reaction(
            told.room_id,
            result.sends,
            person=person,
            txn_id=told.txn_id(0, "react"),
            sent_at=told.event.timestamp,
        )
    target = fetched.targets[0]
    async with talk.store.transaction() as tx:
        if result.redacts is not None:
            await talk.rows.reactions.remove_event(tx, result.redacts)
        if result.sends is not None and event_id is not None:
            row = ReactionRow(
                portal_id=target.portal_id,
                message_id=target.message_id,
                author_id=target.person_id,
                person_id=person.id,
                event_id=event_id,
                key=result.sends.key,
            )
            await talk.rows.reactions.put(tx, row)


async def _redact(result: MxRedact, told: _Told, talk: Talk) -> None:
    """The rows stay: whoever sees the message later, on another login, must not bring it back."""
    for index, event_id in enumerate(result.targets):
        await talk.ghosts.send_redaction(
            told.room_id,
            event_id,
            person=told.scene.sender,
            txn_id=told.txn_id(index, "redact"),
            reason=BY_ADMIN if result.is_by_admin else "",
        )
