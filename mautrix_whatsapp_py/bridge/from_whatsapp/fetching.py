"""Files of messages that are on their way to their chats."""

from __future__ import annotations

from functools import partial

from mautrix_whatsapp_py.bridge.files_ahead import Brought, FileKey
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert.needs import file_of
from mautrix_whatsapp_py.model.media import MxFile, WaMedia
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.model.wa import WaEvent, WaMessage


def offer_file(event: WaEvent, portal_id: PortalId, talk: Talk) -> None:
    """An event was queued: its file may be fetched before its turn."""
    media = _media_of(event)
    if media is not None and isinstance(event, WaMessage):
        talk.ahead.offer(_key(event, media, portal_id), partial(_bring, event, media, portal_id, talk))


async def take_file(event: WaEvent, portal: Portal, talk: Talk) -> Brought:
    """The file of an event whose turn it is; None where it has none, or it must be fetched now."""
    media = _media_of(event)
    if media is None or not isinstance(event, WaMessage):
        return None
    file = await talk.ahead.take(_key(event, media, portal.id))
    if isinstance(file, MxFile) and file.key is None and await talk.is_encrypted(portal):
        # The room became encrypted meanwhile.
        return None
    return file


def settle_file(event: WaEvent, portal_id: PortalId, talk: Talk) -> None:
    """Nobody will ask for the file of an event any more."""
    media = _media_of(event)
    if media is not None and isinstance(event, WaMessage):
        talk.ahead.settle(_key(event, media, portal_id))


def _media_of(event: WaEvent) -> WaMedia | None:
    return file_of(event.content) if isinstance(event, WaMessage) else None


def _key(event: WaMessage, media: WaMedia, portal_id: PortalId) -> FileKey:
    return FileKey(portal_id=portal_id, message_id=event.message_id, path=media.file.direct_path)


async def _bring(event: WaMessage, media: WaMedia, portal_id: PortalId, talk: Talk) -> Brought:
    portal = await talk.portals.get(portal_id)
    known = await talk.store.read(lambda tx: talk.rows.messages.get_parts(tx, portal_id, event.message_id))
    if portal is None or known:
        return None
    return await talk.files.bring_to_matrix(media, is_encrypted=await talk.is_encrypted(portal))
