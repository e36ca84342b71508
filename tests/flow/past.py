"""The past for flow tests: what alice's phone hands over, and the work that brings it into rooms."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from mautrix_whatsapp_py.bridge.backfill.backfill import Backfill
from mautrix_whatsapp_py.bridge.backfill.deps import BackfillDeps, BackfillSettings
from mautrix_whatsapp_py.bridge.backfill.pace import Pace
from mautrix_whatsapp_py.bridge.files import FileBearer, NoFiles
from mautrix_whatsapp_py.bridge.management import ManagementRooms
from mautrix_whatsapp_py.ids import LoginId, WaJid
from mautrix_whatsapp_py.model.content import WaContent, WaText
from mautrix_whatsapp_py.model.wa import WaMessage
from mautrix_whatsapp_py.model.wa_history import WaHistoryStage
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind
from tests.fakes.copies import FakeMatrixCopies
from tests.fakes.history import FakeHistory
from tests.fakes.whatsapp import START
from tests.flow.chat import BEN, LOGIN, OWN, Chat, source_of
from tests.flow.world import DEADLINE_SECONDS, World

CONNECTED = WaState(kind=WaStateKind.CONNECTED, since=START)
SETTINGS = BackfillSettings(wait=timedelta())


@dataclass(slots=True)
class Past:
    """Bridges come and go; what sessions hold stays."""

    chat: Chat
    settings: BackfillSettings = SETTINGS
    histories: dict[LoginId, FakeHistory] = field(default_factory=dict)
    files: FileBearer = field(default_factory=NoFiles)
    backfill: Backfill = field(init=False)

    @classmethod
    async def open(cls, world: World, settings: BackfillSettings = SETTINGS) -> Past:
        """Alice's account, linked a minute ago, with nothing from before."""
        chat = await Chat.open(world)
        world.clock.advance(60)
        past = cls(chat, settings)
        past.histories[LOGIN] = FakeHistory()
        past.attach()
        return past

    @property
    def world(self) -> World:
        return self.chat.world

    @property
    def history(self) -> FakeHistory:
        """What alice's session holds."""
        return self.histories[LOGIN]

    def attach(self) -> None:
        """The work begins with a bridge."""
        world = self.world
        self.backfill = Backfill(
            BackfillDeps(
                talk=replace(world.talk, files=self.files),
                open_history=self.histories.get,
                management=ManagementRooms(users=world.users, matrix=world.matrix, rooms=world.rooms),
                matrix=world.matrix,
                settings=self.settings,
                pace=Pace(world.clock),
                copies=FakeMatrixCopies(world.chats),
            )
        )
        world.logins.add_listener(self.backfill.on_state)

    async def restart(self, *, is_killed: bool = False) -> None:
        """Another bridge goes on."""
        await self.backfill.stop()
        if is_killed:
            await self.world.kill()
            await self.world.stop()
        else:
            await self.world.stop()
        await self.world.start_anew()
        self.attach()
        await self.backfill.load()
        self.wake()
        await self.chat.repeat()

    def wake(self) -> None:
        """The link says something."""
        for login in self.histories:
            known = self.world.logins.get(login)
            if known is not None:
                self.backfill.on_state(known, CONNECTED)

    def write(
        self, count: int, *, chat: WaJid = BEN, first: int = 0, age: timedelta = timedelta(days=1)
    ) -> list[WaMessage]:
        """Texts of the past, a minute apart."""
        return [
            self.message(WaText(body=f"{chat.user} {number}"), chat=chat, number=number, age=age)
            for number in range(first, first + count)
        ]

    def message(
        self,
        content: WaContent,
        *,
        number: int,
        chat: WaJid = BEN,
        age: timedelta = timedelta(days=1),
        is_own: bool = False,
    ) -> WaMessage:
        """One message of the past."""
        at = START - age + timedelta(minutes=number)
        sender = OWN if is_own else BEN if chat.is_group else chat
        made = self.chat.message(
            content, sender=sender, chat=chat, message_id=f"OLD-{chat.user}-{number}-{age.days}", at=at
        )
        source = source_of(sender, chat=chat, is_from_me=is_own)
        return WaMessage(
            source=source,
            message_id=made.message_id,
            timestamp=at,
            content=content,
            push_name="" if is_own else "Ben",
        )

    async def bring(self) -> None:
        """Let the work be done to its end."""
        self.wake()
        await self.until(lambda: not self.backfill._running and not self.backfill._woken)
        await self.world.settled()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let time pass until something is so."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                self.backfill.tick()
                if condition():
                    return
                self.world.clock.advance(1)
                await asyncio.sleep(0.001)

    def count(self, stage: WaHistoryStage) -> int:
        """How much of alice's past is at a stage."""
        return self.history.count(stage)
