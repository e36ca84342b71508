"""Messages of every kind, edits, deletions and reactions from WhatsApp."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from functools import partial

import msgspec

from mautrix_whatsapp_py.bridge.disappearing import add_disappearing, set_timer, shown_timer
from mautrix_whatsapp_py.bridge.from_whatsapp import rich, timer
from mautrix_whatsapp_py.bridge.from_whatsapp.channels import channel_author
from mautrix_whatsapp_py.bridge.from_whatsapp.context import Fetched, fetch_context
from mautrix_whatsapp_py.bridge.from_whatsapp.echo import is_echo
from mautrix_whatsapp_py.bridge.from_whatsapp.fetching import take_file
from mautrix_whatsapp_py.bridge.from_whatsapp.scene import (
    STATUS_CHAT,
    Scene,
    TargetUnknown,
    double_of,
    is_lid_addressed,
)
from mautrix_whatsapp_py.bridge.from_whatsapp.told import Told
from mautrix_whatsapp_py.bridge.groups import ensure_described
from mautrix_whatsapp_py.bridge.persons import is_person, name_rank_of
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert.needs import file_of, needs_of_wa
from mautrix_whatsapp_py.convert.results import MxReact, MxRedact, MxSend, Skipped, SkipReason
from mautrix_whatsapp_py.convert.to_matrix import to_matrix
from mautrix_whatsapp_py.ids import NEWSLETTER_SERVER, MxEventId
from mautrix_whatsapp_py.model.content import MxEdit, MxMessageContent, MxMsgType, WaContent, WaEdit, WaSilent
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.media import MediaUnavailable, MxFile, WaMedia
from mautrix_whatsapp_py.model.missing import MissingFile
from mautrix_whatsapp_py.model.portal import MessagePart, Portal, PortalId, ReactionRow
from mautrix_whatsapp_py.model.wa import WaEvent, WaMessage, WaUndecryptable
from mautrix_whatsapp_py.store.store import Tx

log = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(seconds=30)
"""How long after it failed a file is tried again."""
BY_ADMIN = "Deleted by an admin of the group"
_COMING = MediaUnavailable(sentence="", is_coming=True, may_be_retried=False)


class Way(Enum):
    """How a message comes into its room."""

    LIVE = "live"
    PAST = "past"
    """Before its user is called, its file later, its timer no news."""
    PAST_FILE = "past-file"
    """The file of one that came before."""


@dataclass(slots=True, kw_only=True)
class _Sent:
    """The events that a message came to: those that stand for its parts, and which go after how many seconds."""

    parts: list[tuple[int, MxEventId]] = field(default_factory=list)
    timers: list[tuple[MxEventId, int | None]] = field(default_factory=list)

    def add(self, index: int, event_id: MxEventId, part: MxMessageContent) -> None:
        timer_s = part.disappears_after_s
        self.timers.append((event_id, timer_s))
        if isinstance(part.relation, MxEdit):
            # An edit says again what the event says: both go. An earlier time stays.
            self.timers.append((part.relation.event_id, timer_s))
        else:
            self.parts.append((index, event_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What came of a message."""

    has_come: bool = False
    """Whether there is one now that others may have waited for."""
    write: Callable[[], Awaitable[None]] | None = None
    """What is left to do before the message may be forgotten; the next one of its chat need not wait for it."""
    names: tuple[str, ...] = ()
    """Ids of the message and its events."""
    is_waiting_file: bool = False
    """Whether its file is still to come."""


