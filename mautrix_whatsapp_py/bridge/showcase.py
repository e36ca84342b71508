"""QR codes in rooms: shown, renewed in place, taken away whatever happens."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from mautrix_whatsapp_py.bridge.link_texts import QR_CAPTION
from mautrix_whatsapp_py.errors import MatrixError, StoreUnavailable
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.mx import MxPicture
from mautrix_whatsapp_py.ports import MatrixApi, QrArtist
from mautrix_whatsapp_py.store.shown_codes import ShownCode, ShownCodes

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Open:
    room_id: MxRoomId
    events: list[MxEventId] = field(default_factory=list)
    """The picture, then its renewals: a redaction of the first leaves what the others hold."""


class Showcase:
    """Codes on show, by the command that asked for them."""

    def __init__(self, *, matrix: MatrixApi, artist: QrArtist, shown: ShownCodes) -> None:
        self._matrix = matrix
        self._artist = artist
        self._shown = shown
        self._open: dict[MxEventId, _Open] = {}

    def is_open(self, asked: MxEventId) -> bool:
        """Whether a code is on show for this command."""
        return asked in self._open

    async def show(self, asked: MxEventId, user: MxUserId, room_id: MxRoomId, data: str) -> None:
        """Show a code, or put it in the place of the one on show."""
        slot = self._open.setdefault(asked, _Open(room_id=room_id))
        picture = await asyncio.to_thread(self._artist.draw_qr, data)
        uri = await self._matrix.upload_media(picture.data, mimetype=picture.mimetype, filename=picture.filename)
        shown = MxPicture(
            uri=uri,
            mimetype=picture.mimetype,
            filename=picture.filename,
            width=picture.width,
            height=picture.height,
            size_bytes=len(picture.data),
            caption=QR_CAPTION,
            edits=slot.events[0] if slot.events else None,
        )
        txn_id = MxTxnId(f"login-{asked}-qr-{len(slot.events)}")
        event_id = await self._matrix.send_picture(room_id, shown, sender=self._matrix.bot, txn_id=txn_id)
        slot.events.append(event_id)
        await self._shown.add(ShownCode(event_id=event_id, room_id=room_id, user=user))

    async def take_away(self, asked: MxEventId) -> None:
        """Redact the code on show, if there is one; what fails now is done at the next start."""
        slot = self._open.pop(asked, None)
        if slot is None:
            return
        for event_id in slot.events:
            await self._redact(slot.room_id, event_id)

    async def clear_leftovers(self) -> list[ShownCode]:
        """Redact what an earlier run left on show; one of it for every room."""
        left = await self._shown.get_all()
        for code in left:
            await self._redact(code.room_id, code.event_id)
        return list({code.room_id: code for code in left}.values())

    async def _redact(self, room_id: MxRoomId, event_id: MxEventId) -> None:
        try:
            await self._matrix.send_redaction(
                room_id,
                event_id,
                sender=self._matrix.bot,
                txn_id=MxTxnId(f"hide-{event_id}"),
                reason="The code is of no use any more.",
            )
            await self._shown.remove(event_id)
        except (MatrixError, StoreUnavailable) as error:
            log.warning("a code could not be taken away yet: %s", type(error).__name__)
