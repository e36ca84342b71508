"""Events from WhatsApp on their way to their chats; acknowledged once their effect is durable."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from mautrix_whatsapp_py.bridge.from_whatsapp import call, group, message, receipt, timer, typing
from mautrix_whatsapp_py.bridge.from_whatsapp.audience import is_let_in
from mautrix_whatsapp_py.bridge.from_whatsapp.fetching import offer_file, settle_file
from mautrix_whatsapp_py.bridge.from_whatsapp.message import Handled
from mautrix_whatsapp_py.bridge.from_whatsapp.scene import (
    TargetUnknown,
    ensure_portal,
    find_key,
    get_known_key,
    resolve_key,
)
from mautrix_whatsapp_py.bridge.lanes import Lanes, retry_backoff
from mautrix_whatsapp_py.bridge.meter import Direction, kind_of
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.errors import (
    MatrixRefused,
    MatrixUnreachable,
    StoreUnavailable,
    WhatsAppUnavailable,
    WhatsAppUncertain,
)
from mautrix_whatsapp_py.ids import JournalSeq, LoginId, MxRoomId, MxTxnId, PortalKey, login_tag
from mautrix_whatsapp_py.logs import about
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.model.wa import (
    WaCall,
    WaEvent,
    WaGroupChanged,
    WaGroupJoined,
    WaHistorySync,
    WaMessage,
    WaPictureChanged,
    WaPresence,
    WaReceipt,
    WaTyping,
    WaUndecryptable,
)
from mautrix_whatsapp_py.tasks import Backoff

log = logging.getLogger(__name__)

LaneKey = PortalId | MxRoomId
PATIENCE = timedelta(minutes=5)
"""How long an event waits for the message it is about, or for the owner of its login."""
MAX_LATE = 64
"""How many wait in one chat; a session host runs only so far ahead of what is acknowledged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An event, the login that saw it, and its place in that login's journal."""

    login_id: LoginId
    seq: JournalSeq
    event: WaEvent
    came_at: datetime


