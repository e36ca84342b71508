"""Places, contacts, events, invitations and cards as words, and what the words are placed in on Matrix. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, assert_never

from mautrix_whatsapp_py.convert.card_words import ON_PHONE, WRITTEN, tell_card, tell_moment
from mautrix_whatsapp_py.convert.context import ToMatrixContext
from mautrix_whatsapp_py.convert.media import place_file
from mautrix_whatsapp_py.convert.polls import tell_result
from mautrix_whatsapp_py.convert.results import MxSend
from mautrix_whatsapp_py.convert.text import clean, clean_line, clean_name
from mautrix_whatsapp_py.convert.vcard import name_file, tell_contacts
from mautrix_whatsapp_py.model.content import (
    MxGroupInvite,
    MxLocation,
    MxMessageContent,
    MxMsgType,
    MxReply,
    MxThread,
    WaText,
)
from mautrix_whatsapp_py.model.media import MxFile
from mautrix_whatsapp_py.model.rich import (
    WaAlbum,
    WaAnswer,
    WaCard,
    WaComment,
    WaContactCards,
    WaGroupInvite,
    WaLiveLocation,
    WaLocation,
    WaOccasion,
    WaOccasionAnswer,
    WaPollResult,
)

WaTold = (
    WaLocation
    | WaLiveLocation
    | WaContactCards
    | WaPollResult
    | WaGroupInvite
    | WaOccasion
    | WaOccasionAnswer
    | WaAlbum
    | WaComment
    | WaCard
)
"""What comes to words, with something beside them or not."""
_ANSWERS: Final = {WaAnswer.GOING: "✅ Going", WaAnswer.NOT_GOING: "❌ Not going", WaAnswer.MAYBE: "❔ Maybe"}
_MAX_LINE: Final = 500
LIVE_ENDED: Final = "📍 Live location: it ended."


def say(content: WaTold) -> WaText:
    """The words, in WhatsApp's markup."""
    match content:
        case WaLocation():
            return WaText(body=tell_location(content), context=content.context)
        case WaLiveLocation():
            return WaText(body=tell_live(content), context=content.context)
        case WaContactCards():
            return WaText(body=tell_contacts(content), context=content.context)
        case WaPollResult():
            return WaText(body=tell_result(content), context=content.context)
        case WaGroupInvite():
            return WaText(body=tell_invite(content), context=content.context)
        case WaOccasion():
            return WaText(body=tell_occasion(content), context=content.context)
        case WaOccasionAnswer(answer=answer, guests=guests):
            more = "" if not guests else " with 1 guest" if guests == 1 else f" with {guests} guests"
            return WaText(body=f"{_ANSWERS[answer]}{more}")
        case WaAlbum():
            return WaText(body=tell_album(content))
        case WaComment(body=body, context=context):
            return WaText(body=body, context=context)
        case WaCard():
            return WaText(body=tell_card(content), context=content.context)
        case _:
            assert_never(content)


def place(content: WaTold, said: MxSend, context: ToMatrixContext) -> MxSend:
    """The words' events, the first with what Matrix knows of its kind."""
    first = said.parts[0]
    assert isinstance(first, MxMessageContent)
    return replace(said, parts=(_place(content, first, context), *said.parts[1:]))


def _place(content: WaTold, first: MxMessageContent, context: ToMatrixContext) -> MxMessageContent:
    match content:
        case (
            WaLocation(latitude=latitude, longitude=longitude)
            | WaLiveLocation(latitude=latitude, longitude=longitude)
        ):
            at = MxLocation(latitude=latitude, longitude=longitude)
            return replace(first, msgtype=MxMsgType.LOCATION, location=at)
        case WaContactCards() if isinstance(context.file, MxFile):
            return replace(first, msgtype=MxMsgType.FILE, file=context.file, file_name=name_file(content))
        case WaGroupInvite():
            return replace(first, invite=_invite(content, context))
        case WaOccasionAnswer() | WaAlbum():
            return _about(replace(first, msgtype=MxMsgType.NOTICE), context)
        case WaComment():
            return _threaded(first, context)
        case WaCard(media=media) if media is not None:
            return place_file(media, context.file, first, is_edit=context.placeholder is not None)
        case WaCard(kind=kind) if kind not in WRITTEN:
            return replace(first, msgtype=MxMsgType.NOTICE)
        case _:
            return first


