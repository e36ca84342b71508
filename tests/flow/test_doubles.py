"""What users do on the phone they do themselves in their rooms, where they let the bridge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from mautrix_whatsapp_py.bridge.doubles import COVERED, HINT, LOST, DoublePuppets
from mautrix_whatsapp_py.bridge.from_whatsapp.live import end_due as live_ends
from mautrix_whatsapp_py.bridge.from_whatsapp.poll import end_due as poll_ends
from mautrix_whatsapp_py.bridge.management import ManagementRooms
from mautrix_whatsapp_py.commands.doubles import ON, double_commands
from mautrix_whatsapp_py.convert.polls import digest_of
from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId, WaMessageId
from mautrix_whatsapp_py.model.content import MxPollEnd, WaContent, WaEdit, WaReaction, WaRevoke, WaText
from mautrix_whatsapp_py.model.mx import MxReceipt
from mautrix_whatsapp_py.model.rich import WaLiveLocation, WaPoll, WaPollVote
from mautrix_whatsapp_py.model.wa import WaReceipt, WaReceiptKind
from tests.fakes.doubles import FakeMatrixDoubles
from tests.fakes.whatsapp import START
from tests.flow.chat import BEN, BEN_GHOST, CLUB, LOGIN, OWN, OWN_GHOST, Chat, ref, source_of
from tests.flow.world import ALICE, BOB, DM, World


@dataclass(slots=True, kw_only=True)
class Stage:
    """Alice's account and those who may be acted as."""

    chat: Chat
    api: FakeMatrixDoubles
    doubles: DoublePuppets

    @property
    def world(self) -> World:
        return self.chat.world

    @property
    def senders(self) -> list[MxUserId]:
        return [one.sender for one in self.world.chats.said]

    async def from_phone(self, content: WaContent, *, message_id: str | None = None) -> WaMessageId:
        """Alice does something on her phone."""
        message = self.chat.message(content, sender=OWN, chat=BEN, is_from_me=True, message_id=message_id)
        await self.chat.receive(message)
        await self.doubles.idle()
        return message.message_id

    async def restart(self) -> None:
        self.doubles = _make(self.world, self.api)
        await self.doubles.load()
        await self.chat.restart()

    def news(self) -> list[str]:
        """What the bot says in the management rooms."""
        return [one.notice.body for one in self.world.matrix.sent]


def _make(world: World, api: FakeMatrixDoubles) -> DoublePuppets:
    management = ManagementRooms(users=world.users, matrix=world.matrix, rooms=world.rooms)
    doubles = DoublePuppets(
        store=world.store, doubles=api, matrix=world.matrix, management=management, clock=world.clock
    )
    world.doubles = doubles
    world.more_commands = lambda talk: double_commands(doubles, talk)
    return doubles


@pytest.fixture
async def stage(world: World) -> AsyncIterator[Stage]:
    api = FakeMatrixDoubles(world.matrix, world.chats)
    doubles = _make(world, api)
    await world.restart()
    await world.open_dm()
    stage = Stage(chat=await Chat.open(world), api=api, doubles=doubles)
    yield stage
    await stage.doubles.stop()


async def test_who_is_acted_as_joins_and_writes_themselves(stage: Stage) -> None:
    stage.api.automatic.add(ALICE)
    first = await stage.chat.hear("hello")
    room_id = stage.chat.room_id
    assert ALICE in stage.world.matrix.rooms[room_id].joined
    assert stage.api.direct == {ALICE: [(BEN_GHOST, room_id)]}
    own = await stage.from_phone(WaText(body="from my phone"))
    await stage.from_phone(WaReaction(target=ref(first), emoji="👍"))
    await stage.from_phone(WaEdit(target=ref(own, OWN), content=WaText(body="edited")))
    await stage.from_phone(WaRevoke(target=ref(own, OWN)))
    assert stage.senders == [BEN_GHOST, ALICE, ALICE, ALICE]
    assert [redacted.sender for redacted in stage.world.chats.redacted] == [ALICE]
    assert not stage.chat.unacknowledged()
    assert not stage.world.chats.names.keys() & {OWN_GHOST}
    assert HINT.replace("`", "") not in "".join(stage.news()).replace("`", "")


async def test_what_the_ghost_wrote_the_ghost_edits_and_takes_back(stage: Stage) -> None:
    await stage.chat.hear("hello")
    own = await stage.from_phone(WaText(body="as the ghost"))
    stage.api.automatic.add(ALICE)
    await stage.from_phone(WaEdit(target=ref(own, OWN), content=WaText(body="edited")))
    await stage.from_phone(WaText(body="as alice"))
    await stage.from_phone(WaRevoke(target=ref(own, OWN)))
    assert stage.senders == [BEN_GHOST, OWN_GHOST, OWN_GHOST, ALICE]
    assert [redacted.sender for redacted in stage.world.chats.redacted] == [OWN_GHOST]


