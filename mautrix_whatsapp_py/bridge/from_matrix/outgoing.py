"""Messages, edits, reactions and redactions on their way to WhatsApp."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

import msgspec

from mautrix_whatsapp_py.bridge.delivery import send_id_of
from mautrix_whatsapp_py.bridge.disappearing import add_disappearing
from mautrix_whatsapp_py.bridge.from_matrix import polls
from mautrix_whatsapp_py.bridge.from_matrix.chooser import note_absence
from mautrix_whatsapp_py.bridge.from_matrix.context import Stage, Target, fetch_context, fetch_target
from mautrix_whatsapp_py.bridge.from_matrix.live_places import ONLY_ONCE, has_begun, is_live
from mautrix_whatsapp_py.bridge.from_matrix.posting import post, refusal_of
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.convert.media import FILE_TYPES, Uploaded
from mautrix_whatsapp_py.convert.needs import needs_of_mx
from mautrix_whatsapp_py.convert.results import Refused, Skipped
from mautrix_whatsapp_py.convert.to_whatsapp import to_whatsapp
from mautrix_whatsapp_py.convert.vcard import MAX_VCARD_BYTES, is_vcard, read_vcards
from mautrix_whatsapp_py.errors import (
    MatrixUnreachable,
    StoreError,
    StoreUnavailable,
    WhatsAppRefused,
    WhatsAppUnavailable,
    WhatsAppUncertain,
)
from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, MxTxnId
from mautrix_whatsapp_py.model.content import (
    MxEdit,
    MxMessageContent,
    MxMsgType,
    MxPollEnd,
    MxPollStart,
    MxPollVote,
    WaReaction,
    WaSendable,
)
from mautrix_whatsapp_py.model.media import MediaUnavailable
from mautrix_whatsapp_py.model.mx import MxMessage, MxPoll, MxReaction, MxRedaction
from mautrix_whatsapp_py.model.portal import MessagePart, OutboxRow, PortalId, ReactionRow, SendState
from mautrix_whatsapp_py.model.rich import WaVcard
from mautrix_whatsapp_py.model.wa_link import WaSendUncertain, WaSent
from mautrix_whatsapp_py.store.store import Tx

log = logging.getLogger(__name__)

MxOutgoing: TypeAlias = MxMessage | MxReaction | MxRedaction | MxPoll
NOT_A_MEMBER: Final = "not-a-member"
_POLL_WORDS: Final = {MxPollStart: "poll", MxPollVote: "vote", MxPollEnd: "end of the poll"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """An event for WhatsApp and the inbox row it is stored in."""

    event: MxOutgoing
    seq: InboxSeq

    @property
    def what(self) -> str:
        """What its writer calls it."""
        match self.event:
            case MxReaction():
                return "reaction"
            case MxPoll(content=said):
                return _POLL_WORDS[type(said)]
            case MxRedaction():
                return "redaction"
            case MxMessage(content=content):
                return "edit" if isinstance(content.relation, MxEdit) else "message"


def stands_alone(letter: Letter, portal_id: PortalId, talk: Talk) -> bool:
    """Whether it can be sent before what came before it in its chat is recorded."""
    needs = needs_of_mx(letter.event.content)
    if needs.target is not None or not isinstance(letter.event, MxMessage):
        return False
    replied = () if needs.reply_to is None else (needs.reply_to,)
    return talk.records.may_pass(portal_id, (letter.event.origin.event_id, *replied))


async def handle(letter: Letter, stage: Stage, talk: Talk, on_settled: Callable[[], None]) -> bool:
    """Send it and record what became of it; false when it has to wait for WhatsApp.

    `on_settled` is called once nothing will be asked about it any more.
    """
    refusal = refusal_of(stage)
    letter = _as_picture(letter, stage)
    if refusal is not None:
        await _give_up(letter, refusal, talk)
        on_settled()
        return True
    if await has_begun(letter.event, talk):
        await drop(letter, talk)
        on_settled()
        return True
    target = await fetch_target(letter.event.content, stage, talk)
    try:
        parcel = await _fetch_parcel(letter, target, stage, talk)
    except (WhatsAppUnavailable, WhatsAppUncertain):
        # Whether it may go at all is only known there.
        return await _wait(letter, talk)
    except MatrixUnreachable:
        if not has_file(letter):
            raise
        return await _wait(letter, talk)
    except WhatsAppRefused as error:
        log.info("WhatsApp refused a file: %s", error.code)
        await _give_up(letter, notices.REFUSED, talk)
        parcel = None
    if parcel is None:
        on_settled()
        return True
    row, content = parcel
    client = talk.network.get_client(stage.login.id)
    if client is None or not client.state.is_usable:
        return await _wait(letter, talk)
    talk.open_sends.leave(row.send_id)
    try:
        outcome = await post(content, row, stage, client, talk)
    except (WhatsAppUnavailable, WhatsAppUncertain):
        # The send id makes asking again safe: what was sent is not sent twice.
        return await _wait(letter, talk)
    except WhatsAppRefused as error:
        log.info("WhatsApp refused an event: %s", error.code)
        await _give_up(letter, await _explain_refusal(error, stage, talk), talk)
        on_settled()
        return True
    if isinstance(outcome, WaSent) and isinstance(letter.event, MxMessage) and target.part is None:
        _record_beside(outcome, letter, stage, talk, on_settled)
        return True
    await _record(outcome, content, letter, target, stage, talk)
    on_settled()
    return True


async def _explain_refusal(error: WhatsAppRefused, stage: Stage, talk: Talk) -> str:
    """Why WhatsApp took nothing; of an account that is in the group no more, the next message knows it."""
    if error.code != NOT_A_MEMBER:
        return notices.REFUSED
    await note_absence(stage.login, stage.portal, talk)
    return notices.NOT_IN_GROUP.format(number=stage.login.number)


def _as_picture(letter: Letter, stage: Stage) -> Letter:
    """A sticker that an account sends for somebody else is a picture, which can say whose it is."""
    event = letter.event
    if (
        stage.relaying is None
        or not isinstance(event, MxMessage)
        or event.content.msgtype is not MxMsgType.STICKER
    ):
        return letter
    return replace(letter, event=replace(event, content=replace(event.content, msgtype=MxMsgType.IMAGE)))


def _record_beside(
    outcome: WaSent, letter: Letter, stage: Stage, talk: Talk, on_settled: Callable[[], None]
) -> None:
    """Record a new message while the next one of its chat is under way."""
    origin, part = letter.event.origin, _part(outcome, letter, stage, talk)
    send_id = send_id_of(origin.event_id)

    async def record(tx: Tx) -> None:
        await talk.rows.messages.add(tx, [part])
        await _add_timer(tx, letter, stage, talk)
        await talk.rows.outbox.remove(tx, send_id)
        await talk.rows.inbox.mark_handled(tx, letter.seq)

    async def write() -> None:
        try:
            await talk.store.write(record, is_patient=True)
            talk.open_sends.remove(send_id)
        except StoreUnavailable:
            raise
        except StoreError:
            # It was sent, which asking again at every start would not change.
            log.exception("a message that was sent could not be recorded")
            await drop(letter, talk)

    talk.records.start(
        stage.portal.id,
        (outcome.message_id, origin.event_id),
        write,
        on_settled,
        clock=talk.clock,
        then=partial(talk.delivery.sent, origin),
    )


async def _add_timer(tx: Tx, letter: Letter, stage: Stage, talk: Talk) -> None:
    """Messages, edits and polls go when the chat's timer has run out since WhatsApp had them."""
    if isinstance(letter.event, MxMessage) or isinstance(letter.event.content, MxPollStart):
        origin = letter.event.origin
        timers = [(origin.event_id, stage.portal.disappearing_seconds)]
        await add_disappearing(tx, timers, room_id=origin.room_id, sent_at=talk.clock.now(), talk=talk)