def _about(part: MxMessageContent, context: ToMatrixContext) -> MxMessageContent:
    if context.reply_to is None or part.relation is not None:
        return part
    return replace(part, relation=MxReply(event_id=context.reply_to.event_id))


def _threaded(part: MxMessageContent, context: ToMatrixContext) -> MxMessageContent:
    if context.reply_to is None or context.placeholder is not None:
        return part
    return replace(part, relation=MxThread(root=context.reply_to.event_id, reply_to=context.reply_to.event_id))


def _invite(content: WaGroupInvite, context: ToMatrixContext) -> MxGroupInvite:
    return MxGroupInvite(
        group=content.group,
        code=clean(content.code),
        inviter=context.sender,
        expires_at_s=int(content.expires_at.timestamp()) if content.expires_at is not None else 0,
        name=clean_name(content.name),
    )


def tell_location(place: WaLocation) -> str:
    """A place in words; the link opens a map in any client."""
    title = clean_line(place.name, _MAX_LINE) or "Location"
    lines = (
        f"📍 {title}",
        clean_line(place.address, _MAX_LINE),
        clean(place.comment).strip(),
        clean(place.url).strip() or link_to(place.latitude, place.longitude),
    )
    return "\n".join(line for line in lines if line)


def tell_live(place: WaLiveLocation) -> str:
    """Where somebody is, as of this message."""
    caption = clean(place.caption).strip()
    head = "📍 Live location" + (f": {caption}" if caption else "")
    return f"{head}\n{link_to(place.latitude, place.longitude)}"


def link_to(latitude: float, longitude: float) -> str:
    """A map that everybody can open."""
    at = f"{latitude:.5f}/{longitude:.5f}"
    return f"https://www.openstreetmap.org/?mlat={latitude:.5f}&mlon={longitude:.5f}#map=16/{at}"


def tell_invite(invite: WaGroupInvite) -> str:
    """An invitation, and how to accept it."""
    what = "community" if invite.is_community else "group"
    name = clean_name(invite.name) or "(no name)"
    until = f" It expires on {tell_moment(invite.expires_at)}." if invite.expires_at is not None else ""
    blocks = (
        clean(invite.caption).strip(),
        f"👥 Invitation to the {what} *{name}*.{until}",
        "To join, reply to this message with `accept` as a command of the bridge bot.",
    )
    return "\n\n".join(block for block in blocks if block)


def tell_occasion(occasion: WaOccasion) -> str:
    """An event in words."""
    when = " to ".join(tell_moment(at) for at in (occasion.starts_at, occasion.ends_at) if at is not None)
    lines = (
        f"📅 *{clean_line(occasion.name, _MAX_LINE) or 'Event'}*"
        + (" (canceled)" if occasion.is_canceled else ""),
        f"🕒 {when}" if when else "",
        f"📍 {clean_line(occasion.place, _MAX_LINE)}" if occasion.place.strip() else "",
        f"🔗 {clean(occasion.join_link).strip()}" if occasion.join_link.strip() else "",
    )
    head = "\n".join(line for line in lines if line)
    return "\n\n".join(filter(None, (head, clean(occasion.description).strip())))


def tell_album(album: WaAlbum) -> str:
    """What is to follow."""
    parts = [
        f"{count} {name}{'' if count == 1 else 's'}"
        for count, name in ((album.images, "photo"), (album.videos, "video"))
        if count
    ]
    return f"🖼 Album with {' and '.join(parts)}" if parts else f"🖼 Album. {ON_PHONE}"
