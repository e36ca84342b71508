"""Places, contacts, polls, events, invitations, pins and albums, from protobuf; nothing raises here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.content import WaContent, WaText
from mautrix_whatsapp_py.model.rich import (
    WaAlbum,
    WaAnswer,
    WaCard,
    WaCardKind,
    WaComment,
    WaContactCards,
    WaGroupInvite,
    WaLiveLocation,
    WaLocation,
    WaOccasion,
    WaOccasionAnswer,
    WaPin,
    WaPoll,
    WaPollResult,
    WaPollVote,
    WaTally,
    WaVcard,
)
from mautrix_whatsapp_py.model.wa_context import WaMessageRef
from mautrix_whatsapp_py.whatsapp.host.decode_context import MAX_TEXT, decode_context, get_part, unwrap
from mautrix_whatsapp_py.whatsapp.host.decode_scene import Scene, decode_target, open_sealed
from mautrix_whatsapp_py.whatsapp.host.protobuf import get_address, get_text
from mautrix_whatsapp_py.whatsapp.host.secrets import SealUse

_MAX_LINE: Final = 2_048
_MAX_VCARDS: Final = 100_000
"""Characters of all cards of a message: they have to fit the socket, whatever they say."""
_MAX_CARDS: Final = 64
_MAX_OPTIONS: Final = 100
_MAX_OPTION: Final = 400
_MAX_NUMBER: Final = 2**31 - 1
_HASH_BYTES: Final = 32
_LATEST_S: Final = 253_402_300_799
"""The last second of the year 9999."""
_ANSWERS: Final = {
    "GOING": WaAnswer.GOING,
    "NOT_GOING": WaAnswer.NOT_GOING,
    "MAYBE": WaAnswer.MAYBE,
}


def decode_rich(name: str, part: Any, scene: Scene) -> WaContent | None:
    """What a content says; None when it is of another kind, or does not name the message it is about."""
    decoder = _DECODERS.get(name)
    return None if decoder is None else decoder(part, scene)


def decode_moment(value: int, *, per_second: int = 1) -> datetime | None:
    """A time in seconds, or in parts of one; None when it is not set or out of all reason."""
    seconds = value / per_second
    return datetime.fromtimestamp(seconds, tz=UTC) if 0 < seconds <= _LATEST_S else None


def _line(text: str | bytes) -> str:
    return get_text(text, _MAX_LINE)


def _degrees(value: float, limit: float) -> float:
    return max(-limit, min(limit, value)) if math.isfinite(value) else 0.0


def _decode_location(part: Any, scene: Scene) -> WaContent:
    latitude, longitude = _degrees(part.degreesLatitude, 90), _degrees(part.degreesLongitude, 180)
    context = decode_context(part, scene.source.chat)
    if part.isLive:
        caption = _line(part.comment) or _line(part.name)
        return WaLiveLocation(latitude=latitude, longitude=longitude, caption=caption, context=context)
    return WaLocation(
        latitude=latitude,
        longitude=longitude,
        name=_line(part.name),
        address=_line(part.address),
        url=_line(part.URL),
        comment=_line(part.comment),
        context=context,
    )


def _decode_live(part: Any, scene: Scene) -> WaContent:
    return WaLiveLocation(
        latitude=_degrees(part.degreesLatitude, 90),
        longitude=_degrees(part.degreesLongitude, 180),
        caption=_line(part.caption),
        sequence=part.sequenceNumber,
        context=decode_context(part, scene.source.chat),
    )


def _decode_contact(part: Any, scene: Scene) -> WaContent:
    return WaContactCards(cards=(_vcard(part, _MAX_VCARDS),), context=decode_context(part, scene.source.chat))


def _decode_contacts(part: Any, scene: Scene) -> WaContent:
    return WaContactCards(
        title=_line(part.displayName),
        cards=_vcards(part.contacts[:_MAX_CARDS]),
        context=decode_context(part, scene.source.chat),
    )


def _vcards(contacts: Iterable[Any]) -> tuple[WaVcard, ...]:
    """A card that does not fit any more comes as its name."""
    found: list[WaVcard] = []
    room = _MAX_VCARDS
    for contact in contacts:
        fits = len(contact.vcard) <= room
        found.append(_vcard(contact, room if fits else 0))
        room -= len(contact.vcard) if fits else 0
    return tuple(found)


def _vcard(contact: Any, limit: int) -> WaVcard:
    return WaVcard(name=get_text(contact.displayName, _MAX_OPTION), text=get_text(contact.vcard, limit))


# Polls


def _decode_poll(part: Any, scene: Scene) -> WaContent:
    return WaPoll(
        question=_line(part.name),
        options=tuple(get_text(option.optionName, _MAX_OPTION) for option in part.options[:_MAX_OPTIONS]),
        selectable=min(part.selectableOptionsCount, _MAX_OPTIONS),
        ends_at=_decode_end(part.endTime),
        is_quiz=scene.protobuf.enum_name(part, "pollType") == "QUIZ",
        context=decode_context(part, scene.source.chat),
    )


def _decode_end(value: int) -> datetime | None:
    # Phones have written it in seconds and in milliseconds.
    return decode_moment(value, per_second=1000 if value > _LATEST_S // 10 else 1)


def _decode_vote(part: Any, scene: Scene) -> WaContent | None:
    target = decode_target(part.pollCreationMessageKey, scene)
    if target is None:
        return None
    vote = open_sealed(
        part.vote, part.pollCreationMessageKey, SealUse.VOTE, scene.protobuf.e2e.PollVoteMessage, scene
    )
    if vote is None:
        return WaCard(kind=WaCardKind.SEALED_VOTE)
    return to_vote(vote, target)


def to_vote(vote: Any, target: WaMessageRef) -> WaPollVote:
    """A vote that is not sealed."""
    digests = (bytes(digest) for digest in vote.selectedOptions[:_MAX_OPTIONS])
    return WaPollVote(target=target, options=tuple(digest for digest in digests if len(digest) == _HASH_BYTES))


def _decode_result(part: Any, scene: Scene) -> WaContent:
    votes = (
        WaTally(option=get_text(vote.optionName, _MAX_OPTION), count=max(vote.optionVoteCount, 0))
        for vote in part.pollVotes[:_MAX_OPTIONS]
    )
    context = decode_context(part, scene.source.chat)
    return WaPollResult(question=_line(part.name), votes=tuple(votes), context=context)


# Groups, events, pins, albums, comments


def _decode_invite(part: Any, scene: Scene) -> WaContent | None:
    group = get_address(part.groupJID)
    if group is None:
        return None
    return WaGroupInvite(
        group=WaJid(user=group.user, server=group.server),
        code=_line(part.inviteCode),
        name=_line(part.groupName),
        caption=get_text(part.caption, MAX_TEXT),
        expires_at=decode_moment(part.inviteExpiration),
        is_community=scene.protobuf.enum_name(part, "groupType") == "PARENT",
        context=decode_context(part, scene.source.chat),
    )


def _decode_occasion(part: Any, scene: Scene) -> WaContent:
    place = ", ".join(filter(None, (_line(part.location.name), _line(part.location.address))))
    return WaOccasion(
        name=_line(part.name),
        description=get_text(part.description, MAX_TEXT),
        starts_at=decode_moment(part.startTime),
        ends_at=decode_moment(part.endTime),
        place=place,
        join_link=_line(part.joinLink),
        is_canceled=part.isCanceled,
        context=decode_context(part, scene.source.chat),
    )


def _decode_answer(part: Any, scene: Scene) -> WaContent | None:
    key = part.eventCreationMessageKey
    target = decode_target(key, scene)
    if target is None:
        return None
    said = open_sealed(part, key, SealUse.EVENT_ANSWER, scene.protobuf.e2e.EventResponseMessage, scene)
    return None if said is None else to_answer(said, target, scene)


def to_answer(said: Any, target: WaMessageRef, scene: Scene) -> WaOccasionAnswer | None:
    """An answer to an event that is not sealed; None when it says nothing."""
    answer = _ANSWERS.get(scene.protobuf.enum_name(said, "response"))
    if answer is None:
        return None
    return WaOccasionAnswer(target=target, answer=answer, guests=min(max(said.extraGuestCount, 0), _MAX_NUMBER))


def _decode_pin(part: Any, scene: Scene) -> WaContent | None:
    target = decode_target(part.key, scene)
    if target is None:
        return None
    return WaPin(target=target, is_pinned=scene.protobuf.enum_name(part, "type") != "UNPIN_FOR_ALL")


def _decode_album(part: Any, _scene: Scene) -> WaContent:
    return WaAlbum(
        images=min(part.expectedImageCount, _MAX_NUMBER), videos=min(part.expectedVideoCount, _MAX_NUMBER)
    )


def _decode_comment(part: Any, scene: Scene) -> WaContent | None:
    return _comment(part.message, part, scene)


def _decode_sealed_comment(part: Any, scene: Scene) -> WaContent | None:
    message = open_sealed(part, part.targetMessageKey, SealUse.COMMENT, scene.protobuf.e2e.Message, scene)
    return None if message is None else _comment(message, part, scene)


def _comment(message: Any, part: Any, scene: Scene) -> WaContent | None:
    target = decode_target(part.targetMessageKey, scene)
    inner, _ = unwrap(message)
    name, said = get_part(inner)
    if target is None or name not in {"conversation", "extendedTextMessage"}:
        return None
    if name == "conversation":
        return WaComment(target=target, body=get_text(said, MAX_TEXT))
    text = WaText(body=get_text(said.text, MAX_TEXT), context=decode_context(said, scene.source.chat))
    return WaComment(target=target, body=text.body, context=text.context)


_DECODERS: Final[dict[str, Callable[[Any, Scene], WaContent | None]]] = {
    "locationMessage": _decode_location,
    "liveLocationMessage": _decode_live,
    "contactMessage": _decode_contact,
    "contactsArrayMessage": _decode_contacts,
    "pollCreationMessage": _decode_poll,
    "pollCreationMessageV2": _decode_poll,
    "pollCreationMessageV3": _decode_poll,
    "pollCreationMessageV5": _decode_poll,
    "pollCreationMessageV6": _decode_poll,
    "pollUpdateMessage": _decode_vote,
    "pollResultSnapshotMessage": _decode_result,
    "pollResultSnapshotMessageV3": _decode_result,
    "groupInviteMessage": _decode_invite,
    "eventMessage": _decode_occasion,
    "encEventResponseMessage": _decode_answer,
    "pinInChatMessage": _decode_pin,
    "albumMessage": _decode_album,
    "commentMessage": _decode_comment,
    "encCommentMessage": _decode_sealed_comment,
}
