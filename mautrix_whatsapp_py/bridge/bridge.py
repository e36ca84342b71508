"""The bridge: handles what happened in order per chat and forgets it only when its effect is durable."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import assert_never

from mautrix_whatsapp_py.bridge.closings import ClosingDeps, Closings
from mautrix_whatsapp_py.bridge.delivery import send_id_of
from mautrix_whatsapp_py.bridge.deps import BridgeDeps
from mautrix_whatsapp_py.bridge.disappearing import redact_due
from mautrix_whatsapp_py.bridge.from_matrix import (
    direct,
    emptied,
    encrypted,
    group_members,
    group_meta,
    member,
    message,
    outgoing,
    receipt,
    upgrades,
)
from mautrix_whatsapp_py.bridge.from_matrix.beginnings import RoomBeginnings
from mautrix_whatsapp_py.bridge.from_matrix.departures import Departures
from mautrix_whatsapp_py.bridge.from_matrix.message import command_text
from mautrix_whatsapp_py.bridge.from_matrix.outgoing import Letter
from mautrix_whatsapp_py.bridge.from_matrix.typing import Typists
from mautrix_whatsapp_py.bridge.from_matrix.unsealing import Sealed, Unsealing
from mautrix_whatsapp_py.bridge.from_whatsapp import live, pin, poll
from mautrix_whatsapp_py.bridge.from_whatsapp.arrivals import Arrivals, LaneKey
from mautrix_whatsapp_py.bridge.lanes import STOP_SECONDS, Lanes, retry_backoff
from mautrix_whatsapp_py.bridge.mergers import Mergers
from mautrix_whatsapp_py.bridge.missing_files import MissingFiles, asks_for_file
from mautrix_whatsapp_py.bridge.presences import Presences
from mautrix_whatsapp_py.bridge.side_door import SideDoor
from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable, StoreError, StoreUnavailable
from mautrix_whatsapp_py.ids import InboxSeq, JournalSeq, LoginId, MxUserId
from mautrix_whatsapp_py.logs import about
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.mx import (
    MxEncrypted,
    MxEphemeral,
    MxEvent,
    MxMember,
    MxMembership,
    MxMessage,
    MxOther,
    MxPoll,
    MxReaction,
    MxReceipt,
    MxRedaction,
    MxRoomChanged,
    MxTyping,
)
from mautrix_whatsapp_py.model.portal import PortalId
from mautrix_whatsapp_py.model.wa import WaEvent
from mautrix_whatsapp_py.model.wa_link import WaState
from mautrix_whatsapp_py.tasks import Backoff, end_all, spawn

log = logging.getLogger(__name__)

WATCH_SECONDS = 30.0
DISAPPEARING_SECONDS = 30.0


class Bridge:
    """The centre: a sink of both sides' events, whose handlers run in one ordered queue per chat."""

    def __init__(self, deps: BridgeDeps, *, make_backoff: Callable[[], Backoff] = retry_backoff) -> None:
        self._deps = deps
        self._talk = talk = deps.talk
        self._lanes: Lanes[LaneKey] = Lanes("chats", deps.clock, make_backoff=make_backoff)
        self._departures = Departures(talk, self._lanes)
        self._presences = Presences(talk)
        self._arrivals = Arrivals(
            talk,
            self._lanes,
            make_backoff=make_backoff,
            on_come=self._departures.call_about,
            show_presence=self._presences.show,
        )
        self._typists = Typists()
        self._unsealing = self._make_unsealing(deps)
        self.beginnings = RoomBeginnings(talk, command_prefix=deps.settings.command_prefix)
        self.missing_files = MissingFiles(talk)
        self.side_door = SideDoor(talk, self._lanes.put)
        self._closings = _make_closings(deps)
        self._tasks: set[asyncio.Task[None]] = set()
        self._mergers = Mergers(talk)
        talk.following.deps.turns.bind(self._lanes.put)

    def _make_unsealing(self, deps: BridgeDeps) -> Unsealing | None:
        if deps.ciphers is None:
            return None

        def retry(sealed: Sealed) -> None:
            key: LaneKey = sealed.event.origin.room_id if sealed.portal_id is None else sealed.portal_id
            self._lanes.put(key, partial(self._settle, sealed.event, sealed.seq, sealed.portal_id))

        return Unsealing(
            deps.ciphers,
            matrix=deps.matrix,
            inbox=deps.inbox,
            users=deps.users,
            clock=deps.clock,
            retry=retry,
        )

    async def load(self) -> None:
        """Read what must be known before the first event."""
        await self._talk.portals.load()
        await self._talk.delivery.load()
        await self._talk.open_sends.load(self._talk.store, self._talk.rows.outbox)

    def is_ours(self, user: MxUserId) -> bool:
        """Whether a user is the bot or a ghost, whose events are nothing new."""
        return self._deps.is_ours(user)

    @property
    def inbox_depth(self) -> int:
        """Events that wait to be handled, those under way not counted."""
        return self._lanes.depth + self._departures.depth

    def on_mx_event(self, event: MxEvent, seq: InboxSeq) -> None:
        """Queue a stored event behind all that its chat still has to handle."""
        room_id = event.origin.room_id
        if not self._deps.is_ours(event.origin.sender):
            self._talk.gate.note_live()
        portal_id = self._talk.portals.get_id(room_id)
        if portal_id is None:
            self._lanes.put(room_id, partial(self._settle, event, seq, None))
        else:
            self._lanes.put(portal_id, partial(self._settle, event, seq, portal_id))

    def on_mx_ephemeral(self, event: MxEphemeral) -> None:
        """Queue typing or a receipt behind what its chat still has to handle."""
        portal_id = self._talk.portals.get_id(event.room_id)
        if portal_id is not None:
            self._lanes.put(portal_id, partial(self._handle_ephemeral, event, portal_id))

    def on_wa_event(self, login: LoginId, seq: JournalSeq, event: WaEvent) -> None:
        """Queue an event of a link."""
        self._arrivals.on_event(login, seq, event)

    def on_state(self, login: Login, state: WaState) -> None:
        """A link's state changed: what waited for it may go."""
        self._mergers.retry()
        if state.is_usable:
            self._departures.call(login.id)
            self._call_receipts(login.id)

    @property
    def services(self) -> tuple[Callable[[], Coroutine[None, None, None]], ...]:
        """What has to run for as long as the bridge does."""
        return (self.watch, self.watch_disappearing, self.missing_files.watch)

    async def watch(self) -> None:
        """Look from time to time at what waits, whether or not anybody calls it; runs for ever."""
        while True:
            await self._deps.clock.sleep(WATCH_SECONDS)
            self._departures.call()
            self._call_receipts()
            self._arrivals.drop_late()
            self._mergers.retry()
            await poll.end_due(self._talk)
            await live.end_due(self._talk)
            await pin.end_due(self._talk)
            await self._departures.forget_sends()

    async def watch_disappearing(self) -> None:
        """Take messages out of rooms when their time has come; runs for ever."""
        while True:
            await redact_due(self._talk)
            await self._deps.clock.sleep(DISAPPEARING_SECONDS)

    async def idle(self) -> None:
        """Wait until everything is handled that can be."""
        await self._arrivals.idle()
        await self._mergers.idle()
        await self._lanes.idle()
        while self._talk.records.is_busy:
            # What is recorded may be what something late has waited for.
            await self._talk.records.idle()
            await self._lanes.idle()

    async def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """Let running jobs finish for a while; what waits stays in inbox and journals for the next start."""
        await self._arrivals.stop(seconds=seconds)
        await self._mergers.stop()
        await self._lanes.stop(seconds=seconds)
        await self._talk.ahead.stop()
        await self._departures.stop()
        await self._talk.records.stop(seconds=seconds)
        await self._typists.stop()
        if self._unsealing is not None:
            await self._unsealing.stop()
        await self._presences.stop()
        await self.missing_files.stop()
        await end_all(self._tasks)

    async def _settle(self, event: MxEvent, seq: InboxSeq, portal_id: PortalId | None) -> bool:
        """Handle an event and forget it; false when it must be tried again."""
        if portal_id is None and self._talk.portals.get_id(event.origin.room_id) is not None:
            # The room became a chat while the event waited.
            self.on_mx_event(event, seq)
            return True
        with about(event.origin.event_id):
            return await self._settle_named(event, seq, portal_id)

    async def _settle_named(self, event: MxEvent, seq: InboxSeq, portal_id: PortalId | None) -> bool:
        origin = event.origin
        try:
            if await self._handle(event, seq, portal_id):
                return True
        except (MatrixUnreachable, StoreUnavailable) as error:
            log.warning("event %s has to wait: %s", origin.event_id, type(error).__name__)
            return False
        except MatrixRefused as error:
            log.warning("event %s was handled in vain: %s %s", origin.event_id, error.status, error.errcode)
        except Exception:
            # A fault of ours would repeat for ever; the event is given up and the room goes on.
            log.exception("event %s could not be handled", origin.event_id)
        try:
            await self._forget(event, seq)
        except StoreUnavailable:
            log.warning("event %s cannot be marked as handled: the database is away", origin.event_id)
            return False
        return True

    async def _forget(self, event: MxEvent, seq: InboxSeq) -> None:
        if self._talk.open_sends.may_exist(send_id_of(event.origin.event_id)):
            await outgoing.forget(event.origin.event_id, seq, self._talk)
        else:
            await self._deps.inbox.mark_handled(seq)

    async def _handle(self, event: MxEvent, seq: InboxSeq, portal_id: PortalId | None) -> bool:
        """Handle an event; whether it was taken over by somebody who forgets it when its time has come."""
        if self._deps.is_ours(event.origin.sender):
            return False
        if isinstance(event, MxEncrypted) and self._unsealing is not None:
            opened = await self._unsealing.open(Sealed(event=event, seq=seq, portal_id=portal_id))
            if opened is None:
                return True
            event = opened
        if await self._has_cancelled(event):
            return False
        if self._is_too_open(event, portal_id):
            await self._talk.delivery.failed(event.origin, what="message", sentence=notices.NOT_ENCRYPTED)
            return False
        if portal_id is not None and not self._is_command(event):
            return await self._handle_talk(event, seq, portal_id)
        match event:
            case MxMessage():
                await message.handle(event, self._deps)
            case MxMember():
                if not await self._is_awaited(event):
                    await member.handle(event, self._deps)
                    await direct.handle(event, self._deps)
            case MxEncrypted():
                await encrypted.handle(event, self._deps)
            case MxReaction() | MxRedaction() | MxPoll() | MxRoomChanged() | MxOther():
                pass
            case _:
                assert_never(event)
        return False

    async def _is_awaited(self, event: MxMember) -> bool:
        """Whether the bot was invited to a room in which a chat goes on."""
        is_invite = event.user == self._deps.matrix.bot and event.membership is MxMembership.INVITE
        return is_invite and await upgrades.follow_invited(event.origin.room_id, self._talk)

    async def _has_cancelled(self, event: MxEvent) -> bool:
        """Whether an event takes back one that was never read."""
        if self._unsealing is None or not isinstance(event, MxRedaction):
            return False
        return await self._unsealing.cancel(event.content.target)

    def _is_too_open(self, event: MxEvent, portal_id: PortalId | None) -> bool:
        """Whether a message to a chat should have been encrypted."""
        is_message = isinstance(event, MxMessage | MxPoll) and portal_id is not None
        return is_message and self._deps.settings.requires_encryption and not event.origin.was_encrypted

    def _is_command(self, event: MxEvent) -> bool:
        if isinstance(event, MxMember):
            return event.user == self._deps.matrix.bot
        if not isinstance(event, MxMessage):
            return False
        prefix = self._deps.settings.command_prefix
        return command_text(event.content.body, prefix=prefix, is_management=False) is not None

    async def _handle_talk(self, event: MxEvent, seq: InboxSeq, portal_id: PortalId) -> bool:
        match event:
            case MxMessage() | MxReaction() | MxRedaction() | MxPoll():
                portal = await self._talk.portals.get(portal_id)
                if portal is None or await self._is_about_file(event, portal_id):
                    return False
                self._talk.delivery.received(event.origin)
                await self._presences.note(event.origin.sender, portal)
                await self._departures.handle(Letter(event=event, seq=seq), portal)
                return True
            case MxEncrypted(origin=origin):
                await self._talk.delivery.failed(origin, what="message", sentence=notices.UNREADABLE)
            case MxMember():
                portal = await self._talk.portals.get(portal_id)
                if portal is not None:
                    await group_members.handle(event, portal, self._talk)
                    await emptied.handle(event, portal, self._closings, self._deps)
            case MxRoomChanged():
                portal = await self._talk.portals.get(portal_id)
                if portal is not None:
                    await group_meta.handle(event, portal, self._talk)
            case MxOther():
                pass
            case _:
                assert_never(event)
        return False

    async def _is_about_file(
        self, event: MxMessage | MxReaction | MxRedaction | MxPoll, portal_id: PortalId
    ) -> bool:
        """Whether somebody only wants a file tried again."""
        if isinstance(event, MxRedaction | MxPoll) or not asks_for_file(event):
            return False
        await self._talk.recorded(portal_id)
        return await self.missing_files.takes(event)

    async def _handle_ephemeral(self, event: MxEphemeral, portal_id: PortalId) -> bool:
        try:
            portal = await self._talk.portals.get(portal_id)
            if portal is None:
                return True
            match event:
                case MxTyping():
                    users = frozenset(user for user in event.users if not self._deps.is_ours(user))
                    await self._typists.handle(MxTyping(room_id=event.room_id, users=users), portal, self._talk)
                    for user in users:
                        await self._presences.note(user, portal)
                case MxReceipt() if not self._deps.is_ours(event.user):
                    await self._talk.recorded(portal_id)
                    await receipt.handle(event, portal, self._talk)
                    await self._presences.note(event.user, portal)
                case MxReceipt():
                    pass
                case _:
                    assert_never(event)
        except StoreError as error:
            # Nothing is lost for good: the next receipt covers this one.
            log.info("typing or a receipt was dropped: %s", error.text)
        except Exception:
            log.exception("typing or a receipt could not be handled")
        return True

    def _call_receipts(self, login_id: LoginId | None = None) -> None:
        """Tell WhatsApp what was read while it was away."""
        spawn(self._queue_receipts(login_id), name="receipts that waited", tasks=self._tasks)

    async def _queue_receipts(self, login_id: LoginId | None) -> None:
        try:
            for waiting in await receipt.get_waiting(self._talk, login_id):
                self._lanes.put(waiting.portal_id, partial(self._deliver_receipt, waiting))
        except StoreError as error:
            log.info("receipts that wait have to wait on: %s", error.text)

    async def _deliver_receipt(self, waiting: receipt.WaitingReceipt) -> bool:
        """Never holds up the chat: what fails now is called again."""
        try:
            if await receipt.deliver(waiting, self._talk):
                await receipt.forget(waiting, self._talk)
        except StoreError as error:
            log.info("a receipt has to wait on: %s", error.text)
        except Exception:
            log.exception("a receipt could not be handled")
        return True


def _make_closings(deps: BridgeDeps) -> Closings:
    talk = deps.talk
    return Closings(
        ClosingDeps(
            portals=talk.portals,
            matrix=deps.matrix,
            rooms=talk.following.deps.matrix_rooms,
            is_ours=deps.is_ours,
            settled=lambda portal_id: talk.records.settled(portal_id, talk.store),
        )
    )
