"""Content of messages, reactions and redactions out of JSON that strangers wrote."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import MxEventId, MxUri, MxUserId
from mautrix_whatsapp_py.matrix.fields import Fields, get_fields, get_text, is_id
from mautrix_whatsapp_py.matrix.file_content import decode_file
from mautrix_whatsapp_py.matrix.place_content import decode_invite, decode_location
from mautrix_whatsapp_py.model.content import (
    MxEdit,
    MxFlag,
    MxLinkPreview,
    MxMentions,
    MxMessageContent,
    MxMsgType,
    MxPreviewImage,
    MxReactionContent,
    MxRedactionContent,
    MxRelation,
    MxReply,
    MxThread,
)

_HTML = "org.matrix.custom.html"
_VOICE = "org.matrix.msc3245.voice"
_MAX_PREVIEWS = 10


def decode_message(content: Fields, *, is_sticker: bool = False) -> MxMessageContent | None:
    """What a message says; of an edit what it says from now on. None when it says nothing at all."""
    relation = _decode_relation(get_fields(content, "m.relates_to"))
    said = get_fields(content, "m.new_content") if isinstance(relation, MxEdit) else content
    body = get_text(said, "body")
    if body is None:
        return None
    return MxMessageContent(
        msgtype=MxMsgType.STICKER if is_sticker else _decode_msgtype(said),
        body=body,
        html=get_text(said, "formatted_body") if said.get("format") == _HTML else None,
        mentions=_decode_mentions(said),
        relation=relation,
        flags=frozenset({MxFlag.VOICE}) if _VOICE in said else frozenset(),
        link_previews=_decode_previews(said),
        file_name=get_text(said, "filename"),
        file=decode_file(said),
        location=decode_location(said),
        invite=decode_invite(said),
    )


def decode_reaction(content: Fields) -> MxReactionContent | None:
    """An annotation; None when it annotates nothing."""
    relation = get_fields(content, "m.relates_to")
    event_id, key = relation.get("event_id"), get_text(relation, "key")
    if relation.get("rel_type") != "m.annotation" or not is_id(event_id) or not key:
        return None
    return MxReactionContent(event_id=MxEventId(event_id), key=key)


def decode_redaction(fields: Fields) -> MxRedactionContent:
    """A redaction, its target in whichever place it stands."""
    content = get_fields(fields, "content")
    return MxRedactionContent(
        top_level=_decode_event_id(fields.get("redacts")),
        in_content=_decode_event_id(content.get("redacts")),
        reason=get_text(content, "reason") or "",
    )


def _decode_msgtype(content: Fields) -> MxMsgType:
    try:
        return MxMsgType(get_text(content, "msgtype") or "")
    except ValueError:
        return MxMsgType.OTHER


def _decode_event_id(value: object) -> MxEventId | None:
    return MxEventId(value) if is_id(value) else None


def _decode_relation(relation: Fields) -> MxRelation | None:
    event_id = _decode_event_id(relation.get("event_id"))
    reply_to = _decode_event_id(get_fields(relation, "m.in_reply_to").get("event_id"))
    match relation.get("rel_type"):
        case "m.replace" if event_id is not None:
            return MxEdit(event_id=event_id)
        case "m.thread" if event_id is not None:
            is_falling_back = relation.get("is_falling_back") is True
            return MxThread(root=event_id, reply_to=reply_to, is_falling_back=is_falling_back)
        case _:
            return MxReply(event_id=reply_to) if reply_to is not None else None


def _decode_mentions(content: Fields) -> MxMentions | None:
    if "m.mentions" not in content:
        return None
    mentions = get_fields(content, "m.mentions")
    users = mentions.get("user_ids")
    named = frozenset(MxUserId(user) for user in users if is_id(user)) if isinstance(users, list) else frozenset()
    return MxMentions(users=named, room=mentions.get("room") is True)


def _decode_previews(content: Fields) -> tuple[MxLinkPreview, ...]:
    previews = content.get("com.beeper.linkpreviews")
    if not isinstance(previews, list):
        return ()
    decoded = [_decode_preview(preview) for preview in previews[:_MAX_PREVIEWS] if isinstance(preview, dict)]
    return tuple(preview for preview in decoded if preview is not None)


def _decode_preview(preview: Fields) -> MxLinkPreview | None:
    url = get_text(preview, "matched_url")
    if not url:
        return None
    return MxLinkPreview(
        matched_url=url,
        title=get_text(preview, "og:title") or "",
        description=get_text(preview, "og:description") or "",
        image=_decode_preview_image(preview),
    )


def _decode_preview_image(preview: Fields) -> MxPreviewImage | None:
    uri, size = get_text(preview, "og:image"), preview.get("matrix:image:size")
    if not uri:
        return None
    return MxPreviewImage(
        uri=MxUri(uri),
        mime_type=get_text(preview, "og:image:type") or "",
        size_bytes=size if isinstance(size, int) else 0,
    )
