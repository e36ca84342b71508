"""Alice in all her chats, and the means to break what carries them."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.conversation import Conversation, Mailbox, persist
from tests.chaos.ledger import STATES, Verdict, compare
from tests.chaos.storm import Force, Plan, Storm, is_long
from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.linking_stage import Seat, Stage
from tests.homeserver import PortPool, Registration
from tests.homeserver.events import Event
from tests.homeserver.hosts import host_pids
from tests.postgres import OwnPostgres
from tests.simulator.api import Account, Jid, groups, host_command, simulator

BOT = "@whatsappbot:localhost"
KINDS = ("text", "text", "text", "text", "text", "text", "reply", "edit", "reaction")
MESSAGE_KINDS = ("text", "reply")
START_SECONDS = 300 if is_long() else 90
SILENCE_SECONDS = 90
"""How long nothing may move before the rest counts as lost: longer than anything rests between two tries."""
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended."""

    outgoing: Verdict
    incoming: Verdict
    wrong_reactions: list[str]
    notices: list[str]
    dropped: int
    """What the client library encrypted under a used number, so that phones dropped it."""


@dataclass(slots=True, kw_only=True)
class Scene:
    """Everything there is."""

    stage: Stage
    plan: Plan
    rng: random.Random
    database: OwnPostgres | None
    conversations: list[Conversation] = field(default_factory=list)
    boxes: list[Mailbox] = field(default_factory=list)

    async def meet(self) -> None:
        """Half of the chats are direct, the others groups of alice and two of those people."""
        direct = max(2, self.plan.chats // 2)
        wa, own = self.stage.wa, self.stage.phone
        people = [wa.add_account(f"1555100{number:04}", f"Person {number}") for number in range(direct)]
        self.boxes = [Mailbox(account) for account in people]
        for number, box in enumerate(self.boxes):
            await self.open(f"direct{number}", own.lid, [box])
        for number in range(self.plan.chats - direct):
            boxes = [self.boxes[number % direct], self.boxes[(number + 1) % direct]]
            group = groups.create_group(wa.world, boxes[0].account, f"Club {number}", [own, boxes[1].account])
            await self.open(f"group{number}", group.jid, boxes)

    async def open(self, name: str, chat: Jid, boxes: list[Mailbox], own: Account | None = None) -> None:
        """Begin a chat of one of alice's accounts; somebody else writes first."""
        alice = self.stage.alice.client
        mark = alice.mark()
        conversation = Conversation(
            name=name,
            room="",
            chat=chat,
            own=own or self.stage.phone,
            alice=alice,
            boxes=boxes,
            rng=self.rng,
        )
        await conversation.write_in("text")
        invite = await alice.wait_for_invite(sender=BOT, after=mark)
        await alice.join(invite.room_id)
        conversation.room = invite.room_id
        await alice.wait_for_message(invite.room_id, contains=f"in {name}", deadline_seconds=START_SECONDS)
        self.conversations.append(conversation)

    # breaking things

    def forces(self) -> list[Force]:
        """What strikes."""
        plan, proxy = self.plan, self.stage.wa.proxy

        async def drop() -> None:
            proxy.drop_all()

        return [
            Force(name="bridge killed", times=plan.bridge_kills, strike=self._kill_bridge),
            Force(name="host killed", times=plan.host_kills, strike=self._kill_hosts),
            Force(name="homeserver stopped", times=plan.homeserver_stops, strike=self._stop_homeserver),
            Force(name="socket dropped", times=plan.socket_drops, strike=drop),
            Force(name="database restarted", times=plan.database_restarts, strike=self._restart_database),
        ]

    async def _kill_bridge(self) -> None:
        await self.stage.bridge.kill()
        await self.stage.bridge.start(deadline_seconds=START_SECONDS)

    async def _kill_hosts(self) -> None:
        pids = host_pids(self.stage.bridge.folder)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(START_SECONDS):
            while not set(host_pids(self.stage.bridge.folder)) - set(pids):
                await asyncio.sleep(LOOK_SECONDS)

    async def _stop_homeserver(self) -> None:
        await self.stage.synapse.stop()
        # The length of the outage is what is asked for, not a wait for something.
        await asyncio.sleep(self.plan.homeserver_away_seconds)
        await self.stage.synapse.start()

    async def _restart_database(self) -> None:
        assert self.database is not None
        await asyncio.to_thread(self.database.restart)

    # writing

    async def weather(self) -> None:
        """Everybody writes while everything breaks."""
        plan = self.plan
        storm = Storm(rng=self.rng, steps=2 * plan.messages, forces=self.forces())
        async with asyncio.TaskGroup() as group:
            group.create_task(storm.rage())
            for number, conversation in enumerate(self.conversations):
                count = len(range(number, plan.messages, plan.chats))
                group.create_task(self.write(conversation.write_out, count, storm))
                group.create_task(self.write(conversation.write_in, count, storm))

    async def write(self, write: Callable[[str], Awaitable[None]], count: int, storm: Storm) -> None:
        """Write so many messages, at the pace of the storm."""
        while count > 0:
            kind = self.rng.choice(KINDS)
            await write(kind)
            # Edits and reactions come on top.
            if kind in MESSAGE_KINDS:
                count -= 1
                await storm.step()

    # judging

    async def settle(self) -> Outcome:
        """Wait until all has come through, or nothing moves any more; what came of it."""
        loop = asyncio.get_running_loop()
        last, moved_at = -1, loop.time()
        while True:
            outcome, seen = await self._look()
            is_complete = not (outcome.outgoing.lost or outcome.incoming.lost or outcome.wrong_reactions)
            if is_complete or loop.time() - moved_at > SILENCE_SECONDS:
                return outcome
            if seen != last:
                last, moved_at = seen, loop.time()
            await asyncio.sleep(LOOK_SECONDS)

    async def finish(self) -> None:
        """One more message each way in every chat: whatever would still have come twice comes before it."""
        for conversation in self.conversations:
            await conversation.write_out("text")
            await conversation.write_in("text")

    async def _look(self) -> tuple[Outcome, int]:
        outgoing, incoming, wrong, notices, seen = Verdict(), Verdict(), [], [], 0
        for conversation in self.conversations:
            for box in conversation.boxes:
                read = conversation.read_on(box)
                seen += len(read)
                outgoing.add(compare(conversation.out_tokens, read, states=STATES))
            timeline = await self._timeline(conversation)
            seen += len(timeline)
            incoming.add(compare(conversation.in_tokens, conversation.read_in_room(timeline)))
            found = conversation.reactions_in_room(timeline)
            wanted = {key: [emoji] for key, emoji in conversation.reactions.items()}
            wrong += [
                f"{conversation.name} {key}: {found.get(key)}, not {wanted.get(key)}"
                for key in found.keys() | wanted.keys()
                if found.get(key) != wanted.get(key)
            ]
            notices += [event.body for event in timeline if event.is_message and event.sender == BOT]
        dropped = sum(box.dropped for box in self.boxes)
        outcome = Outcome(
            outgoing=outgoing, incoming=incoming, wrong_reactions=wrong, notices=notices, dropped=dropped
        )
        return outcome, seen

    async def _timeline(self, conversation: Conversation) -> list[Event]:
        return await persist(lambda: conversation.alice.messages(conversation.room))


@asynccontextmanager
async def play(
    plan: Plan,
    *,
    seed: int,
    folder: Path,
    make_synapse: MakeSynapse,
    make_bridge: MakeBridge,
    ports: PortPool,
    database: OwnPostgres | None,
) -> AsyncIterator[Scene]:
    """Alice, linked, in all her chats."""
    async with simulator(folder / "wa") as wa:
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration)
        bridge = make_bridge(
            synapse.url,
            registration,
            port=port,
            database_uri=None if database is None else database.create_database("bridge"),
            sections={"whatsapp": {"host_command": list(host_command(wa))}},
        )
        await bridge.start()
        alice = await Seat.take(await synapse.create_client("alice"), bridge)
        phone = wa.add_account("15550001111", "Alice")
        stage = Stage(wa=wa, synapse=synapse, bridge=bridge, alice=alice, phone=phone)
        await alice.scan(phone)
        await alice.until_connected()
        scene = Scene(stage=stage, plan=plan, rng=random.Random(seed), database=database)
        await scene.meet()
        yield scene
        await bridge.stop()
