"""A bridge with everything around it, for flow tests."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Sequence
from types import MappingProxyType

from mautrix_whatsapp_py.bridge.bridge import Bridge
from mautrix_whatsapp_py.bridge.deps import BridgeDeps, BridgeSettings
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.commands.admin import AdminDeps, admin_commands
from mautrix_whatsapp_py.commands.dialogs import Dialogs
from mautrix_whatsapp_py.commands.dispatch import Dispatcher
from mautrix_whatsapp_py.config.permissions import Permission, PermissionLevel, Permissions
from mautrix_whatsapp_py.errors import StoreUnavailable
from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.content import MxMessageContent, MxMsgType
from mautrix_whatsapp_py.model.mx import (
    MxEncrypted,
    MxEvent,
    MxMember,
    MxMembership,
    MxMessage,
    MxOrigin,
    MxStored,
)
from mautrix_whatsapp_py.store.inbox import Inbox
from mautrix_whatsapp_py.store.store import Store
from tests.fakes.clock import FakeClock
from tests.fakes.matrix import BOT, FakeMatrixApi, KilledError

DEADLINE_SECONDS = 20
ALICE = MxUserId("@alice:localhost")
BOB = MxUserId("@bob:localhost")
RELAYED = MxUserId("@relayed:elsewhere")
BLOCKED = MxUserId("@blocked:elsewhere")
DM = MxRoomId("!dm:localhost")
GROUP = MxRoomId("!group:localhost")
PERMISSIONS = Permissions(
    MappingProxyType(
        {
            "localhost": Permission(level=PermissionLevel.USER),
            RELAYED: Permission(level=PermissionLevel.RELAY),
        }
    )
)


class FaultyInbox(Inbox):
    """The inbox, which can be told to fail."""

    failures: list[tuple[BaseException, bool]]

    def __init__(self, store: Store, clock: FakeClock) -> None:
        super().__init__(store, clock)
        self.failures = []

    async def mark_handled(self, seq: InboxSeq) -> None:
        error, is_too_late = self.failures.pop(0) if self.failures else (None, False)
        if error is not None and not is_too_late:
            raise error
        await super().mark_handled(seq)
        if error is not None:
            raise error


class World:
    """The homeserver and the database stay, bridges come and go."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.matrix = FakeMatrixApi()
        self.clock = FakeClock()
        self.inbox = FaultyInbox(store, self.clock)
        self.users = Users(store)
        self._events: dict[MxEventId, MxEvent] = {}
        self._counter = itertools.count()
        self.bridge = self._new_bridge()

    def _new_bridge(self) -> Bridge:
        dialogs = Dialogs()
        commands = admin_commands(AdminDeps(users=self.users, dialogs=dialogs, status_parts=()))
        settings = BridgeSettings(
            command_prefix="!wa",
            permissions=PERMISSIONS,
            ghost_pattern=re.compile(r"@whatsapp_.*:localhost"),
        )
        deps = BridgeDeps(
            matrix=self.matrix,
            inbox=self.inbox,
            users=self.users,
            commands=Dispatcher(commands, prefix="!wa", dialogs=dialogs),
            clock=self.clock,
            settings=settings,
        )
        return Bridge(deps)

    async def restart(self) -> None:
        """Another bridge takes over what is stored."""
        await self.bridge.stop(seconds=1)
        self.bridge = self._new_bridge()
        for stored in await self.inbox.get_pending():
            self.bridge.on_mx_event(self._events[stored.event_id], stored.seq)

    async def deliver(self, *events: MxEvent) -> None:
        """The homeserver pushes a transaction with events."""
        stored = [self._store(event) for event in events]
        txn_id = MxTxnId(f"txn{next(self._counter)}")
        for new in await self.inbox.add_transaction(txn_id, stored):
            self.bridge.on_mx_event(self._events[new.event_id], new.seq)

    async def settled(self) -> None:
        """Wait until the bridge has handled everything."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self.bridge.idle()

    async def pending(self) -> Sequence[MxStored]:
        """What is stored and not handled."""
        return await self.inbox.get_pending()

    def origin(self, room_id: MxRoomId, sender: MxUserId) -> MxOrigin:
        """A new event's origin."""
        event_id = MxEventId(f"$event{next(self._counter)}")
        return MxOrigin(event_id=event_id, room_id=room_id, sender=sender, sent_at=self.clock.now())

    def text(
        self, body: str, *, room_id: MxRoomId = DM, sender: MxUserId = ALICE, msgtype: str = "m.text"
    ) -> MxMessage:
        """A message."""
        content = MxMessageContent(msgtype=MxMsgType(msgtype), body=body)
        return MxMessage(origin=self.origin(room_id, sender), content=content)

    def invite(self, *, room_id: MxRoomId = DM, sender: MxUserId = ALICE, user: MxUserId = BOT) -> MxMember:
        """An invitation."""
        return MxMember(origin=self.origin(room_id, sender), user=user, membership=MxMembership.INVITE)

    def encrypted(self, *, room_id: MxRoomId = DM, sender: MxUserId = ALICE) -> MxEncrypted:
        """A message nobody here can read."""
        return MxEncrypted(origin=self.origin(room_id, sender))

    async def open_dm(self) -> None:
        """Alice invites the bot to a direct chat."""
        self.matrix.add_room(DM, ALICE)
        await self.deliver(self.invite())
        await self.settled()

    def fail_mark(self, *, is_too_late: bool, is_crash: bool) -> None:
        """Make the next note that an event is handled fail."""
        error = KilledError() if is_crash else StoreUnavailable()
        self.inbox.failures.append((error, is_too_late))

    def _store(self, event: MxEvent) -> MxStored:
        origin = event.origin
        self._events[origin.event_id] = event
        return MxStored(
            seq=InboxSeq(0),
            event_id=origin.event_id,
            room_id=origin.room_id,
            sender=origin.sender,
            kind="test",
            body="{}",
        )
