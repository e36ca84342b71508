"""Thumbnails of the pictures and videos that somebody answers."""

from __future__ import annotations

from typing import Final

from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.model.content import MxMessageContent, MxMsgType
from mautrix_whatsapp_py.model.media import MxFile

_SEEN: Final = frozenset({MxMsgType.IMAGE, MxMsgType.VIDEO, MxMsgType.FILE})
_MAX_WHOLE_BYTES: Final = 4 << 20
"""A picture without a thumbnail is made into one if it is no larger."""


async def fetch_thumbnail(content: MxMessageContent, talk: Talk) -> bytes | None:
    """What phones show of it above a reply; None where there is nothing to be seen, or not soon."""
    file = content.file
    if file is None or content.msgtype not in _SEEN:
        return None
    if file.thumbnail is not None:
        stored = file.thumbnail.stored
        return await talk.files.fetch_preview(MxFile(uri=stored.uri, key=stored.key))
    if content.msgtype is MxMsgType.IMAGE and file.size_bytes <= _MAX_WHOLE_BYTES:
        return await talk.files.fetch_preview(file)
    return None
