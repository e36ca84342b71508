"""Who is online, where the user wants it."""

from __future__ import annotations

import asyncio

import pytest

from mautrix_whatsapp_py.bridge.presences import ONLINE_SECONDS, REFRESH_SECONDS
from mautrix_whatsapp_py.model.privacy import ShownKind
from mautrix_whatsapp_py.model.wa import WaPresence
from tests.flow.chat import BEN, BEN_GHOST, CARLA, LOGIN, Chat
from tests.flow.world import World


@pytest.fixture
async def chat(world: World) -> Chat:
    made = await Chat.open(world)
    await made.hear("hello")
    return made


async def pass_time(chat: Chat, seconds: float) -> None:
    """Let the clock go on, and what waits for it run."""
    for step in (0.0, seconds):
        chat.world.clock.advance(step)
        for _ in range(50):
            await asyncio.sleep(0)
        await chat.world.settled()


async def want(chat: Chat) -> None:
    portal_id = chat.world.talk.portals.get_id(chat.room_id)
    assert portal_id is not None
    await chat.world.talk.privacy.set(LOGIN, portal_id, ShownKind.PRESENCE, is_shown=True)


async def test_nobody_is_shown_unless_they_want_it(chat: Chat) -> None:
    await chat.say("hi")
    assert chat.client.presences == []
    assert chat.client.watched == []


async def test_who_writes_is_online_for_a_while(chat: Chat) -> None:
    await want(chat)
    await chat.say("hi")
    await chat.world.settled()
    assert chat.client.presences == [True]
    assert chat.client.watched == [BEN]
    await pass_time(chat, ONLINE_SECONDS - 1)
    await chat.say("again")
    await pass_time(chat, 2)
    assert chat.client.presences == [True]
    await pass_time(chat, ONLINE_SECONDS)
    assert chat.client.presences == [True, False]


async def test_a_contact_is_shown_as_long_as_whatsapp_says(chat: Chat) -> None:
    await chat.receive(WaPresence(person=BEN, is_available=True))
    await pass_time(chat, REFRESH_SECONDS)
    await chat.receive(WaPresence(person=BEN, is_available=False))
    await pass_time(chat, REFRESH_SECONDS)
    assert chat.world.chats.presences == [(BEN_GHOST, True), (BEN_GHOST, True), (BEN_GHOST, False)]


async def test_somebody_nobody_knows_is_not_shown(chat: Chat) -> None:
    await chat.receive(WaPresence(person=CARLA, is_available=True))
    assert chat.world.chats.presences == []