async def test_the_first_own_message_explains_once_what_is_missing(stage: Stage) -> None:
    await stage.chat.hear("hello")
    await stage.from_phone(WaText(body="one"))
    await stage.from_phone(WaText(body="two"))
    await stage.restart()
    await stage.from_phone(WaText(body="three"))
    assert stage.news().count(HINT) == 1
    assert stage.senders == [BEN_GHOST, OWN_GHOST, OWN_GHOST, OWN_GHOST]


async def test_the_hint_is_not_given_to_who_declined(stage: Stage) -> None:
    stage.api.automatic.add(ALICE)
    await stage.chat.hear("hello")
    await stage.world.say("logout-matrix")
    await stage.from_phone(WaText(body="one"))
    await stage.restart()
    await stage.from_phone(WaText(body="two"))
    assert stage.senders == [BEN_GHOST, OWN_GHOST, OWN_GHOST]
    assert HINT not in stage.news()
    await stage.world.say("login-matrix")
    await stage.from_phone(WaText(body="three"))
    assert stage.senders[-1] == ALICE


async def test_a_token_is_taken_kept_and_its_message_removed(stage: Stage) -> None:
    stage.api.owners["alices"] = ALICE
    await stage.chat.hear("hello")
    await stage.world.say("ping-matrix")
    assert stage.news()[-1].startswith("I cannot act as you.")
    await stage.world.say("login-matrix alices")
    await stage.doubles.idle()
    assert stage.news()[-1] == ON
    (removed,) = stage.world.matrix.redacted
    assert removed.startswith("$event")
    assert ALICE in stage.world.matrix.rooms[stage.chat.room_id].joined
    await stage.from_phone(WaText(body="one"))
    await stage.restart()
    await stage.from_phone(WaText(body="two"))
    assert stage.senders == [BEN_GHOST, ALICE, ALICE]
    await stage.world.say("ping-matrix")
    assert stage.news()[-1] == "I can act as you."
    await stage.world.say("logout-matrix")
    await stage.world.say("logout-matrix")
    assert stage.news()[-1] == "I was not acting as you."


async def test_a_token_of_somebody_else_is_not_taken(stage: Stage) -> None:
    stage.api.owners["bobs"] = BOB
    await stage.world.say("login-matrix bobs")
    assert "does not know this token as yours" in stage.news()[-1]
    await stage.world.say("login-matrix unknown")
    assert "does not know this token as yours" in stage.news()[-1]
    assert len(stage.world.matrix.redacted) == 2
    assert not await stage.doubles.is_on(ALICE)
    await stage.world.say("login-matrix")
    assert "access token of your Matrix account" in stage.news()[-1]


async def test_a_token_that_is_lost_is_told_of_and_the_ghost_takes_over(stage: Stage) -> None:
    stage.api.owners["alices"] = ALICE
    await stage.world.say("login-matrix alices")
    await stage.chat.hear("hello")
    await stage.from_phone(WaText(body="one"))
    stage.api.refuse(ALICE)
    await stage.from_phone(WaText(body="two"))
    await stage.from_phone(WaText(body="three"))
    assert stage.senders == [BEN_GHOST, ALICE, OWN_GHOST, OWN_GHOST]
    assert stage.news().count(LOST) == 1
    await stage.restart()
    await stage.from_phone(WaText(body="four"))
    assert stage.senders[-1] == OWN_GHOST
    assert stage.news().count(LOST) == 1
    assert not stage.chat.unacknowledged()


async def test_the_servers_permission_stands_in_for_a_token_that_is_lost(stage: Stage) -> None:
    stage.api.owners["alices"] = ALICE
    await stage.world.say("login-matrix alices")
    await stage.chat.hear("hello")
    stage.api.automatic.add(ALICE)
    stage.api.refuse_token(ALICE)
    await stage.from_phone(WaText(body="one"))
    await stage.from_phone(WaText(body="two"))
    assert stage.senders == [BEN_GHOST, ALICE, ALICE]
    assert [text for text in stage.news() if text in (COVERED, LOST)] == [COVERED]
    await stage.restart()
    await stage.from_phone(WaText(body="three"))
    assert stage.senders[-1] == ALICE


async def test_a_token_that_is_lost_is_found_out_by_several_at_once(stage: Stage) -> None:
    stage.api.owners["alices"] = ALICE
    await stage.world.say("login-matrix alices")
    await stage.chat.hear("hello")
    stage.api.automatic.add(ALICE)
    stage.api.refuse_token(ALICE)
    is_found_out, room = asyncio.Event(), stage.chat.room_id

    async def look() -> object:
        return await stage.api.fetch_newest(room, user=ALICE)

    async def look_slowly() -> object:
        try:
            return await look()
        except MatrixRefused:
            await is_found_out.wait()
            raise

    slow = asyncio.create_task(stage.doubles.ask(ALICE, look_slowly))
    await asyncio.sleep(0)
    assert await stage.doubles.ask(ALICE, look) is not None
    is_found_out.set()
    assert await slow is not None
    await stage.doubles.idle()
    assert [text for text in stage.news() if text in (COVERED, LOST)] == [COVERED]