class Arrivals:
    """First in order per login, to find the chat; then in order per chat."""

    def __init__(
        self,
        talk: Talk,
        lanes: Lanes[LaneKey],
        *,
        make_backoff: Callable[[], Backoff] = retry_backoff,
        on_come: Callable[[PortalId], None],
        show_presence: Callable[[WaPresence], Awaitable[None]],
    ) -> None:
        self._talk = talk
        self._show_presence = show_presence
        self._on_come = on_come
        self._lanes = lanes
        self._routes: Lanes[LoginId] = Lanes("arrivals", talk.clock, make_backoff=make_backoff)
        self._late: dict[PortalId, deque[Arrival]] = {}

    def on_event(self, login_id: LoginId, seq: JournalSeq, event: WaEvent) -> None:
        """Queue an event."""
        arrival = Arrival(login_id=login_id, seq=seq, event=event, came_at=self._talk.clock.now())
        if isinstance(event, WaMessage | WaUndecryptable):
            self._talk.gate.note_live()
        elif isinstance(event, WaHistorySync):
            self._talk.gate.chunk_came(login_id)
        portal = None if self._routes.is_busy(login_id) else self._get_known_chat(arrival)
        if portal is None:
            self._routes.put(login_id, partial(self._route, arrival))
        else:
            self._put(arrival, portal.id)

    async def idle(self) -> None:
        """Wait until every event has found its chat."""
        await self._routes.idle()

    async def stop(self, *, seconds: float) -> None:
        """Take nothing more; what is not acknowledged comes again."""
        await self._routes.stop(seconds=seconds)

    def drop_late(self) -> None:
        """Give up events whose time is over."""
        for portal_id in list(self._late):
            late = self._late.pop(portal_id)
            for arrival in late:
                if self._is_overdue(arrival):
                    self._give_up(arrival)
                else:
                    self._late.setdefault(portal_id, deque()).append(arrival)

    def _get_known_chat(self, arrival: Arrival) -> Portal | None:
        """The chat of an event, where everybody in it is known by all addresses it names."""
        event, login = arrival.event, self._talk.logins.get(arrival.login_id)
        if login is None or not isinstance(event, WaMessage | WaUndecryptable | WaReceipt | WaTyping):
            return None
        if self._talk.persons.get_known(login.jid, login.lid) is None:
            return None
        key = get_known_key(event.source, login, self._talk.persons)
        portal = None if key is None else self._talk.portals.get_known(key)
        return portal if portal is not None and self._goes_on(portal, login) else None

    def _goes_on(self, portal: Portal, login: Login) -> bool:
        """Whether a chat needs no look at what its user wants bridged."""
        has_own_room = portal.room_id is not None and portal.key.receiver is not None
        return has_own_room or self._talk.filters.has_no_rules(login.user)

    async def _route(self, arrival: Arrival) -> bool:
        with about(f"{login_tag(arrival.login_id)}:{arrival.seq}"):
            return await self._route_named(arrival)

    async def _route_named(self, arrival: Arrival) -> bool:
        login = self._talk.logins.get(arrival.login_id)
        try:
            portal = None if login is None else await self._find_chat(arrival.event, login)
            if portal is None:
                await self._talk.tap.pass_on(arrival.login_id, arrival.event)
        except StoreUnavailable:
            log.warning("an event of login %s has to wait for the database", login_tag(arrival.login_id))
            return False
        except Exception:
            log.exception("the chat of an event of login %s could not be found", login_tag(arrival.login_id))
            portal = None
        if login is None:
            return self._is_stray(arrival)
        if portal is None:
            self._ack(arrival)
        else:
            self._put(arrival, portal.id)
        return True

    def _put(self, arrival: Arrival, portal_id: PortalId) -> None:
        self._lanes.put(portal_id, partial(self._handle_named, arrival, portal_id))
        offer_file(arrival.event, portal_id, self._talk)

    def _is_stray(self, arrival: Arrival) -> bool:
        """Whether nobody will claim the login any more; right after linking its owner is not known yet."""
        if not self._is_overdue(arrival):
            return False
        log.warning("an event of login %s, which is nobody's, was dropped", login_tag(arrival.login_id))
        self._ack(arrival)
        return True

    async def _find_chat(self, event: WaEvent, login: Login) -> Portal | None:
        talk = self._talk
        # Known by both addresses before anybody else is seen to use one of them.
        await talk.rooms.own_person(login)
        match event:
            case WaMessage() | WaUndecryptable():
                key = await resolve_key(event.source, login, talk)
                if key is None or not await is_let_in(key, event.source, login, talk):
                    return None
                return await ensure_portal(key, talk)
            case WaCall():
                return await call.find_chat(event, login, talk)
            case WaReceipt() | WaTyping():
                key = await find_key(event.source, login, talk)
                return None if key is None else await talk.portals.find(key)
            case WaGroupJoined() | WaGroupChanged():
                return await group.find_chat(event, login, talk)
            case WaPictureChanged(jid=jid) if jid.is_group:
                return await talk.portals.find(PortalKey(chat=jid.bare))
            case WaPictureChanged():
                await group.note_picture(event, login, talk)
            case WaPresence():
                await self._show_presence(event)
        return None

    async def _handle_named(self, arrival: Arrival, portal_id: PortalId) -> bool:
        with about(f"{login_tag(arrival.login_id)}:{arrival.seq}"):
            return await self._handle(arrival, portal_id)

    async def _handle(self, arrival: Arrival, portal_id: PortalId) -> bool:
        tag = login_tag(arrival.login_id)
        handled = Handled()
        try:
            if await self._must_wait(arrival, portal_id):
                return True
            handled = await self._dispatch(arrival, portal_id)
        except TargetUnknown:
            self._postpone(arrival, portal_id)
            return True
        except (MatrixUnreachable, StoreUnavailable, WhatsAppUnavailable, WhatsAppUncertain) as error:
            log.warning("an event of login %s has to wait: %s", tag, type(error).__name__)
            return False
        except MatrixRefused as error:
            log.warning("an event of login %s was handled in vain: %s %s", tag, error.status, error.errcode)
            if not await self._tell_refused(arrival, portal_id):
                return False
        except Exception:
            # A fault of ours would repeat for ever; the event is given up and the chat goes on.
            log.exception("an event of login %s could not be handled", tag)
        settle_file(arrival.event, portal_id, self._talk)
        on_recorded = partial(self._finish, arrival, portal_id, has_come=handled.has_come)
        if handled.write is None:
            on_recorded()
        else:
            self._talk.records.start(portal_id, handled.names, handled.write, on_recorded, clock=self._talk.clock)
        return True

    async def _must_wait(self, arrival: Arrival, portal_id: PortalId) -> bool:
        """Whether the past of its chat comes first; it is then kept there."""
        login, portal = self._talk.logins.get(arrival.login_id), await self._talk.portals.get(portal_id)
        if login is None or portal is None or not self._talk.gate.holds(portal, login):
            return False
        again = partial(self._lanes.put_first, portal_id, partial(self._handle_named, arrival, portal_id))
        self._talk.gate.hold(portal_id, login, again)
        return True

    async def _tell_refused(self, arrival: Arrival, portal_id: PortalId) -> bool:
        """Say in the room that the homeserver refused a message for good; false to try that again."""
        if not isinstance(arrival.event, WaMessage):
            return True
        try:
            portal = await self._talk.portals.get(portal_id)
            if portal is not None and portal.room_id is not None:
                txn_id = MxTxnId(f"refused-{portal_id}-{arrival.event.message_id}")
                await self._talk.delivery.announce(portal.room_id, notices.NOT_SHOWN, txn_id=txn_id)
        except MatrixRefused as error:
            log.warning("nor could that be told: %s %s", error.status, error.errcode)
        except (MatrixUnreachable, StoreUnavailable):
            return False
        return True

    def _finish(self, arrival: Arrival, portal_id: PortalId, *, has_come: bool) -> None:
        self._ack(arrival)
        seconds = (self._talk.clock.now() - arrival.came_at).total_seconds()
        self._talk.meter.note_event(Direction.TO_MATRIX, kind_of(arrival.event), seconds)
        if has_come:
            self._call_late(portal_id)
            self._on_come(portal_id)

    async def _dispatch(self, arrival: Arrival, portal_id: PortalId) -> Handled:
        """Handle an event."""
        if isinstance(arrival.event, WaReceipt) and not receipt.matters(arrival.event, self._talk):
            return Handled()
        if not message.stands_alone(arrival.event, portal_id, self._talk):
            await self._talk.recorded(portal_id)
        login = self._talk.logins.get(arrival.login_id)
        portal = await self._talk.portals.get(portal_id)
        if login is None or portal is None:
            return Handled()
        match arrival.event:
            case WaMessage() | WaUndecryptable():
                await self._talk.tap.pass_on(arrival.login_id, arrival.event)
                handled = await message.handle(arrival.event, portal, login, self._talk)
                group.note_speaker(arrival.event.source, login, self._talk)
                return handled
            case WaReceipt():
                await receipt.handle(arrival.event, portal, login, self._talk)
            case WaTyping():
                await typing.handle(arrival.event, portal, self._talk)
            case WaCall():
                await call.handle(arrival.event, portal, login, self._talk)
            case WaGroupJoined():
                await group.handle_joined(arrival.event, portal, login, self._talk)
            case WaGroupChanged():
                await timer.handle(arrival.event, portal, self._talk)
                await group.handle_changed(arrival.event, portal, login, self._talk)
            case WaPictureChanged():
                await group.handle_picture(arrival.event, portal, login, self._talk)
        return Handled()

    def _postpone(self, arrival: Arrival, portal_id: PortalId) -> None:
        settle_file(arrival.event, portal_id, self._talk)
        if self._is_overdue(arrival):
            self._give_up(arrival)
            return
        late = self._late.setdefault(portal_id, deque())
        late.append(arrival)
        if len(late) > MAX_LATE:
            self._give_up(late.popleft())

    def _call_late(self, portal_id: PortalId) -> None:
        """A message came: it may be the one that these are about, and what is behind them must stay there."""
        for arrival in reversed(self._late.pop(portal_id, ())):
            self._lanes.put_first(portal_id, partial(self._handle_named, arrival, portal_id))

    def _is_overdue(self, arrival: Arrival) -> bool:
        return self._talk.clock.now() - arrival.came_at >= PATIENCE

    def _give_up(self, arrival: Arrival) -> None:
        log.info("an event of login %s is about a message that did not come", login_tag(arrival.login_id))
        self._ack(arrival)

    def _ack(self, arrival: Arrival) -> None:
        client = self._talk.network.get_client(arrival.login_id)
        if client is not None:
            client.ack(arrival.seq)
