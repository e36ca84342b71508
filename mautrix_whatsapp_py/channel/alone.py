"""The channel without Matrix: events go straight from the links to it, in order per chat."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from mautrix_whatsapp_py.bridge.from_whatsapp.scene import partner_of
from mautrix_whatsapp_py.bridge.lanes import Lanes
from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.bridge.tap import TakeMessage
from mautrix_whatsapp_py.channel.door import Work
from mautrix_whatsapp_py.errors import StoreUnavailable
from mautrix_whatsapp_py.ids import USER_SERVER, JournalSeq, LoginId, WaJid, login_tag
from mautrix_whatsapp_py.model.content import WaSendable
from mautrix_whatsapp_py.model.wa import WaEvent, WaMessage, WaSource
from mautrix_whatsapp_py.model.wa_link import WaSendUncertain, WaSent, WaState
from mautrix_whatsapp_py.ports import Clock, WhatsAppNetwork

log = logging.getLogger(__name__)

OnState = Callable[[LoginId, WaState], None]
_LaneKey = tuple[LoginId, WaJid]


class AloneDoor:
    """Implements ChatDoor and WaEventSink."""

    def __init__(self, *, persons: Persons, clock: Clock) -> None:
        self._persons = persons
        self._lanes: Lanes[_LaneKey] = Lanes("channel chats", clock)
        self._routes: Lanes[LoginId] = Lanes("channel arrivals", clock)
        self._network: WhatsAppNetwork | None = None
        self._take: TakeMessage | None = None
        self._listeners: list[OnState] = []

    def bind(self, network: WhatsAppNetwork, take: TakeMessage) -> None:
        """Say who is told of events; before any link is up."""
        self._network, self._take = network, take

    def add_listener(self, listener: OnState) -> None:
        """Tell somebody of every change of state; the listener must not wait or raise."""
        self._listeners.append(listener)

    def on_wa_event(self, login: LoginId, seq: JournalSeq, event: WaEvent) -> None:
        """See WaEventSink."""
        if not isinstance(event, WaMessage):
            self._ack(login, seq)
        elif self._routes.is_busy(login) or not self._is_known(event.source):
            self._routes.put(login, partial(self._route, login, seq, event))
        else:
            self._queue(login, seq, event)

    def on_wa_state(self, login: LoginId, state: WaState) -> None:
        """See WaEventSink."""
        log.info("login %s is %s %s", login_tag(login), state.kind, state.error)
        for listener in self._listeners:
            listener(login, state)

    async def put(self, login_id: LoginId, chat: WaJid, work: Work) -> None:
        """See ChatDoor."""
        self._lanes.put(self._key(login_id, chat), work)

    async def find_address(self, login_id: LoginId, chat: WaJid) -> WaJid:
        """See ChatDoor."""
        return chat

    async def show(
        self, login_id: LoginId, chat: WaJid, sent: WaSent | WaSendUncertain, content: WaSendable
    ) -> None:
        """See ChatDoor; there is nowhere to show it."""

    async def stop(self) -> None:
        """Let running work finish for a while; what is not acknowledged comes again."""
        await self._routes.stop()
        await self._lanes.stop()

    async def idle(self) -> None:
        """Wait until everything is settled."""
        await self._routes.idle()
        await self._lanes.idle()

    def _key(self, login: LoginId, chat: WaJid) -> _LaneKey:
        """One queue for a chat under whatever address, as far as that is known."""
        person = self._persons.get_known(chat)
        number = None if person is None else person.pn
        return login, chat.bare if number is None else WaJid(user=number, server=USER_SERVER)

    def _is_known(self, source: WaSource) -> bool:
        """Whether the queue of a chat can be told without asking the database."""
        partner = partner_of(source)
        return partner is None or self._persons.get_known(partner.jid, partner.alternate) is not None

    async def _route(self, login: LoginId, seq: JournalSeq, event: WaMessage) -> bool:
        """Learn whose chat it is: later messages of theirs must not find another queue."""
        partner = partner_of(event.source)
        try:
            if partner is not None:
                await self._persons.resolve(partner.jid, partner.alternate)
        except StoreUnavailable:
            log.warning("an event of login %s has to wait for the database", login_tag(login))
            return False
        self._queue(login, seq, event)
        return True

    def _queue(self, login: LoginId, seq: JournalSeq, event: WaMessage) -> None:
        self._lanes.put(self._key(login, event.source.chat), partial(self._handle, login, seq, event))

    async def _handle(self, login: LoginId, seq: JournalSeq, event: WaMessage) -> bool:
        try:
            if self._take is not None:
                await self._take(login, event)
        except StoreUnavailable:
            log.warning("an event of login %s has to wait for the database", login_tag(login))
            return False
        except Exception:
            # A fault of ours would repeat for ever; the event is given up and the chat goes on.
            log.exception("an event of login %s could not be handled", login_tag(login))
        self._ack(login, seq)
        return True

    def _ack(self, login: LoginId, seq: JournalSeq) -> None:
        client = None if self._network is None else self._network.get_client(login)
        if client is not None:
            client.ack(seq)
