"""The whole bridge, as its users run it, on a real homeserver."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.conftest import MakeBridge, MakeSynapse
from tests.homeserver import BridgeProcess, Event, MatrixClient, PortPool, Registration, Synapse
from tests.postgres import Postgres

pytestmark = pytest.mark.synapse

BOT = "@whatsappbot:localhost"
QUESTIONS = 400
QUESTIONS_ON_POSTGRES = 120
"""Fewer: the chaos tests kill the bridge on Postgres as well."""
ROOMS = 4
PATIENCE_SECONDS = 180
DatabaseUri = str | None
"""None is the SQLite file in the bridge's folder."""


@pytest.fixture(params=["sqlite", "postgres"])
def database_uri(request: pytest.FixtureRequest) -> Iterator[DatabaseUri]:
    if request.param == "sqlite":
        yield None
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    name = f"bridge_{uuid4().hex}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


class Stage:
    """A homeserver with a bridge and Alice."""

    def __init__(self, synapse: Synapse, bridge: BridgeProcess, alice: MatrixClient) -> None:
        self.synapse = synapse
        self.bridge = bridge
        self.alice = alice

    async def open_dm(self) -> str:
        """A direct chat with the bot, greeted."""
        room = await self.alice.create_room(invite=[BOT], is_direct=True)
        await self.alice.wait_for_message(room, sender=BOT, contains="management room")
        return room

    async def ask(self, room: str, text: str, *, contains: str = "") -> str:
        """The bot's answer."""
        mark = self.alice.mark()
        await self.alice.send_text(room, text)
        answer = await self.alice.wait_for_message(room, sender=BOT, contains=contains, after=mark)
        return answer.body

    async def said(self, room: str) -> list[str]:
        """All the bot said in a room, as the homeserver has it."""
        return [event.body for event in await self.alice.messages(room) if is_answer(event)]


@pytest.fixture
async def stage(
    make_synapse: MakeSynapse, make_bridge: MakeBridge, ports: PortPool, database_uri: DatabaseUri
) -> Stage:
    port = ports.reserve()
    registration = Registration(url=f"http://127.0.0.1:{port}")
    synapse = await make_synapse(registration)
    bridge = make_bridge(synapse.url, registration, port=port, database_uri=database_uri)
    await bridge.start()
    return Stage(synapse, bridge, await synapse.create_client("alice"))


async def test_the_bot_answers_across_restarts_of_both_sides(stage: Stage) -> None:
    room = await stage.open_dm()
    assert "• `status`" in await stage.ask(room, "help")
    status = await stage.ask(room, "status", contains="Homeserver")
    assert "Synapse" in status
    await stage.bridge.restart()
    assert "Database" in await stage.ask(room, "status")
    await stage.synapse.restart()
    assert "Did you mean `help`?" in await stage.ask(room, "hepl")
    await stage.bridge.kill()
    await stage.alice.send_text(room, "version")
    await stage.bridge.start()
    await stage.alice.wait_for_message(room, sender=BOT, contains="mautrix-whatsapp-py")
    assert len(await stage.said(room)) == 6
    assert await stage.bridge.stop() == 0
    assert "Traceback" not in stage.bridge.output


async def test_a_room_of_several_is_told_the_prefix(stage: Stage) -> None:
    bob = await stage.synapse.create_client("bob")
    room = await stage.alice.create_room(invite=[bob.user_id])
    await bob.join(room)
    await stage.alice.invite(room, BOT)
    await stage.alice.wait_for_message(room, sender=BOT, contains="!wa help")
    mark = bob.mark()
    await bob.send_text(room, "version")
    asked = await bob.send_text(room, "!wa version")
    answer = await bob.wait_for_message(room, sender=BOT, contains="mautrix-whatsapp-py", after=mark)
    assert answer.content["m.relates_to"] == {"m.in_reply_to": {"event_id": asked}}
    assert len(await stage.said(room)) == 2


def is_answer(event: Event) -> bool:
    """Whether the bot said something."""
    return event.sender == BOT and event.is_message


def questions(room: int, count: int) -> list[str]:
    """What is asked in one of the rooms."""
    return [f"question{number}" for number in range(room, count, ROOMS)]


async def ask_all(alice: MatrixClient, room: str, texts: list[str]) -> None:
    """Ask without waiting for answers."""
    for text in texts:
        await alice.send_text(room, f"!wa {text}")


async def test_every_question_is_answered_once_and_in_order_whatever_is_killed(
    stage: Stage, database_uri: DatabaseUri
) -> None:
    count = QUESTIONS if database_uri is None else QUESTIONS_ON_POSTGRES
    rooms = [await stage.open_dm() for _ in range(ROOMS)]
    await stage.bridge.kill()
    await asyncio.gather(
        *(ask_all(stage.alice, room, questions(index, count)) for index, room in enumerate(rooms))
    )
    for killed in range(3):
        await stage.bridge.start()
        mark = stage.alice.mark()
        # Some are answered, most are stored or still on their way.
        await stage.alice.wait_for_all(is_answer, 10, after=mark, deadline_seconds=PATIENCE_SECONDS)
        await stage.bridge.kill()
        if killed == 1:
            await stage.synapse.restart()
    await stage.bridge.start()
    for index, room in enumerate(rooms):
        last = questions(index, count)[-1]
        await stage.alice.wait_for_message(
            room, sender=BOT, contains=f"`{last}`", deadline_seconds=PATIENCE_SECONDS
        )
    for index, room in enumerate(rooms):
        _, *answers = await stage.said(room)
        assert [answer.split("`")[1] for answer in answers] == questions(index, count)