async def drop(letter: Letter, talk: Talk) -> None:
    """Forget it: nothing is to be sent."""
    await forget(letter.event.origin.event_id, letter.seq, talk)


async def forget(event_id: MxEventId, seq: InboxSeq, talk: Talk) -> None:
    """Forget an event of which nothing is to be sent."""
    send_id = send_id_of(event_id)

    async def remove(tx: Tx) -> None:
        await talk.rows.outbox.remove(tx, send_id)
        await talk.rows.inbox.mark_handled(tx, seq)

    await talk.store.write(remove)
    talk.open_sends.remove(send_id)


async def _wait(letter: Letter, talk: Talk) -> bool:
    """Whether it has waited for too long, so that nothing more is to be done."""
    if talk.clock.now() - letter.event.origin.sent_at <= talk.settings.outbox_expiry:
        return False
    await _give_up(letter, notices.EXPIRED, talk)
    return True


async def _give_up(letter: Letter, sentence: str, talk: Talk) -> None:
    await talk.delivery.failed(letter.event.origin, what=letter.what, sentence=sentence)
    await drop(letter, talk)


async def _fetch_parcel(
    letter: Letter, target: Target, stage: Stage, talk: Talk
) -> tuple[OutboxRow, WaSendable] | None:
    """Its place in the outbox, which an earlier try may have made, and what it says; None when that is nothing."""
    origin = letter.event.origin
    send_id = send_id_of(origin.event_id)
    begun = talk.open_sends.get_begun(send_id)
    if begun is None and talk.open_sends.may_exist(send_id):
        begun = await talk.store.read(lambda tx: talk.rows.outbox.get(tx, send_id))
        if begun is not None and begun.content:
            return begun, msgspec.msgpack.decode(begun.content, type=WaSendable)
    if is_live(letter.event.content):
        await talk.delivery.remark(origin, ONLY_ONCE)
    context = await fetch_context(letter.event.content, origin, target, stage, talk)
    context = replace(context, poll=await polls.fetch_known(letter.event.content, target, stage, talk))
    cards = await _read_cards(letter, talk)
    if cards:
        context = replace(context, cards=cards)
    elif has_file(letter):
        uploaded = await _upload(letter, stage, talk)
        if isinstance(uploaded, MediaUnavailable):
            await _give_up(letter, uploaded.sentence, talk)
            return None
        if uploaded.note:
            await talk.delivery.remark(origin, uploaded.note)
        context = replace(context, uploaded=uploaded)
    result = to_whatsapp(letter.event.content, context)
    if isinstance(result, Skipped):
        await drop(letter, talk)
        return None
    if isinstance(result, Refused):
        await _give_up(letter, result.sentence, talk)
        return None
    if begun is not None and begun.login_id == stage.login.id and _is_repeatable(letter, target):
        return begun, result.content
    new = OutboxRow(
        send_id=send_id,
        portal_id=stage.portal.id,
        login_id=stage.login.id,
        event_id=origin.event_id,
        inbox_seq=letter.seq,
        secret=talk.new_secret(),
        content=msgspec.msgpack.encode(result.content),
        created_at=talk.clock.now(),
    )
    talk.open_sends.add(send_id)
    row = await talk.store.write(lambda tx: talk.rows.outbox.fill(tx, new))
    return row, msgspec.msgpack.decode(row.content, type=WaSendable)


