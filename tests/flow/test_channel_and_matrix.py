"""One account, two faces: what the channel and Matrix see of each other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mautrix_whatsapp_py.app.channel import ChannelParts, Ground, make_parts
from mautrix_whatsapp_py.channel.service import Letter
from mautrix_whatsapp_py.config.channel import ChannelSection, GroupPolicy
from mautrix_whatsapp_py.errors import MatrixUnreachable
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.channel import ItemSeq
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.filtering import EVERYTHING, FilterRule
from mautrix_whatsapp_py.model.wa import WaMessage
from tests.flow.channel_desk import Shelf, refuse_posts
from tests.flow.chat import BEN, BEN_GHOST, CLUB, OWN_GHOST, Chat
from tests.flow.world import World


class Both:
    """A bridge with a channel, which can be started anew."""

    def __init__(self, world: World, chat: Chat, folder: Path) -> None:
        self.world, self.chat, self._folder = world, chat, folder
        self.parts: ChannelParts
        self._sleeping = 0
        self.attach()

    def attach(self) -> None:
        """A channel beside the bridge there is now."""
        world = self.world
        section = ChannelSection(enabled=True, allow_from=("*",), group_policy=GroupPolicy.OPEN)
        ground = Ground(
            store=world.store,
            network=world.network,
            persons=world.persons,
            door=world.bridge.side_door,
            clock=world.clock,
            open_directory=world.directories.open,
            source=Shelf(),
            folder=self._folder,
        )
        self.parts = make_parts(section, ground, token="unused", post=refuse_posts)
        world.talk.tap.bind(self.parts.intake.take)

    async def restart(self) -> None:
        """Another bridge and channel take over."""
        await self.world.restart()
        self.attach()
        await self.parts.channel.deps.sender.resume()
        await self.chat.repeat()

    async def texts(self) -> list[str]:
        """What waits for the channel's reader."""
        feed = self.parts.channel.deps.feed
        items = await feed.follow("default", after=ItemSeq(0), most=100, wait_seconds=0)
        return [item.body.text for item in items]

    async def say(self, text: str, *, key: str = "") -> None:
        """The channel's reader answers Ben, and it is shown."""
        await self.send(text, key=key)
        await self.world.settled()

    async def send(self, text: str, *, key: str = "") -> None:
        """The channel's reader answers Ben."""
        self._sleeping = self.world.clock.sleeping
        channel = self.parts.channel
        place = await channel.require_place(f"contact:+{BEN.user}")
        await channel.send(place, Letter(text=text, key=key))

    async def until_resting(self) -> None:
        """Wait until the chat waits to try again."""
        await self.world.until(lambda: self.world.clock.sleeping > self._sleeping)


@pytest.fixture
async def both(world: World, tmp_path: Path) -> AsyncIterator[Both]:
    chat = await Chat.open(world)
    both = Both(world, chat, tmp_path)
    yield both
    await both.parts.courtesies.stop()


async def test_both_faces_hear_a_message_once(both: Both) -> None:
    await both.chat.hear("hello")
    assert both.chat.texts == ["hello"]
    assert await both.texts() == ["hello"]
    await both.restart()
    assert both.chat.texts == ["hello"]
    assert await both.texts() == ["hello"]
    assert both.chat.unacknowledged() == []


async def test_what_the_channel_says_is_shown_as_the_accounts_own(both: Both) -> None:
    await both.chat.hear("hello")
    await both.say("hi Ben", key="k")
    await both.say("hi Ben", key="k")
    said = [(one.sender, one.content.body) for one in both.world.chats.said if hasattr(one.content, "body")]
    assert said == [(BEN_GHOST, "hello"), (OWN_GHOST, "hi Ben")]
    assert [one.content for one in both.chat.client.messages] == [WaText(body="hi Ben")]
    await both.restart()
    await both.say("hi Ben", key="k")
    assert both.chat.texts == ["hello", "hi Ben"]


async def test_a_chat_that_began_in_the_channel_gets_its_room(both: Both) -> None:
    await both.say("may I?")
    assert both.chat.texts == ["may I?"]


async def test_an_absent_homeserver_delays_what_is_shown_not_what_is_sent(both: Both) -> None:
    await both.chat.hear("hello")
    both.world.matrix.fail("send_message", MatrixUnreachable())
    await both.send("hi Ben")
    await both.until_resting()
    assert [one.content for one in both.chat.client.messages] == [WaText(body="hi Ben")]
    both.world.clock.advance(60)
    await both.world.settled()
    assert both.chat.texts == ["hello", "hi Ben"]
    assert len(both.chat.client.messages) == 1


async def test_a_crash_before_it_is_shown_is_made_good(both: Both) -> None:
    await both.chat.hear("hello")
    both.world.matrix.fail("send_message", MatrixUnreachable())
    await both.send("hi Ben")
    await both.until_resting()
    await both.restart()
    await both.world.settled()
    assert both.chat.texts == ["hello", "hi Ben"]
    assert len(both.chat.client.messages) == 1


async def test_a_fault_of_the_channel_keeps_nothing_from_matrix(both: Both) -> None:
    async def fail(_login: LoginId, _event: WaMessage) -> None:
        raise ZeroDivisionError

    both.world.talk.tap.bind(fail)
    await both.chat.hear("hello")
    assert both.chat.texts == ["hello"]
    assert both.chat.unacknowledged() == []


async def test_chats_that_are_kept_from_matrix_are_heard(both: Both) -> None:
    both.world.configured = (FilterRule(subject=EVERYTHING, is_allowed=False),)
    await both.restart()
    await both.chat.receive(both.chat.message(WaText(body="in the club"), chat=CLUB))
    await both.chat.hear("hello")
    assert both.world.chats.rooms == {}
    await both.say("hi")
    assert both.world.chats.rooms == {}
    assert await both.texts() == ["hello"]
    assert both.chat.unacknowledged() == []
