"""Events of portal rooms on their way to WhatsApp; forgotten once what became of them is recorded."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from functools import partial

from mautrix_whatsapp_py.bridge.delivery import send_id_of
from mautrix_whatsapp_py.bridge.from_matrix import outgoing
from mautrix_whatsapp_py.bridge.from_matrix.chooser import choose_carrier
from mautrix_whatsapp_py.bridge.from_matrix.context import Stage, is_target_known, may_carry, set_stage
from mautrix_whatsapp_py.bridge.from_matrix.outgoing import Letter
from mautrix_whatsapp_py.bridge.from_matrix.waiting import Place, Waiting
from mautrix_whatsapp_py.bridge.from_whatsapp.arrivals import LaneKey
from mautrix_whatsapp_py.bridge.lanes import Lanes
from mautrix_whatsapp_py.bridge.meter import Direction, kind_of
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable, StoreUnavailable, WhatsAppError
from mautrix_whatsapp_py.ids import LoginId, MxEventId, SendId
from mautrix_whatsapp_py.model.mx import MxOrigin, MxRedaction
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

REPLAY = timedelta(seconds=60)
"""How long after the start something may be about a message that is shown but comes again to be recorded."""
PATIENCE = timedelta(seconds=10)
"""How long such an event waits for that message."""


class Departures:
    """Sends what can be sent; what has to wait for WhatsApp waits in line and holds up nobody else."""

    def __init__(self, talk: Talk, lanes: Lanes[LaneKey]) -> None:
        self._talk = talk
        self._lanes = lanes
        self._waiting = Waiting()
        self._settled: dict[LoginId, list[SendId]] = {}
        self._started_at = talk.clock.now()
        self._puzzled: dict[MxEventId, datetime] = {}
        """Until when events wait for the message they are about."""
        self._tasks: set[asyncio.Task[None]] = set()
        talk.uploads.bind(self.call)

    @property
    def depth(self) -> int:
        """How many events wait for WhatsApp."""
        return self._waiting.depth

    async def handle(self, letter: Letter, portal: Portal) -> None:
        """Send an event, or have it wait behind those before it."""
        if await self._has_cancelled(letter, portal.id):
            return
        origin = letter.event.origin
        login = await choose_carrier(origin.sender, portal, self._talk)
        if login is None:
            await self._refuse_once(origin, portal, notices.NO_LOGIN)
            await outgoing.drop(letter, self._talk)
            return
        place = (portal.id, login.id)
        if self._waiting.get_first(place) is None and await self._try(letter, portal, place):
            return
        self._waiting.add(place, letter)
        await self._talk.delivery.pending(origin)

    def call(self, login_id: LoginId | None = None) -> None:
        """Try again what waits for a login, or for any."""
        for place in self._waiting.get_places(login_id):
            self._call_next(place)

    def call_about(self, portal_id: PortalId) -> None:
        """A message has come to a chat: it may be the one somebody waits for."""
        if self._puzzled:
            for place in self._waiting.get_places():
                if place[0] == portal_id:
                    self._call_next(place)

    async def stop(self) -> None:
        """Call nobody any more."""
        await end_all(self._tasks)
        await self._talk.uploads.stop()

    async def forget_sends(self) -> None:
        """Let the links forget what is recorded here; what they are not told they only keep."""
        settled, self._settled = self._settled, {}
        for login_id, send_ids in settled.items():
            client = self._talk.network.get_client(login_id)
            if client is None:
                continue
            try:
                await client.forget_sends(send_ids)
            except WhatsAppError:
                self._settled.setdefault(login_id, []).extend(send_ids)

    def _call_next(self, place: Place) -> None:
        # Last: what is in the lane only joins the line behind what waits, and may be what cancels it.
        self._lanes.put(place[0], partial(self._send_next, place))

    async def _send_next(self, place: Place) -> bool:
        """Send whoever is in front of a line, then have the next one called."""
        letter = self._waiting.get_first(place)
        if letter is None:
            return True
        try:
            portal = await self._talk.portals.get(place[0])
            if portal is not None and not await self._try(letter, portal, place):
                return True
        except (MatrixUnreachable, StoreUnavailable) as error:
            log.warning("event %s has to wait: %s", letter.event.origin.event_id, type(error).__name__)
            return False
        except MatrixRefused as error:
            log.warning("event %s was handled in vain: %s", letter.event.origin.event_id, error.errcode)
            await outgoing.drop(letter, self._talk)
        except Exception:
            log.exception("event %s could not be handled", letter.event.origin.event_id)
            await outgoing.drop(letter, self._talk)
        self._waiting.remove(place, letter)
        if self._waiting.get_first(place) is not None:
            self._call_next(place)
        return True

    async def _try(self, letter: Letter, portal: Portal, place: Place) -> bool:
        """Whether it is settled; if not, it waits for WhatsApp."""
        clock = self._talk.clock
        started = clock.monotonic()
        if not await self._try_now(letter, portal, place):
            return False
        took = clock.monotonic() - started
        self._talk.meter.note_event(Direction.TO_WHATSAPP, kind_of(letter.event), took)
        return True

    async def _try_now(self, letter: Letter, portal: Portal, place: Place) -> bool:
        if not outgoing.stands_alone(letter, portal.id, self._talk):
            await self._talk.recorded(portal.id)
        login = self._talk.logins.get(place[1])
        if login is not None and not await may_carry(login, letter.event.origin, portal, self._talk):
            login = None
        stage = None if login is None else await set_stage(portal, login, self._talk, letter.event.origin)
        if stage is None:
            sentence = notices.NO_LOGIN if login is None else notices.MOVED
            await self._refuse_once(letter.event.origin, portal, sentence)
            await outgoing.drop(letter, self._talk)
            return True
        if await self._is_puzzling(letter, stage, place):
            return False
        send_id = send_id_of(letter.event.origin.event_id)
        return await outgoing.handle(letter, stage, self._talk, partial(self._note_settled, place[1], send_id))

    def _note_settled(self, login_id: LoginId, send_id: SendId) -> None:
        self._settled.setdefault(login_id, []).append(send_id)

    async def _is_puzzling(self, letter: Letter, stage: Stage, place: Place) -> bool:
        """Whether what it is about may still come: shown before a crash, recorded when its link repeats it."""
        event_id, now = letter.event.origin.event_id, self._talk.clock.now()
        until = self._puzzled.get(event_id)
        is_over = now - self._started_at >= REPLAY if until is None else now >= until
        if is_over or await is_target_known(letter.event.content, stage, self._talk):
            self._puzzled.pop(event_id, None)
            return False
        if until is None:
            self._puzzled[event_id] = now + PATIENCE
            spawn(self._call_later(place), name="wait for a target", tasks=self._tasks)
        return True

    async def _call_later(self, place: Place) -> None:
        await self._talk.clock.sleep(PATIENCE.total_seconds())
        self._call_next(place)

    async def _has_cancelled(self, letter: Letter, portal_id: PortalId) -> bool:
        """A redaction of what still waits takes it out of the line, and there is nothing left to send."""
        if not isinstance(letter.event, MxRedaction) or letter.event.content.target is None:
            return False
        found = self._waiting.find(portal_id, letter.event.content.target)
        if found is None:
            return False
        place, cancelled = found
        await outgoing.drop(cancelled, self._talk)
        self._waiting.remove(place, cancelled)
        self._puzzled.pop(cancelled.event.origin.event_id, None)
        self._talk.uploads.forget(cancelled.event.origin.event_id)
        await outgoing.drop(letter, self._talk)
        return True

    async def _refuse_once(self, origin: MxOrigin, portal: Portal, sentence: str) -> None:
        """Tell somebody once per room why nothing they write there is bridged."""
        key = f"refused:{portal.id}:{origin.sender}"
        async with self._talk.store.reading() as tx:
            told = await self._talk.rows.facts.get(tx, key)
        if told == sentence:
            return
        await self._talk.delivery.explain(origin, sentence)
        async with self._talk.store.transaction() as tx:
            await self._talk.rows.facts.put(tx, key, sentence)