async def handle(
    event: WaMessage | WaUndecryptable,
    portal: Portal,
    login: Login,
    talk: Talk,
    *,
    way: Way = Way.LIVE,
    file: MxFile | MediaUnavailable | None = None,
) -> Handled:
    """Bring a message into its room, with its file where that is here already.

    Raises TargetUnknown when it is about a message that is not here.
    """
    content = event.content if isinstance(event, WaMessage) else event
    if isinstance(content, WaSilent) or (isinstance(content, WaUndecryptable) and content.is_to_be_hidden):
        return Handled()
    scene = await set_scene(event, portal, login, talk)
    if scene is None:
        return Handled()
    scene = replace(scene, is_past=way is not Way.LIVE)
    known = await _fetch_known(event, scene, talk)
    placeholder = next((part.event_id for part in known if part.is_placeholder), None)
    if known and scene.portal.person_id is None:
        # Another login may have brought it here first, and its user alone was invited.
        await talk.rooms.ensure_room(scene.portal, login, is_quiet=way is not Way.LIVE)
    is_waiting_file = way is Way.PAST and file_of(content) is not None
    if (known and (placeholder is None or is_waiting_file)) or await is_echo(event, scene, talk):
        return Handled(is_waiting_file=is_waiting_file and placeholder is not None)
    content = await rich.with_caption_once(content, event.message_id, scene, talk)
    file = _COMING if is_waiting_file else file or await take_file(event, scene.portal, talk)
    fetched = await fetch_context(content, event.source, scene, talk, placeholder=placeholder, file=file)
    result = to_matrix(content, fetched.context)
    if isinstance(result, Skipped):
        if result.reason is SkipReason.TARGET_UNKNOWN:
            raise TargetUnknown
        return Handled()
    described = await ensure_described(scene.portal, login, talk)
    room_id = await talk.rooms.ensure_room(described, login, is_quiet=way is not Way.LIVE)
    told = Told(event=event, scene=scene, room_id=room_id, is_waiting_file=is_waiting_file)
    match result:
        case MxSend():
            return await _send(result, content, told, fetched, talk)
        case MxReact():
            await _react(result, told, fetched, talk)
        case MxRedact():
            await _redact(result, told, fetched, talk)
        case _:
            return Handled(has_come=await rich.show(result, told, fetched, talk))
    return Handled()


def stands_alone(event: WaEvent, portal_id: PortalId, talk: Talk) -> bool:
    """Whether it can be handled before what came before it in its chat is recorded."""
    if not isinstance(event, WaMessage) or isinstance(event.content, WaEdit):
        return False
    needs = needs_of_wa(event.content, event.source.chat)
    replied = () if needs.reply_to is None else (needs.reply_to.message_id,)
    media = event.content if isinstance(event.content, WaMedia) else None
    album = () if media is None or media.context.album is None else (media.context.album,)
    return needs.target is None and talk.records.may_pass(portal_id, (event.message_id, *replied, *album))


async def set_scene(event: WaMessage | WaUndecryptable, portal: Portal, login: Login, talk: Talk) -> Scene | None:
    """Who said it and where; None when nobody of whom Matrix could be told."""
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
    rows, portal_id = talk.rows.messages, scene.portal.id
    # What we sent ourselves comes back only where somebody else has a hand in it.
    if _comes_once(event) and rows.newest.is_new(portal_id, event.timestamp, event.message_id):
        return ()
    parts = await talk.store.read(lambda tx: rows.look_for(tx, portal_id, event.message_id))
    own = [part for part in parts if part.person_id == scene.sender.id]
    # Two logins may know one author by two addresses that nobody has told us belong together.
    at = int(event.timestamp.timestamp())
    return own or [
        part for part in parts if part.login_id != scene.login.id and int(part.sent_at.timestamp()) == at
    ]


def _comes_once(event: WaMessage | WaUndecryptable) -> bool:
    """Whether it has the same time whenever it comes: what is sent again has a time of its own."""
    return isinstance(event, WaMessage) and not (event.source.is_from_me or event.retry_count)


async def _send(
    result: MxSend, content: WaContent | WaUndecryptable, told: Told, fetched: Fetched, talk: Talk
) -> Handled:
    sent = _Sent()
    for index, part in enumerate(result.parts):
        event_id = await talk.ghosts.send_message(
            told.room_id,
            _quieten(shown_timer(part, talk), told.scene, talk),
            person=told.scene.sender,
            txn_id=told.txn_id(index, "edit" if isinstance(part.relation, MxEdit) else "send"),
            sent_at=told.event.timestamp,
            double=double_of(told.scene, talk),
        )
        sent.add(index, event_id, part)
    for index, event_id in enumerate(result.redacts):
        txn_id, double = told.txn_id(index, "rest"), double_of(told.scene, talk)
        await talk.ghosts.send_redaction(
            told.room_id, event_id, person=told.scene.sender, txn_id=txn_id, double=double
        )
    write = partial(_record, sent, content, told, fetched, talk)
    names = (told.event.message_id, *(event_id for _, event_id in sent.parts))
    is_plain = not (result.redacts or fetched.context.placeholder or isinstance(content, WaEdit | WaUndecryptable))
    timer_s = result.parts[0].disappears_after_s
    if is_plain and result.timer_s is None and timer_s in (None, told.scene.portal.disappearing_seconds):
        return Handled(
            has_come=True,
            write=partial(write, is_patient=True),
            names=names,
            is_waiting_file=told.is_waiting_file,
        )
    await write()
    if told.scene.is_past:
        return Handled(has_come=True, is_waiting_file=told.is_waiting_file)
    if result.timer_s is not None:
        await set_timer(told.scene.portal, result.timer_s, talk)
    elif not isinstance(content, WaEdit):
        await timer.learn(timer_s, told.event, told.scene, talk)
    return Handled(has_come=True)


