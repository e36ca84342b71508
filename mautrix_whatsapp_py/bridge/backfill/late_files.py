"""Files of the past: after all that was said, the newest first, a few at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from mautrix_whatsapp_py.bridge.backfill.deps import BackfillDeps
from mautrix_whatsapp_py.bridge.from_whatsapp import history
from mautrix_whatsapp_py.convert.needs import file_of
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.media import MediaUnavailable, MxFile
from mautrix_whatsapp_py.model.portal import PortalId
from mautrix_whatsapp_py.model.wa_history import WaHistoryItem, WaHistoryStage

log = logging.getLogger(__name__)

AT_ONCE: Final = 2
"""Those that people send now have places of their own."""
PAGE: Final = 10


class LateFiles:
    """The files of one account."""

    def __init__(
        self,
        login: Login,
        deps: BackfillDeps,
        *,
        on_file: Callable[[], Awaitable[None]],
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._login = login
        self._deps = deps
        self._on_file = on_file
        self._is_cancelled = is_cancelled
        self._places = asyncio.Semaphore(AT_ONCE)
        self._source = deps.require_history(login.id)

    async def run(self) -> None:
        """Bring them. Raises MatrixUnreachable, StoreUnavailable and WhatsAppError; to be tried again."""
        while not self._is_cancelled():
            page = await self._source.fetch_page(None, WaHistoryStage.FILE, limit=PAGE, is_newest_first=True)
            if not page:
                return
            results = await asyncio.gather(*(self._bring(item) for item in page), return_exceptions=True)
            for error in results:
                if error is not None:
                    raise error

    async def _bring(self, item: WaHistoryItem) -> None:
        async with self._places:
            if self._is_cancelled():
                return
            content = item.events[0].content if item.events else None
            portal = await self._deps.find_portal(item.chat, None, self._login)
            media = None if content is None else file_of(content)
            if media is not None and portal is not None:
                # Outside of the chat's turn: a large file must not hold up what people write.
                is_encrypted = await self._deps.talk.is_encrypted(portal)
                file = await self._deps.talk.files.bring_to_matrix(
                    media, is_encrypted=is_encrypted, is_patient=True
                )
                show = partial(self._show, item, portal.id, file)
                await self._deps.talk.following.deps.turns.take(portal.id, show)
            await self._source.settle(item.chat, [item.key], WaHistoryStage.DONE)
            await self._on_file()

    async def _show(self, item: WaHistoryItem, portal_id: PortalId, file: MxFile | MediaUnavailable) -> None:
        async with self._deps.pace.place():
            await history.handle_file(item, portal_id, self._login, self._deps.talk, file=file)