async def test_a_registration_that_is_missing_does_no_harm(stage: Stage) -> None:
    stage.api.automatic.add(ALICE)
    stage.api.refuse(ALICE)
    await stage.chat.hear("hello")
    await stage.from_phone(WaText(body="one"))
    assert stage.senders == [BEN_GHOST, OWN_GHOST]
    assert LOST not in stage.news()
    stage.api.unaccepted.clear()
    stage.world.chats.unaccepted.clear()
    stage.world.clock.advance(301)
    await stage.from_phone(WaText(body="two"))
    assert stage.senders[-1] == ALICE


async def test_who_left_a_room_is_not_brought_back(stage: Stage) -> None:
    stage.api.automatic.add(ALICE)
    await stage.chat.hear("hello")
    stage.world.matrix.rooms[stage.chat.room_id].joined.discard(ALICE)
    await stage.from_phone(WaText(body="one"))
    assert stage.senders == [BEN_GHOST, OWN_GHOST]
    assert ALICE not in stage.world.matrix.rooms[stage.chat.room_id].joined
    stage.world.matrix.rooms[stage.chat.room_id].invited.add(ALICE)
    stage.world.clock.advance(301)
    await stage.from_phone(WaText(body="two"))
    assert stage.senders[-1] == ALICE


async def test_nobody_acts_as_the_partner_in_ones_own_chat(stage: Stage) -> None:
    """Ben is a user of the bridge too; his room with Alice is another one."""
    stage.api.automatic |= {ALICE, BOB}
    await stage.chat.link(BOB, type(LOGIN)(BEN.user))
    await stage.chat.hear("hello")
    assert stage.senders == [BEN_GHOST]
    known = set(stage.world.chats.rooms)
    await stage.chat.receive(stage.chat.message(WaText(body="to all"), chat=CLUB))
    (club,) = set(stage.world.chats.rooms) - known
    # Bob's own account has not told of the group yet, so he is not in its room.
    assert stage.senders[1:] == [BEN_GHOST]
    stage.world.matrix.rooms[club].joined.add(BOB)
    stage.world.clock.advance(301)
    await stage.chat.receive(stage.chat.message(WaText(body="again"), chat=CLUB))
    assert stage.senders[2:] == [BOB]


async def test_what_was_read_on_the_phone_is_marked_and_not_told_back(stage: Stage) -> None:
    stage.api.automatic.add(ALICE)
    first = await stage.chat.hear("one")
    second = await stage.chat.hear("two")
    room_id: MxRoomId = stage.chat.room_id
    events = [one.event_id for one in stage.world.chats.said]
    source = source_of(OWN, chat=BEN, is_from_me=True)
    read = WaReceipt(source=source, kind=WaReceiptKind.READ_SELF, message_ids=(first,), timestamp=START)
    await stage.chat.receive(read)
    assert stage.api.read == [(room_id, events[0], ALICE)]
    for event_id in events:
        receipt = MxReceipt(room_id=room_id, user=ALICE, event_id=event_id, is_private=False, read_at=START)
        stage.world.bridge.on_mx_ephemeral(receipt)
        await stage.world.settled()
    assert [mark.message_ids for mark in stage.chat.client.marked] == [(second,)]


async def test_a_place_for_the_token_where_nobody_can_remove_it(stage: Stage) -> None:
    stage.api.owners["alices"] = ALICE
    await stage.world.say("login-matrix alices", room_id=DM)
    await stage.world.say("login-matrix alices", room_id=DM)
    assert stage.api.redacted[-1][1] == ALICE


async def test_polls_votes_and_places_of_the_phone_are_the_users_own(stage: Stage) -> None:
    stage.api.automatic.add(ALICE)
    await stage.chat.hear("hello")
    soon = START + timedelta(hours=1)
    poll = await stage.from_phone(WaPoll(question="?", options=("A", "B"), ends_at=soon))
    await stage.from_phone(WaPollVote(target=ref(poll, sender=OWN), options=(digest_of("A"),)))
    await stage.from_phone(WaLiveLocation(latitude=1, longitude=2, sequence=1))
    await stage.from_phone(WaLiveLocation(latitude=2, longitude=2, sequence=2))
    stage.world.clock.advance(10 * 3_600)
    await poll_ends(stage.world.talk)
    await live_ends(stage.world.talk)
    by_alice = stage.senders[1:]
    assert by_alice == [ALICE] * 9
    assert isinstance(stage.world.chats.said[-2].content, MxPollEnd)
