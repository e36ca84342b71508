"""Content of messages and reactions as Matrix JSON."""

from __future__ import annotations

from typing import Any, assert_never

from mautrix_whatsapp_py.matrix.file_content import encode_file
from mautrix_whatsapp_py.matrix.place_content import encode_invite, encode_location
from mautrix_whatsapp_py.matrix.poll_content import encode_poll_start
from mautrix_whatsapp_py.model.content import (
    MxEdit,
    MxFlag,
    MxLinkPreview,
    MxMentions,
    MxMessageContent,
    MxMsgType,
    MxReactionContent,
    MxRelation,
    MxReply,
    MxThread,
)

Json = dict[str, Any]

_FLAGS: dict[MxFlag, Json] = {
    MxFlag.FORWARDED: {"net.mautrix_whatsapp_py.forwarded": True},
    MxFlag.UNDECRYPTABLE: {"fi.mau.whatsapp.undecryptable": True},
    MxFlag.VIEW_ONCE: {"net.mautrix_whatsapp_py.view_once": True},
    MxFlag.UNSUPPORTED: {"net.mautrix_whatsapp_py.unsupported": True},
    MxFlag.DELETED: {"net.mautrix_whatsapp_py.deleted": True},
    MxFlag.VOICE: {"org.matrix.msc3245.voice": {}},
    MxFlag.HIDES_EDITED: {"com.beeper.dont_render_edited": True},
    MxFlag.LIVE: {},
}


def encode_message(content: MxMessageContent) -> Json:
    """Content of an `m.room.message`; every one says whom it mentions, even nobody."""
    said = _encode_said(content)
    relation = content.relation
    if not isinstance(relation, MxEdit):
        if relation is not None:
            said["m.relates_to"] = _encode_relation(relation)
        return said
    fallback: Json = {
        "msgtype": said["msgtype"],
        "body": f"* {content.body}",
        "m.mentions": _encode_mentions(relation.notifies),
        "m.new_content": said,
        "m.relates_to": _encode_relation(relation),
    }
    if content.html is not None:
        fallback |= {"format": said["format"], "formatted_body": f"* {content.html}"}
    if MxFlag.HIDES_EDITED in content.flags:
        fallback |= _FLAGS[MxFlag.HIDES_EDITED]
    return fallback


def encode_reaction(content: MxReactionContent) -> Json:
    """Content of an `m.reaction`."""
    return {"m.relates_to": {"rel_type": "m.annotation", "event_id": content.event_id, "key": content.key}}


def _encode_said(content: MxMessageContent) -> Json:
    msgtype = MxMsgType.TEXT if content.msgtype is MxMsgType.OTHER else content.msgtype
    said: Json = {
        "msgtype": msgtype.value,
        "body": content.body,
        "m.mentions": _encode_mentions(content.mentions or MxMentions()),
    }
    if content.html is not None:
        said |= {"format": "org.matrix.custom.html", "formatted_body": content.html}
    for flag in sorted(content.flags):
        said |= _FLAGS[flag]
    if content.file is not None:
        said |= encode_file(content.file, is_audio=msgtype is MxMsgType.AUDIO)
    if content.file_name is not None:
        said["filename"] = content.file_name
    if content.location is not None:
        said |= encode_location(content.location, content.body)
    if content.invite is not None:
        said |= encode_invite(content.invite)
    if content.poll is not None:
        said = encode_poll_start(content.poll) | said
    if content.album is not None:
        said["net.mautrix_whatsapp_py.album"] = {"head": content.album}
    if content.link_previews:
        said["com.beeper.linkpreviews"] = [_encode_preview(preview) for preview in content.link_previews]
    if content.disappears_after_s:
        timer = {"type": "after_send", "timer": content.disappears_after_s * 1000}
        said["com.beeper.disappearing_timer"] = timer
    return said


def _encode_mentions(mentions: MxMentions) -> Json:
    encoded: Json = {}
    if mentions.users:
        encoded["user_ids"] = sorted(mentions.users)
    if mentions.room:
        encoded["room"] = True
    return encoded


def _encode_relation(relation: MxRelation) -> Json:
    match relation:
        case MxReply():
            return {"m.in_reply_to": {"event_id": relation.event_id}}
        case MxThread():
            encoded: Json = {
                "rel_type": "m.thread",
                "event_id": relation.root,
                "is_falling_back": relation.is_falling_back,
            }
            if relation.reply_to is not None:
                encoded["m.in_reply_to"] = {"event_id": relation.reply_to}
            return encoded
        case MxEdit():
            return {"rel_type": "m.replace", "event_id": relation.event_id}
        case _:
            assert_never(relation)


def _encode_preview(preview: MxLinkPreview) -> Json:
    encoded: Json = {
        "matched_url": preview.matched_url,
        "og:url": preview.matched_url,
        "og:title": preview.title,
        "og:description": preview.description,
    }
    if preview.image is not None:
        encoded |= {
            "og:image": preview.image.uri,
            "og:image:type": preview.image.mime_type,
            "matrix:image:size": preview.image.size_bytes,
        }
    return encoded
