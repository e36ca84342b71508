"""Places, contacts, polls, votes, answers and pins: from the model to protobuf."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, assert_never

from mautrix_whatsapp_py.ids import LID_SERVER, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import WaMessageRef, WaRichSendable
from mautrix_whatsapp_py.model.rich import (
    WaAnswer,
    WaContactCards,
    WaLocation,
    WaOccasionAnswer,
    WaPin,
    WaPoll,
    WaPollVote,
)
from mautrix_whatsapp_py.whatsapp.host.encode_context import encode_context
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf
from mautrix_whatsapp_py.whatsapp.host.secrets import Sealed, SealUse, StoredSecret, seal

_ANSWERS: Final = {WaAnswer.GOING: "GOING", WaAnswer.NOT_GOING: "NOT_GOING", WaAnswer.MAYBE: "MAYBE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RichSending:
    """What encoding needs of the place a message goes to."""

    chat: WaJid
    own_pn: WaJid
    own_lid: WaJid | None
    at_ms: int
    get_secrets: Callable[[WaJid, WaMessageId], Sequence[StoredSecret]]
    encode_key: Callable[[Any, WaMessageRef], None]
    """Names another message."""


def encode_rich(content: WaRichSendable, sending: RichSending, protobuf: Protobuf) -> Any:
    """A message; ValueError when it is about one whose secret is not known."""
    message = protobuf.e2e.Message()
    match content:
        case WaLocation():
            _encode_location(message.locationMessage, content, sending, protobuf)
        case WaContactCards():
            _encode_contacts(message, content, sending, protobuf)
        case WaPoll():
            _encode_poll(message, content, sending, protobuf)
        case WaPollVote(target=target, options=options):
            vote = protobuf.e2e.PollVoteMessage(selectedOptions=options)
            sealed = _seal(target, SealUse.VOTE, vote.SerializeToString(), sending)
            update = message.pollUpdateMessage
            sending.encode_key(update.pollCreationMessageKey, target)
            update.vote.encPayload, update.vote.encIV = sealed.payload, sealed.iv
            update.senderTimestampMS = sending.at_ms
        case WaOccasionAnswer(target=target):
            sealed = _seal(target, SealUse.EVENT_ANSWER, _encode_answer(content, sending, protobuf), sending)
            answer = message.encEventResponseMessage
            sending.encode_key(answer.eventCreationMessageKey, target)
            answer.encPayload, answer.encIV = sealed.payload, sealed.iv
        case WaPin():
            _encode_pin(message, content, sending, protobuf)
        case _:
            assert_never(content)
    return message


def _encode_location(part: Any, place: WaLocation, sending: RichSending, protobuf: Protobuf) -> None:
    part.degreesLatitude, part.degreesLongitude = place.latitude, place.longitude
    values = {"name": place.name, "address": place.address, "URL": place.url, "comment": place.comment}
    for name, value in values.items():
        if value:
            setattr(part, name, value)
    encode_context(part, place.context, sending.chat, protobuf)


def _encode_contacts(message: Any, shared: WaContactCards, sending: RichSending, protobuf: Protobuf) -> None:
    if not shared.cards:
        raise ValueError("no contacts")
    if len(shared.cards) == 1 and not shared.title:
        part = message.contactMessage
        part.displayName, part.vcard = shared.cards[0].name, shared.cards[0].text
    else:
        part = message.contactsArrayMessage
        part.displayName = shared.title
        for card in shared.cards:
            part.contacts.add(displayName=card.name, vcard=card.text)
    encode_context(part, shared.context, sending.chat, protobuf)


def _encode_poll(message: Any, poll: WaPoll, sending: RichSending, protobuf: Protobuf) -> None:
    # Phones send polls with one answer in a field of their own.
    part = message.pollCreationMessageV3 if poll.selectable == 1 else message.pollCreationMessage
    part.name = poll.question
    part.selectableOptionsCount = poll.selectable
    for option in poll.options:
        part.options.add(optionName=option)
    if poll.is_quiz:
        part.pollType = protobuf.e2e.QUIZ
    if poll.ends_at is not None:
        part.endTime = int(poll.ends_at.timestamp())
    encode_context(part, poll.context, sending.chat, protobuf)


def _encode_answer(content: WaOccasionAnswer, sending: RichSending, protobuf: Protobuf) -> bytes:
    kind = protobuf.e2e.EventResponseMessage
    answer = kind(response=kind.EventResponseType.Value(_ANSWERS[content.answer]), timestampMS=sending.at_ms)
    if content.guests:
        answer.extraGuestCount = content.guests
    body: bytes = answer.SerializeToString()
    return body


def _encode_pin(message: Any, pin: WaPin, sending: RichSending, protobuf: Protobuf) -> None:
    kind = protobuf.e2e.PinInChatMessage
    part = message.pinInChatMessage
    sending.encode_key(part.key, pin.target)
    part.type = kind.PIN_FOR_ALL if pin.is_pinned else kind.UNPIN_FOR_ALL
    part.senderTimestampMS = sending.at_ms
    message.messageContextInfo.messageAddOnDurationInSecs = pin.seconds if pin.is_pinned else 0


def _seal(target: WaMessageRef, use: SealUse, plain: bytes, sending: RichSending) -> Sealed:
    is_by_lid = target.sender is not None and target.sender.server == LID_SERVER
    actor = sending.own_lid if is_by_lid and sending.own_lid is not None else sending.own_pn
    sealed = seal(
        target.message_id, use, plain, sending.get_secrets(target.chat, target.message_id), actor=actor.bare
    )
    if sealed is None:
        raise ValueError("the secret of that message is not known")
    return sealed
