"""What the bridge says, as Matrix event content."""

from __future__ import annotations

from typing import Any

from mautrix_whatsapp_py.matrix.file_content import encode_key
from mautrix_whatsapp_py.model.media import MxFileKey
from mautrix_whatsapp_py.model.mx import MxNotice, MxPicture

Json = dict[str, Any]


def encode_notice(notice: MxNotice) -> Json:
    """Content of an `m.room.message`; it mentions nobody."""
    said = _encode_text(notice.body, notice.html)
    if notice.edits is not None:
        fallback = _encode_text(f"* {notice.body}", f"* {notice.html}" if notice.html is not None else None)
        relation = {"rel_type": "m.replace", "event_id": notice.edits}
        return {**fallback, "m.new_content": said, "m.relates_to": relation}
    if notice.reply_to is not None:
        said["m.relates_to"] = {"m.in_reply_to": {"event_id": notice.reply_to}}
    return said


def _encode_text(body: str, html: str | None) -> Json:
    content: Json = {"msgtype": "m.notice", "body": body, "m.mentions": {}}
    if html is not None:
        content |= {"format": "org.matrix.custom.html", "formatted_body": html}
    return content


def encode_picture(picture: MxPicture, key: MxFileKey | None = None) -> Json:
    """Content of an `m.room.message` with an image, which the key opens."""
    shown: Json = {
        "msgtype": "m.image",
        "body": picture.caption,
        "filename": picture.filename,
        **({"url": picture.uri} if key is None else {"file": encode_key(picture.uri, key)}),
        "info": {
            "mimetype": picture.mimetype,
            "w": picture.width,
            "h": picture.height,
            "size": picture.size_bytes,
        },
        "m.mentions": {},
    }
    if picture.edits is None:
        return shown
    relation = {"rel_type": "m.replace", "event_id": picture.edits}
    return {**shown, "body": f"* {picture.caption}", "m.new_content": shown, "m.relates_to": relation}
