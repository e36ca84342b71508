"""Finds sessions that look alive and are deaf, and restarts only those."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta

from mautrix_whatsapp_py.model.wa_link import WaLinkKind
from mautrix_whatsapp_py.whatsapp.host.gate import SessionNotLive
from mautrix_whatsapp_py.whatsapp.host.incarnation import Incarnation
from mautrix_whatsapp_py.whatsapp.host.library import Library
from mautrix_whatsapp_py.whatsapp.host.session import Session
from mautrix_whatsapp_py.whatsapp.host.timings import Timings

log = logging.getLogger(__name__)

_ACTIVE = False
"""Argument of the library's SetPassive."""


class Watch:
    """Looks at one session every few seconds.

    A dead pump ends its incarnation by itself. A stuck callback is seen by its age. After a silence the server is
    asked to make us the active device: a lost socket shows, and a server that had put us to sleep wakes up and
    sends what it held back.
    """

    def __init__(self, session: Session, library: Library, timings: Timings) -> None:
        self._session = session
        self._library = library
        self._timings = timings
        self._probed_at = 0.0

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(self._timings.watch_seconds)
            incarnation = self._session.incarnation
            if incarnation is not None and incarnation.is_live:
                await self._look(incarnation)
            self._look_for_phone()

    async def _look(self, incarnation: Incarnation) -> None:
        timings = self._timings
        if incarnation.callback_stuck_seconds() > timings.stuck_seconds and not self._session.intake.is_holding:
            self._restart("a callback is stuck", WaLinkKind.DEAF)
        elif self._session.disconnected_seconds() > timings.disconnected_seconds:
            self._restart("the library does not get back by itself", WaLinkKind.DISCONNECTED)
        elif self._is_silent(incarnation) and not await self._answers(incarnation):
            self._restart("the server does not answer", WaLinkKind.DEAF)

    def _is_silent(self, incarnation: Incarnation) -> bool:
        if self._session.fact.kind is not WaLinkKind.CONNECTED or incarnation.callback_since:
            return False
        last = max(incarnation.last_callback, self._probed_at)
        return time.monotonic() - last > self._timings.silence_seconds

    async def _answers(self, incarnation: Incarnation) -> bool:
        uuid = incarnation.spec.uuid
        try:
            async with asyncio.timeout(self._timings.probe_seconds):
                error = await self._session.gate.call(lambda: self._library.call("SetPassive", uuid, _ACTIVE))
        except TimeoutError:
            return False
        except SessionNotLive:
            return True
        self._probed_at = time.monotonic()
        return not error or self._session.fact.kind is not WaLinkKind.CONNECTED

    def _restart(self, why: str, cause: WaLinkKind) -> None:
        log.warning("session is restarted: %s", why, extra={"login": self._session.login})
        self._session.restart(cause)

    def _look_for_phone(self) -> None:
        seen = self._session.counters.phone_seen_at
        if seen is not None:
            limit = timedelta(days=self._timings.phone_unseen_days)
            self._session.set_phone_unseen(is_unseen=datetime.now(UTC) - seen > limit)
