"""What messages come to that is neither text, reaction nor redaction."""

from __future__ import annotations

import hashlib
from typing import assert_never

import msgspec

from mautrix_whatsapp_py.bridge.from_whatsapp import live, pin, poll
from mautrix_whatsapp_py.bridge.from_whatsapp.context import Fetched
from mautrix_whatsapp_py.bridge.from_whatsapp.scene import Scene
from mautrix_whatsapp_py.bridge.from_whatsapp.told import Told
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert.results import MxLive, MxPin, MxPollAnswer, MxPollSend
from mautrix_whatsapp_py.ids import WaMessageId
from mautrix_whatsapp_py.model.content import WaContent
from mautrix_whatsapp_py.model.media import WaMedia
from mautrix_whatsapp_py.model.wa import WaUndecryptable


async def show(
    result: MxPollSend | MxPollAnswer | MxPin | MxLive, told: Told, fetched: Fetched, talk: Talk
) -> bool:
    """Show it; whether there is a message now that others may have waited for."""
    match result:
        case MxPollSend():
            await poll.show(result, told, talk)
        case MxLive():
            await live.show(result, told, talk)
        case MxPollAnswer():
            await poll.answer(result, told, fetched, talk)
            return False
        case MxPin():
            await pin.show(result, told, talk)
            return False
        case _:
            assert_never(result)
    return True


async def with_caption_once(
    content: WaContent | WaUndecryptable, message_id: WaMessageId, scene: Scene, talk: Talk
) -> WaContent | WaUndecryptable:
    """A file of an album, without a caption that another one of it has already."""
    if not isinstance(content, WaMedia) or not content.context.album or not content.caption:
        return content
    digest = hashlib.sha256(content.caption.encode("utf-8", "replace")).hexdigest()[:16]
    key = f"album:{scene.portal.id}:{content.context.album}:{digest}"
    async with talk.store.reading() as tx:
        first = await talk.rows.facts.get(tx, key)
    if first is None:
        async with talk.store.transaction() as tx:
            await talk.rows.facts.put(tx, key, message_id)
    if first in (None, message_id):
        return content
    return msgspec.structs.replace(content, caption="")
