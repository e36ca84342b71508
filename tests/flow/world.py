"""A bridge with everything around it, for flow tests."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Callable, Sequence
from types import MappingProxyType

from mautrix_whatsapp_py.bridge.bridge import Bridge
from mautrix_whatsapp_py.bridge.delivery import DeliverySettings
from mautrix_whatsapp_py.bridge.deps import BridgeDeps, BridgeSettings
from mautrix_whatsapp_py.bridge.doubles import Doubles, NoDoubles
from mautrix_whatsapp_py.bridge.files import FileBearer, NoFiles
from mautrix_whatsapp_py.bridge.group_work import GroupSettings
from mautrix_whatsapp_py.bridge.herald import LinkHerald
from mautrix_whatsapp_py.bridge.linking import Linking, LinkingDeps
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.bridge.management import ManagementRooms
from mautrix_whatsapp_py.bridge.partings import PartingDeps, Partings
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.relays import RelaySettings
from mautrix_whatsapp_py.bridge.showcase import Showcase
from mautrix_whatsapp_py.bridge.talk import Talk, TalkSettings
from mautrix_whatsapp_py.bridge.welcoming import Welcoming
from mautrix_whatsapp_py.commands.admin import AdminDeps, admin_commands
from mautrix_whatsapp_py.commands.dialogs import Dialogs
from mautrix_whatsapp_py.commands.dispatch import Dispatcher
from mautrix_whatsapp_py.commands.forgetting import forgetting_commands
from mautrix_whatsapp_py.commands.links import link_commands
from mautrix_whatsapp_py.commands.login import login_commands
from mautrix_whatsapp_py.commands.spec import Command
from mautrix_whatsapp_py.commands.status import links_part
from mautrix_whatsapp_py.config.permissions import Permission, PermissionLevel, Permissions
from mautrix_whatsapp_py.config.tree import CleanupSection, StatusNotices
from mautrix_whatsapp_py.errors import StoreUnavailable
from mautrix_whatsapp_py.ids import InboxSeq, JournalSeq, LoginId, MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.content import MxMessageContent, MxMsgType
from mautrix_whatsapp_py.model.filtering import FilterRule
from mautrix_whatsapp_py.model.mx import (
    MxEncrypted,
    MxEvent,
    MxMember,
    MxMembership,
    MxMessage,
    MxOrigin,
    MxStored,
)
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa import WaEvent
from mautrix_whatsapp_py.model.wa_link import WaState
from mautrix_whatsapp_py.ports_ciphers import Ciphers
from mautrix_whatsapp_py.store.store import Store
from tests.fakes.chats import FakeMatrixChats
from tests.fakes.checkpoints import FakeCheckpoints
from tests.fakes.clock import FakeClock
from tests.fakes.doubles import usual_commands
from tests.fakes.groups import FakeGroups, FakeMatrixGroups
from tests.fakes.matrix import BOT, FakeMatrixApi, KilledError
from tests.fakes.media import FakeMatrixFiles
from tests.fakes.people import FakeMatrixPeople
from tests.fakes.rooms import FakeMatrixRooms
from tests.fakes.whatsapp import FakeNetwork
from tests.flow.attempt_work import make_attempts, make_page_links
from tests.flow.bystanders import Artist, Reporter
from tests.flow.chat_work import Directories, make_chat_work
from tests.flow.faulty import FaultyInbox, FaultyLoginBook, FaultyShownCodes
from tests.flow.forgetting_work import make_forgetting
from tests.flow.world_talk import make_talk_of

DEADLINE_SECONDS = 20
ROOT = MxUserId("@root:localhost")
"""Runs the bridge."""
ALICE = MxUserId("@alice:localhost")
BOB = MxUserId("@bob:localhost")
CAROL = MxUserId("@carol:localhost")
"""May link one account."""
NOLOGIN = MxUserId("@nologin:localhost")
"""May use commands, but link nothing."""
RELAYED = MxUserId("@relayed:elsewhere")
BLOCKED = MxUserId("@blocked:elsewhere")
DM = MxRoomId("!dm:localhost")
BOBS_DM = MxRoomId("!bob:localhost")
GROUP = MxRoomId("!group:localhost")
PERMISSIONS = Permissions(
    MappingProxyType(
        {
            "localhost": Permission(level=PermissionLevel.USER),
            ROOT: Permission(level=PermissionLevel.ADMIN),
            CAROL: Permission(level=PermissionLevel.USER, max_logins=1),
            NOLOGIN: Permission(level=PermissionLevel.COMMANDS),
            RELAYED: Permission(level=PermissionLevel.RELAY),
        }
    )
)


class _Sink:
    def __init__(self, world: World) -> None:
        self._world = world

    def on_wa_event(self, login: LoginId, seq: JournalSeq, event: WaEvent) -> None:
        self._world.bridge.on_wa_event(login, seq, event)

    def on_wa_state(self, login: LoginId, state: WaState) -> None:
        self._world.logins.on_wa_state(login, state)


class World:
    """The homeserver and the database stay, bridges come and go."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.matrix = FakeMatrixApi()
        self.clock = FakeClock()
        self.inbox = FaultyInbox(store, self.clock)
        self.users = Users(store)
        self.permissions = PERMISSIONS
        self.network = FakeNetwork()
        self.small_files = FakeMatrixFiles()
        self.states: list[tuple[MxUserId, str]] = []
        """What the status endpoint was told."""
        self.notices = StatusNotices.ERRORS
        self.chats = FakeMatrixChats(self.matrix)
        self.checkpoints = FakeCheckpoints()
        self.delivery = DeliverySettings(with_status_events=True, with_receipts=True)
        self.talk_settings = TalkSettings()
        self.files: FileBearer = NoFiles()
        self.has_encrypted_rooms = False
        self.people = FakeMatrixPeople(self.matrix, self.chats)
        self.relaying: RelaySettings | None = None
        self.rooms = FakeMatrixRooms(self.matrix, self.chats)
        self.directories = Directories(self.network)
        self.groups = FakeMatrixGroups(self.matrix)
        self.wa_groups: dict[LoginId, FakeGroups] = {}
        self.group_settings = GroupSettings(has_spaces=False)
        self.configured: tuple[FilterRule, ...] = ()
        self.cleanup = CleanupSection()
        self.doubles: Doubles = NoDoubles()
        self.ciphers: Ciphers | None = None
        self.requires_encryption = False
        self.more_commands: Callable[[Talk], tuple[Command, ...]] = usual_commands
        self._events: dict[MxEventId, MxEvent] = {}
        self._counter = itertools.count()
        self.bridge = self._new_bridge()

    def _new_bridge(self) -> Bridge:
        dialogs = Dialogs()
        self._make_links()
        links = links_part(logins=self.logins, network=self.network, clock=self.clock)
        talk = make_talk_of(self)
        self.work = make_chat_work(
            talk,
            matrix=self.matrix,
            rooms=self.rooms,
            users=self.users,
            permissions=PERMISSIONS,
            answer=lambda request: self.dispatcher.answer(request),
        )
        cancels = (self.linking.cancel, self.work.syncing.cancel)
        admin = AdminDeps(users=self.users, dialogs=dialogs, status_parts=(links,), cancels=cancels)
        commands = (
            *login_commands(linking=self.linking, logins=self.logins, links=make_page_links(self.clock)),
            *link_commands(logins=self.logins, network=self.network, clock=self.clock),
            *self.more_commands(talk),
            *self.work.commands,
            *forgetting_commands(make_forgetting(self), dialogs),
            *admin_commands(admin),
        )
        self.dispatcher = Dispatcher(commands, prefix="!wa", dialogs=dialogs)
        settings = BridgeSettings(
            command_prefix="!wa",
            permissions=PERMISSIONS,
            ghost_pattern=re.compile(r"@whatsapp_.*:localhost"),
            requires_encryption=self.requires_encryption,
        )
        deps = BridgeDeps(
            matrix=self.matrix,
            inbox=self.inbox,
            users=self.users,
            commands=self.dispatcher,
            clock=self.clock,
            settings=settings,
            talk=talk,
            ciphers=self.ciphers,
        )
        bridge = Bridge(deps)
        self.inbox.begin_with(bridge.beginnings)
        self.logins.add_listener(bridge.on_state)
        self.partings = Partings(PartingDeps(talk=talk, closings=self.work.deps.closings, settings=self.cleanup))
        self.logins.bind_farewell(self.partings)
        self.logins.add_listener(self.partings.on_state)
        return bridge

    async def is_encrypted(self, _portal: Portal) -> bool:
        return self.has_encrypted_rooms

    def open_groups(self, login: LoginId) -> FakeGroups | None:
        if login not in self.network.clients:
            return None
        return self.wa_groups.setdefault(login, FakeGroups())

    def _make_links(self) -> None:
        self.book = FaultyLoginBook(self.store)
        self.logins = Logins(
            book=self.book, network=self.network, clock=self.clock, reporter=Reporter(self.states)
        )
        self.network.sink = _Sink(self)
        self.herald = LinkHerald(
            logins=self.logins,
            network=self.network,
            management=ManagementRooms(users=self.users, matrix=self.matrix, rooms=self.rooms),
            matrix=self.matrix,
            clock=self.clock,
            level=self.notices,
        )
        self.logins.add_listener(self.herald.on_state)
        self.shown = FaultyShownCodes(self.store)
        welcoming = Welcoming(
            network=self.network,
            logins=self.logins,
            max_logins=lambda user: PERMISSIONS.get_permission(user).max_logins,
        )
        self.attempts = make_attempts(self, welcoming)
        self.linking = Linking(
            LinkingDeps(
                matrix=self.matrix,
                network=self.network,
                logins=self.logins,
                users=self.users,
                showcase=Showcase(matrix=self.matrix, artist=Artist(), shown=self.shown),
                clock=self.clock,
                welcoming=welcoming,
            )
        )

    async def stop(self) -> None:
        """The bridge ends in order."""
        await self.bridge.stop(seconds=1)
        await self.following.stop()
        await self.linking.stop()
        await self.attempts.stop()
        await self.work.syncing.stop()
        await self.partings.stop()
        await self.herald.stop()

    async def kill(self) -> None:
        """The bridge ends without a chance to tidy up: nothing reaches the homeserver any more."""
        await self.bridge.stop(seconds=1)
        self.matrix.is_cut_off = True
        tasks = [*self.linking._tasks, *self.herald._tasks, *self.work.syncing.end()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.matrix.is_cut_off = self.matrix.is_cut_off_after_crash = False

    async def restart(self) -> None:
        """Another bridge takes over what is stored."""
        await self.stop()
        await self.start_anew()

    async def start_anew(self) -> None:
        """A bridge starts on what is stored."""
        self.bridge = self._new_bridge()
        await self.bridge.load()
        await self.work.syncing.load(self.logins)
        await self.logins.load()
        self.logins.check_sessions()
        await self.linking.recover()
        for stored in await self.inbox.get_pending():
            self.bridge.on_mx_event(self._events[stored.event_id], stored.seq)
        self.partings.begin()

    async def deliver(self, *events: MxEvent) -> None:
        """The homeserver pushes a transaction with events."""
        stored = [self._store(event) for event in events]
        txn_id = MxTxnId(f"txn{next(self._counter)}")
        for new in await self.inbox.add_transaction(txn_id, stored):
            self.bridge.on_mx_event(self._events[new.event_id], new.seq)

    async def say(self, body: str, *, room_id: MxRoomId = DM, sender: MxUserId = ALICE) -> None:
        """Somebody says something, and the bridge does at once what it does about it."""
        await self.deliver(self.text(body, room_id=room_id, sender=sender))
        await self.settled()

    async def heard(self, part: str, *, room_id: MxRoomId = DM, count: int = 1) -> str:
        """The last notice with these words, as soon as there are so many of them."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self.matrix.wait_for_body(room_id, part, count=count)
        return next(body for body in reversed(self.matrix.bodies(room_id)) if part in body)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the bridge work until something is so."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():
                await asyncio.sleep(0.001)

    async def quiet(self) -> None:
        """Wait until all that is to be told of links is told, or waits for its time."""
        await self.settled()
        for _ in range(10):
            # A waiting task needs some turns of the loop to see that it has been woken.
            await asyncio.sleep(0)
        await self.until(lambda: len(self.herald._tasks) <= self.clock.sleeping)

    async def noted(self, count: int) -> None:
        """Wait until so many codes are stored as being on show."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(await self.shown.get_all()) < count:
                await asyncio.sleep(0.001)

    async def settled(self) -> None:
        """Wait until the bridge has handled everything."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self.bridge.idle()
            await self.following.idle()
            await self.bridge.idle()

    async def parted(self) -> None:
        """Wait until the rooms of accounts that went are seen to."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self.partings.idle()
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

    async def open_dm(self, *, room_id: MxRoomId = DM, user: MxUserId = ALICE) -> None:
        """Somebody invites the bot to a direct chat."""
        self.matrix.add_room(room_id, user)
        await self.deliver(self.invite(room_id=room_id, sender=user))
        await self.settled()

    def fail_mark(self, *, is_too_late: bool, is_crash: bool) -> None:
        """Make the next note that an event is handled fail."""
        error = KilledError() if is_crash else StoreUnavailable()
        self.inbox.failures.append((error, is_too_late))

    def _store(self, event: MxEvent) -> MxStored:
        origin = event.origin
        self.people.senders[origin.event_id] = origin.sender
        self._events[origin.event_id] = event
        return MxStored(
            seq=InboxSeq(0),
            event_id=origin.event_id,
            room_id=origin.room_id,
            sender=origin.sender,
            kind="m.room.message" if isinstance(event, MxMessage) else "test",
            body=json.dumps({"body": event.content.body if isinstance(event, MxMessage) else ""}),
        )
