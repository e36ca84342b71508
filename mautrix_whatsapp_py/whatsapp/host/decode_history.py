"""Messages of the past: from the phone's records to the events they would have come as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mautrix_whatsapp_py.ids import LID_SERVER, NEWSLETTER_SERVER, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import WaMessageRef, WaReaction
from mautrix_whatsapp_py.model.rich import WaOccasionAnswer, WaPollVote
from mautrix_whatsapp_py.model.wa import WaMessage, WaSource
from mautrix_whatsapp_py.whatsapp.host.decode import Account
from mautrix_whatsapp_py.whatsapp.host.decode_content import Scene, decode_content
from mautrix_whatsapp_py.whatsapp.host.decode_context import MAX_ID
from mautrix_whatsapp_py.whatsapp.host.decode_rich import to_answer, to_vote
from mautrix_whatsapp_py.whatsapp.host.protobuf import get_address, get_text, get_time_ms

_MAX_EMOJI = 64
_MAX_NAME = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """What is known beside the messages themselves."""

    account: Account
    own_lid: WaJid | None
    get_name: Callable[[WaJid], str]
    get_alias: Callable[[WaJid], WaJid | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    chat: WaJid
    sender: WaJid
    is_from_me: bool


def decode_record(info: Any, chat: WaJid, pages: Pages) -> tuple[WaMessage, ...]:
    """The message of a WebMessageInfo, then what others reacted; nothing when it has nothing to show."""
    place = _place(info.key.fromMe, info.participant or info.key.participant, chat, pages)
    message_id = WaMessageId(get_text(info.key.ID, MAX_ID))
    if place is None or not message_id or not info.HasField("message"):
        return ()
    source = _source(place, pages)
    at = datetime.fromtimestamp(info.messageTimestamp, UTC)
    scene = Scene(
        source=source,
        own=pages.account.own,
        get_secrets=pages.account.get_secrets,
        protobuf=pages.account.protobuf,
    )
    message = WaMessage(
        source=source,
        message_id=message_id,
        timestamp=at,
        content=decode_content(info.message, scene),
        push_name=get_text(info.pushName, _MAX_NAME) or ("" if place.is_from_me else pages.get_name(place.sender)),
        business_name=get_text(info.verifiedBizName, _MAX_NAME),
        server_id=info.newsletterServerID,
    )
    target = WaMessageRef(chat=chat, message_id=message_id, sender=place.sender)
    reactions = [_decode_reaction(item, target, at, pages) for item in info.reactions]
    told = [item for item in reactions if item is not None]
    return (message, *told, *_decode_votes(info, target, at, pages), *_decode_answers(info, target, scene, pages))


def _decode_votes(info: Any, target: WaMessageRef, at: datetime, pages: Pages) -> list[WaMessage]:
    """The last vote of everybody in a poll, in the order in which they were given."""
    found: dict[WaJid, WaMessage] = {}
    for item in sorted(info.pollUpdates, key=lambda one: one.senderTimestampMS):
        said_at = get_time_ms(item.senderTimestampMS) or at
        message = _addition(item.pollUpdateMessageKey, to_vote(item.vote, target), "vote", said_at, pages)
        if message is not None:
            found.pop(message.source.sender, None)
            found[message.source.sender] = message
    return list(found.values())


def _decode_answers(info: Any, target: WaMessageRef, scene: Scene, pages: Pages) -> list[WaMessage]:
    """What people answered to an event."""
    found = []
    for item in info.eventResponses:
        answer = to_answer(item.eventResponseMessage, target, scene)
        at = get_time_ms(item.timestampMS)
        if answer is None or at is None:
            continue
        message = _addition(item.eventResponseMessageKey, answer, "answer", at, pages)
        if message is not None:
            found.append(message)
    return found


def _addition(
    key: Any, content: WaPollVote | WaOccasionAnswer, kind: str, at: datetime, pages: Pages
) -> WaMessage | None:
    """What somebody added to a message; None when nobody is named."""
    target = content.target
    place = _place(key.fromMe, key.participant, target.chat, pages)
    if place is None:
        return None
    return WaMessage(
        source=_source(place, pages),
        message_id=WaMessageId(get_text(key.ID, MAX_ID) or f"{target.message_id}-{kind}-{place.sender.user}"),
        timestamp=at,
        content=content,
        push_name="" if place.is_from_me else pages.get_name(place.sender),
    )


def _decode_reaction(item: Any, target: WaMessageRef, at: datetime, pages: Pages) -> WaMessage | None:
    emoji = get_text(item.text, _MAX_EMOJI)
    place = _place(item.key.fromMe, item.key.participant, target.chat, pages)
    if not emoji or place is None:
        return None
    return WaMessage(
        source=_source(place, pages),
        message_id=WaMessageId(get_text(item.key.ID, MAX_ID) or f"{target.message_id}-{place.sender.user}"),
        timestamp=get_time_ms(item.senderTimestampMS) or at,
        content=WaReaction(target=target, emoji=emoji),
        push_name="" if place.is_from_me else pages.get_name(place.sender),
    )


def _place(is_from_me: bool, participant: str | bytes, chat: WaJid, pages: Pages) -> _Place | None:
    """Who spoke; None where nobody is named who could have."""
    named = get_address(participant) if participant else None
    if is_from_me:
        own = pages.own_lid if chat.server == LID_SERVER and pages.own_lid is not None else pages.account.own
        return _Place(chat=chat, sender=own.bare, is_from_me=True)
    is_shared = chat.is_group or chat.server == "broadcast"
    if named is None and is_shared:
        return None
    sender = chat if chat.server == NEWSLETTER_SERVER or named is None else named
    return _Place(chat=chat, sender=sender, is_from_me=False)


def _source(place: _Place, pages: Pages) -> WaSource:
    is_direct = not place.chat.is_group and place.chat.server not in {NEWSLETTER_SERVER, "broadcast"}
    return WaSource(
        chat=place.chat,
        sender=place.sender,
        sender_alt=None if place.is_from_me else pages.get_alias(place.sender),
        recipient_alt=pages.get_alias(place.chat) if is_direct and place.is_from_me else None,
        is_from_me=place.is_from_me,
        is_group=place.chat.is_group,
        is_lid_addressed=LID_SERVER in (place.chat.server, place.sender.server),
    )