def _is_repeatable(letter: Letter, target: Target) -> bool:
    """Whether the same is said whenever it is made of the event, so that it need not be kept for another try."""
    is_alone = needs_of_mx(letter.event.content).target is None and target.part is None
    return isinstance(letter.event, MxMessage) and is_alone and not has_file(letter)


def has_file(letter: Letter) -> bool:
    """Whether a file has to be brought to WhatsApp before."""
    content = letter.event.content
    return (
        isinstance(content, MxMessageContent)
        and content.file is not None
        and content.msgtype in FILE_TYPES
        and not isinstance(content.relation, MxEdit)
    )


async def _read_cards(letter: Letter, talk: Talk) -> tuple[WaVcard, ...]:
    """The contacts in a file; none when it is anything else, or cannot be read here."""
    content = letter.event.content
    if not has_file(letter) or not isinstance(content, MxMessageContent) or content.file is None:
        return ()
    if not is_vcard(content.file.mime_type, content.file_name or content.body):
        return ()
    data = await talk.small_files.read(content.file, max_bytes=MAX_VCARD_BYTES)
    return () if isinstance(data, MediaUnavailable) else read_vcards(data)


async def _upload(letter: Letter, stage: Stage, talk: Talk) -> Uploaded | MediaUnavailable:
    client = talk.network.get_client(stage.login.id)
    if client is None or not client.state.is_usable:
        raise WhatsAppUnavailable
    assert isinstance(letter.event.content, MxMessageContent)
    return await talk.uploads.get(letter.event.origin.event_id, letter.event.content, client)