def _quieten(part: MxMessageContent, scene: Scene, talk: Talk) -> MxMessageContent:
    """Clients announce no notices; nobody asked for status updates."""
    is_loud = scene.portal.key.chat != STATUS_CHAT or not talk.settings.is_status_quiet
    return part if is_loud or part.msgtype is not MxMsgType.TEXT else replace(part, msgtype=MxMsgType.NOTICE)


async def _record(
    sent: _Sent,
    content: WaContent | WaUndecryptable,
    told: Told,
    fetched: Fetched,
    talk: Talk,
    *,
    is_patient: bool = False,
) -> None:
    event, scene = told.event, told.scene
    message_id = content.target.message_id if isinstance(content, WaEdit) else event.message_id
    is_placeholder = isinstance(content, WaUndecryptable) or told.is_waiting_file
    parts = [
        told.part(index, event_id, message_id=message_id, is_placeholder=is_placeholder)
        for index, event_id in sent.parts
    ]

    missing = _missing_file(sent, told, fetched, talk)

    async def record(tx: Tx) -> None:
        # Who wrote may have turned out to be somebody else since.
        sender = talk.persons.get_current(scene.sender.id)
        await talk.rows.messages.add(tx, [replace(part, person_id=sender) for part in parts])
        await add_disappearing(tx, sent.timers, room_id=told.room_id, sent_at=event.timestamp, talk=talk)
        if fetched.context.placeholder is not None and not isinstance(content, WaUndecryptable):
            await talk.rows.messages.settle_placeholder(tx, scene.portal.id, message_id, sender)
        if missing is not None:
            await talk.rows.missing.add(tx, missing)

    await talk.store.write(record, is_patient=is_patient)


def _missing_file(sent: _Sent, told: Told, fetched: Fetched, talk: Talk) -> MissingFile | None:
    """What it takes to try again what a notice stands for."""
    failure = fetched.context.file
    event_id = sent.parts[0][1] if sent.parts else fetched.context.placeholder
    if not isinstance(failure, MediaUnavailable) or not failure.may_be_retried or event_id is None:
        return None
    now = talk.clock.now()
    return MissingFile(
        event_id=event_id,
        portal_id=told.scene.portal.id,
        login_id=told.scene.login.id,
        message=msgspec.msgpack.encode(told.event),
        next_at=now + FIRST_PAUSE if failure.is_passing else None,
        created_at=now,
    )


async def _react(result: MxReact, told: Told, fetched: Fetched, talk: Talk) -> None:
    event_id: MxEventId | None = None
    person, double = told.scene.sender, double_of(told.scene, talk)
    if result.redacts is not None:
        txn_id = told.txn_id(0, "unreact")
        await talk.ghosts.send_redaction(told.room_id, result.redacts, person=person, txn_id=txn_id, double=double)
    if result.sends is not None:
        event_id = await talk.ghosts.send_reaction(
            told.room_id,
            result.sends,
            person=person,
            txn_id=told.txn_id(0, "react"),
            sent_at=told.event.timestamp,
            double=double,
        )
    target = fetched.targets[0]
    async with talk.store.transaction() as tx:
        if result.redacts is not None:
            await talk.rows.reactions.remove_event(tx, result.redacts)
        if result.sends is not None and event_id is not None:
            row = ReactionRow(
                portal_id=target.portal_id,
                message_id=target.message_id,
                author_id=talk.persons.get_current(target.person_id),
                person_id=talk.persons.get_current(person.id),
                event_id=event_id,
                key=result.sends.key,
            )
            await talk.rows.reactions.put(tx, row)


async def _redact(result: MxRedact, told: Told, fetched: Fetched, talk: Talk) -> None:
    """The rows stay: whoever sees the message later, on another login, must not bring it back."""
    for part in fetched.targets:
        if part.is_placeholder:
            # What it stands for must not come any more.
            await talk.store.write(partial(_settle, part, talk))
    for index, event_id in enumerate(result.targets):
        await talk.ghosts.send_redaction(
            told.room_id,
            event_id,
            person=told.scene.sender,
            txn_id=told.txn_id(index, "redact"),
            reason=BY_ADMIN if result.is_by_admin else "",
            double=double_of(told.scene, talk),
        )


async def _settle(part: MessagePart, talk: Talk, tx: Tx) -> None:
    await talk.rows.messages.settle_placeholder(tx, part.portal_id, part.message_id, part.person_id)
