"""Login codes in rooms: shown, renewed in place, taken away whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mautrix_whatsapp_py.bridge.link_texts import CODE_STEPS, NO_CODE, QR_CAPTION
from mautrix_whatsapp_py.convert.bot_text import to_notice
from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable, StoreUnavailable
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.mx import MxPicture
from mautrix_whatsapp_py.ports import MatrixApi, QrArtist
from mautrix_whatsapp_py.store.shown_codes import ShownCode, ShownCodes

log = logging.getLogger(__name__)

_PLANNED = "planned:"
"""Stands for the event id of a code that was about to be sent; its transaction id follows."""


@dataclass(slots=True, kw_only=True)
class Stand:
    """The place of one login attempt."""

    key: str
    """Names the attempt in transaction ids."""
    user: MxUserId
    room_id: MxRoomId
    codes: list[ShownCode] = field(default_factory=list)
    """Everything on show: a redaction of a picture leaves what its renewals hold."""
    picture: MxEventId | None = None

    def txn_id(self, step: str) -> MxTxnId:
        """The transaction id of a step of this attempt."""
        return MxTxnId(f"login-{self.key}-{step}")


class Showcase:
    """Shows codes and takes them away."""

    def __init__(self, *, matrix: MatrixApi, artist: QrArtist, shown: ShownCodes) -> None:
        self._matrix = matrix
        self._artist = artist
        self._shown = shown

    async def show_qr(self, stand: Stand, data: str) -> None:
        """Show a QR code, or put it in the place of the one on show."""
        drawn = await asyncio.to_thread(self._artist.draw_qr, data)
        uri = await self._matrix.upload_media(
            drawn.data, mimetype=drawn.mimetype, filename=drawn.filename, room_id=stand.room_id
        )
        picture = MxPicture(
            uri=uri,
            mimetype=drawn.mimetype,
            filename=drawn.filename,
            width=drawn.width,
            height=drawn.height,
            size_bytes=len(drawn.data),
            caption=QR_CAPTION,
            edits=stand.picture,
        )
        matrix = self._matrix
        event_id = await self._show(
            stand,
            "qr",
            lambda txn_id: matrix.send_picture(stand.room_id, picture, sender=matrix.bot, txn_id=txn_id),
        )
        stand.picture = stand.picture or event_id

    async def show_code(self, stand: Stand, code: str) -> None:
        """Show a code to type, with what to do."""
        matrix, notice = self._matrix, to_notice(CODE_STEPS.format(code=code))
        await self._show(
            stand,
            "code",
            lambda txn_id: matrix.send_notice(stand.room_id, notice, sender=matrix.bot, txn_id=txn_id),
        )

    async def take_away(self, stand: Stand) -> bool:
        """Redact what is on show; False when something had to stay for now."""
        stand.codes = [code for code in stand.codes if not await self._has_redacted(code)]
        return not stand.codes

    async def get_leftovers(self) -> list[Stand]:
        """What an earlier run left on show, by room."""
        stands: dict[MxRoomId, Stand] = {}
        for code in await self._shown.get_all():
            left = Stand(key=f"left-{code.event_id}", user=code.user, room_id=code.room_id)
            stands.setdefault(code.room_id, left).codes.append(code)
        return list(stands.values())

    async def _show(self, stand: Stand, step: str, send: Callable[[MxTxnId], Awaitable[MxEventId]]) -> MxEventId:
        """Send a code; that it is on show is stored before anybody can see it."""
        txn_id, place = stand.txn_id(f"{step}-{len(stand.codes)}"), len(stand.codes)
        planned = ShownCode(event_id=MxEventId(_PLANNED + txn_id), room_id=stand.room_id, user=stand.user)
        await self._shown.add(planned)
        stand.codes.append(planned)
        try:
            event_id = await send(txn_id)
        except MatrixRefused:
            del stand.codes[place]
            await self._shown.remove(planned.event_id)
            raise
        stand.codes[place] = ShownCode(event_id=event_id, room_id=stand.room_id, user=stand.user)
        await self._shown.add(stand.codes[place])
        await self._shown.remove(planned.event_id)
        return event_id

    async def _find_event(self, code: ShownCode) -> MxEventId:
        """The event of a code, also when we never learnt its id."""
        if not code.event_id.startswith(_PLANNED):
            return code.event_id
        # The homeserver answers with the event that came of this transaction id; if none did, this is it.
        txn_id = MxTxnId(code.event_id.removeprefix(_PLANNED))
        bot = self._matrix.bot
        return await self._matrix.send_notice(code.room_id, to_notice(NO_CODE), sender=bot, txn_id=txn_id)

    async def _has_redacted(self, code: ShownCode) -> bool:
        """Whether there is nothing more to do about a code."""
        try:
            event_id = await self._find_event(code)
            await self._matrix.send_redaction(
                code.room_id,
                event_id,
                sender=self._matrix.bot,
                txn_id=MxTxnId(f"hide-{event_id}"),
                reason="The code is of no use any more.",
            )
        except MatrixRefused as error:
            # It would say the same next time; the bot is not in the room any more, or may do nothing there.
            log.warning("a code could not be taken away: %s", error.errcode or error.status)
        except MatrixUnreachable:
            return False
        try:
            await self._shown.remove(code.event_id)
        except StoreUnavailable:
            return False
        return True