async def _record(
    outcome: WaSent | WaSendUncertain,
    content: WaSendable,
    letter: Letter,
    target: Target,
    stage: Stage,
    talk: Talk,
) -> None:
    origin = letter.event.origin
    before = await _replace_reaction(content, letter, target, stage, talk)
    if isinstance(outcome, WaSendUncertain):
        await talk.delivery.uncertain(origin, what=letter.what)
    send_id = send_id_of(origin.event_id)
    part = _part(outcome, letter, stage, talk)

    async def record(tx: Tx) -> None:
        await talk.rows.messages.add(tx, [part])
        await _add_timer(tx, letter, stage, talk)
        await polls.record(tx, letter.event.content, content, part, target, talk)
        if before is not None:
            await talk.rows.reactions.remove_event(tx, before.event_id)
        is_reaction = isinstance(content, WaReaction)
        if is_reaction and isinstance(letter.event, MxReaction) and target.part is not None:
            await talk.rows.reactions.put(tx, _reaction(letter.event, target.part, stage))
        if isinstance(outcome, WaSent):
            await talk.rows.outbox.remove(tx, send_id)
        else:
            await talk.rows.outbox.set_state(tx, send_id, SendState.UNCERTAIN)
        await talk.rows.inbox.mark_handled(tx, letter.seq)

    await talk.store.write(record)
    if isinstance(outcome, WaSent):
        await talk.delivery.sent(origin)
    await polls.show(content, origin, target, talk)


async def _replace_reaction(
    content: WaSendable, letter: Letter, target: Target, stage: Stage, talk: Talk
) -> ReactionRow | None:
    """The reaction that is gone now; WhatsApp keeps one per person, so its event goes too."""
    if not isinstance(content, WaReaction) or target.part is None:
        return None
    part = target.part
    async with talk.store.reading() as tx:
        before = await talk.rows.reactions.get(tx, part.portal_id, part.message_id, part.person_id, stage.own.id)
    if before is None or before.event_id == letter.event.origin.event_id:
        return None
    if isinstance(letter.event, MxReaction):
        txn_id = MxTxnId(f"replaced-{before.event_id}")
        room_id = letter.event.origin.room_id
        await talk.ghosts.send_bot_redaction(room_id, before.event_id, txn_id=txn_id)
    return before


def _part(outcome: WaSent | WaSendUncertain, letter: Letter, stage: Stage, talk: Talk) -> MessagePart:
    sender = outcome.sender if isinstance(outcome, WaSent) else None
    return MessagePart(
        portal_id=stage.portal.id,
        message_id=outcome.message_id,
        person_id=stage.own.id,
        event_id=letter.event.origin.event_id,
        sender=(sender or stage.own.jid(is_lid_addressed=stage.portal.is_lid_addressed)).bare,
        sent_at=outcome.timestamp if isinstance(outcome, WaSent) else talk.clock.now(),
        login_id=stage.login.id,
        is_own=True,
    )


def _reaction(event: MxReaction, target: MessagePart, stage: Stage) -> ReactionRow:
    return ReactionRow(
        portal_id=target.portal_id,
        message_id=target.message_id,
        author_id=target.person_id,
        person_id=stage.own.id,
        event_id=event.origin.event_id,
        key=event.content.key,
    )
