"""Pinned, archived, muted and unread chats, on the phone and in clients of users as whom the bridge may act."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from mautrix_whatsapp_py.bridge.client_marks import ONE_SIDED
from mautrix_whatsapp_py.bridge.doubles import DoublePuppets
from mautrix_whatsapp_py.bridge.management import ManagementRooms
from mautrix_whatsapp_py.bridge.mark_deps import MarkDeps, MarkSettings
from mautrix_whatsapp_py.bridge.marking import PAUSE_SECONDS, Marking
from mautrix_whatsapp_py.bridge.talk import TalkSettings
from mautrix_whatsapp_py.errors import MatrixUnreachable, WhatsAppRefused, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import LoginId, MxEventId, MxRoomId, WaJid
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.filtering import FilterRule
from mautrix_whatsapp_py.model.wa_directory import WaChatSetting, WaNewsletter
from tests.fakes.accounts import FakeAccounts
from tests.fakes.directory import FakeDirectory
from tests.fakes.doubles import FakeMatrixDoubles
from tests.flow.chat import BEN, BEN_LID, CARLA, CLUB, LOGIN, Chat
from tests.flow.world import ALICE, BOB, World

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""

FOR_EVER = datetime.max.replace(tzinfo=UTC, microsecond=0)


@dataclass(slots=True, kw_only=True)
class Stage:
    """Alice's account, her clients, and what keeps both alike."""

    chat: Chat
    api: FakeMatrixDoubles
    accounts: FakeAccounts
    doubles: DoublePuppets
    marking: Marking
    settings: MarkSettings

    @property
    def world(self) -> World:
        return self.chat.world

    @property
    def phone(self) -> FakeDirectory:
        return self.world.directories.require(LOGIN)

    @property
    def hints(self) -> list[str]:
        return [one.notice.body for one in self.world.matrix.sent if one.notice.body == ONE_SIDED]

    def put(self, *settings: WaChatSetting) -> None:
        """How the phone has put its chats."""
        self.phone.settings = list(settings)

    async def look(self) -> None:
        await self.marking.look()

    async def told(self) -> list[str]:
        """What clients are told of, by the next look."""
        before = len(self.accounts.asked)
        await self.look()
        return self.accounts.asked[before:]

    async def restart(self, **settings: object) -> None:
        """Another bridge, which may want other things."""
        self.settings = replace(self.settings, **settings)  # type: ignore[arg-type]
        self.doubles = _make(self.world, self.api)
        await self.doubles.load()
        await self.chat.restart()
        self.marking = _mark(self.world, self.accounts, self.settings)


def _make(world: World, api: FakeMatrixDoubles) -> DoublePuppets:
    doubles = DoublePuppets(
        store=world.store, doubles=api, matrix=world.matrix, management=_management(world), clock=world.clock
    )
    world.doubles = doubles
    return doubles


def _management(world: World) -> ManagementRooms:
    return ManagementRooms(users=world.users, matrix=world.matrix, rooms=world.rooms)


def _mark(world: World, accounts: FakeAccounts, settings: MarkSettings) -> Marking:
    deps = MarkDeps(
        talk=world.talk,
        accounts=accounts,
        management=_management(world),
        matrix=world.matrix,
        settings=settings,
    )
    return Marking(deps)


@pytest.fixture
async def stage(world: World) -> AsyncIterator[Stage]:
    api = FakeMatrixDoubles(world.matrix, world.chats)
    accounts, settings = FakeAccounts(api), MarkSettings()
    doubles = _make(world, api)
    await world.restart()
    await world.open_dm()
    chat = await Chat.open(world)
    api.automatic.add(ALICE)
    stage = Stage(
        chat=chat,
        api=api,
        accounts=accounts,
        doubles=doubles,
        marking=_mark(world, accounts, settings),
        settings=settings,
    )
    yield stage
    await stage.doubles.stop()


async def ben_writes(stage: Stage) -> MxRoomId:
    await stage.chat.hear("hello")
    return stage.chat.room_id


async def test_what_the_phone_says_is_taken_over_once(stage: Stage) -> None:
    room = await ben_writes(stage)
    assert await stage.told() == []
    stage.put(WaChatSetting(chat=BEN, is_pinned=True, muted_until=FOR_EVER))
    assert await stage.told() == ["tag m.favourite", "mute"]
    assert (stage.accounts.tags[room], stage.accounts.muted) == ({"m.favourite"}, {room})
    assert await stage.told() == []
    stage.put(WaChatSetting(chat=BEN, is_archived=True))
    assert sorted(await stage.told()) == ["tag m.lowpriority", "unmute", "untag m.favourite"]
    await stage.restart()
    assert await stage.told() == []
    stage.put()
    assert await stage.told() == ["untag m.lowpriority"]
    assert stage.hints == []


async def test_a_new_room_comes_as_its_chat_is_put(stage: Stage) -> None:
    stage.put(WaChatSetting(chat=BEN, is_pinned=True), WaChatSetting(chat=CLUB, is_archived=True))
    assert await stage.told() == []
    room = await ben_writes(stage)
    assert await stage.told() == ["tag m.favourite"]
    await stage.world.say("!wa unbridge", room_id=room)
    await stage.chat.hear("again")
    assert await stage.told() == ["tag m.favourite"]


async def test_whoever_has_the_account_next_gets_the_marks_too(stage: Stage) -> None:
    await ben_writes(stage)
    stage.put(WaChatSetting(chat=BEN, is_pinned=True))
    assert await stage.told() == ["tag m.favourite"]
    await stage.chat.link(ALICE, LOGIN)
    assert await stage.told() == []
    stage.api.automatic.add(BOB)
    await stage.chat.link(BOB, LOGIN)
    await stage.world.parted()
    await stage.chat.hear("hello, Bob")
    assert await stage.told() == ["tag m.favourite"]


async def test_a_chat_is_known_by_either_address(stage: Stage) -> None:
    await ben_writes(stage)
    await stage.world.talk.persons.resolve(BEN, BEN_LID)
    stage.put(WaChatSetting(chat=BEN_LID, is_pinned=True))
    assert await stage.told() == ["tag m.favourite"]


async def test_a_mute_ends_at_its_time(stage: Stage) -> None:
    await ben_writes(stage)
    stage.put(WaChatSetting(chat=BEN, muted_until=stage.world.clock.now() + timedelta(hours=8)))
    assert await stage.told() == ["mute"]
    stage.world.clock.advance(7 * 3600)
    assert await stage.told() == []
    stage.world.clock.advance(3601)
    assert await stage.told() == ["unmute"]


async def test_what_users_change_stays_until_the_phone_says_otherwise(stage: Stage) -> None:
    room = await ben_writes(stage)
    stage.put(WaChatSetting(chat=BEN, is_pinned=True))
    await stage.look()
    stage.accounts.tag(room, "m.favourite", is_set=False)
    assert await stage.told() == []
    stage.put()
    assert await stage.told() == ["untag m.favourite"]


async def test_without_a_double_puppet_nothing_is_attempted(stage: Stage) -> None:
    room = await ben_writes(stage)
    await stage.doubles.log_out(ALICE)
    stage.put(WaChatSetting(chat=BEN, is_pinned=True))
    assert await stage.told() == []
    assert "look_at_chat_settings" not in stage.phone.calls
    await stage.doubles.mark_unread(ALICE, room)
    assert stage.api.unread == {}
    await stage.doubles.log_in_automatically(ALICE)
    assert await stage.told() == ["tag m.favourite"]


async def test_a_homeserver_that_is_away_is_asked_again(stage: Stage) -> None:
    await ben_writes(stage)
    await stage.look()
    stage.accounts.faults.append(MatrixUnreachable())
    stage.put(WaChatSetting(chat=BEN, is_pinned=True))
    assert await stage.told() == ["tag m.favourite"]
    assert await stage.told() == []
    stage.world.clock.advance(PAUSE_SECONDS + 1)
    assert await stage.told() == ["tag m.favourite"]
    assert len(stage.accounts.tags) == 1


async def test_a_refused_token_is_told_of_and_the_marks_come_later(stage: Stage) -> None:
    stage.api.owners["t"] = ALICE
    await stage.doubles.log_in(ALICE, "t")
    await ben_writes(stage)
    await stage.look()
    stage.api.refuse(ALICE)
    stage.put(WaChatSetting(chat=BEN, is_pinned=True))
    await stage.look()
    await stage.doubles.idle()
    assert "does not accept the access token" in await stage.world.heard("does not accept")
    stage.api.unaccepted.clear()
    stage.world.clock.advance(PAUSE_SECONDS + 1)
    assert await stage.told() == ["tag m.favourite"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"tags_new_only": True}, ["mute"]),
        ({"mutes_new_only": True}, ["tag m.favourite"]),
        ({"bridges_mutes": False}, ["tag m.favourite"]),
        ({"pinned_tag": None}, ["mute"]),
        ({"pinned_tag": "u.pinned"}, ["tag u.pinned", "mute"]),
    ],
)
async def test_the_configuration_decides(settings: dict[str, object], told: list[str], stage: Stage) -> None:
    await ben_writes(stage)
    await stage.look()
    await stage.restart(**settings)
    stage.put(WaChatSetting(chat=BEN, is_pinned=True, muted_until=FOR_EVER))
    assert await stage.told() == told


@pytest.mark.parametrize("settings", [{"tags_new_only": True}, {"mutes_new_only": True}])
async def test_new_rooms_get_everything(settings: dict[str, object], stage: Stage) -> None:
    await stage.restart(**settings)
    stage.put(WaChatSetting(chat=BEN, is_pinned=True, muted_until=FOR_EVER))
    await ben_writes(stage)
    assert await stage.told() == ["tag m.favourite", "mute"]


async def open_channel(stage: Stage) -> tuple[MxRoomId, WaJid]:
    chat = stage.phone.add_newsletter("120363", "News")
    await stage.world.say(f"create-portal {chat}")
    room = next(iter(stage.world.chats.rooms))
    await stage.look()
    return room, chat


async def test_channels_are_muted_from_both_sides(stage: Stage) -> None:
    room, chat = await open_channel(stage)
    stage.accounts.mute(room)
    assert await stage.told() == []
    assert stage.phone.muted == [(chat, True)]
    # Its echo, from either side, is no news.
    assert await stage.told() == []
    await stage.restart()
    stage.phone.newsletters[chat] = _muted(stage, chat)
    assert await stage.told() == []
    assert stage.phone.muted == [(chat, True)]
    await stage.world.say("!wa unmute", room_id=room)
    assert await stage.told() == ["unmute"]
    assert room not in stage.accounts.muted
    assert await stage.told() == []
    assert stage.phone.muted == [(chat, True), (chat, False)]
    assert stage.hints == []


def _muted(stage: Stage, chat: WaJid) -> WaNewsletter:
    return msgspec.structs.replace(stage.phone.newsletters[chat], is_muted=True)


async def test_a_channel_is_muted_as_soon_as_whatsapp_can_be_reached(stage: Stage) -> None:
    room, chat = await open_channel(stage)
    stage.accounts.mute(room)
    stage.phone.fail(WhatsAppUnavailable(code="not-connected"), times=1)
    await stage.look()
    assert stage.phone.muted == []
    stage.world.clock.advance(PAUSE_SECONDS + 1)
    await stage.look()
    assert stage.phone.muted == [(chat, True)]


async def test_what_was_muted_while_the_bridge_was_away_is_heard_of(stage: Stage) -> None:
    room, chat = await open_channel(stage)
    stage.accounts.mute(room)
    await stage.restart()
    await stage.look()
    assert stage.phone.muted == [(chat, True)]


async def test_a_refusal_is_told_in_one_line(stage: Stage) -> None:
    room, _ = await open_channel(stage)
    stage.accounts.mute(room)
    stage.phone.fail(WhatsAppRefused(code="forbidden"))
    await stage.look()
    assert len(stage.hints) == 1


@pytest.mark.parametrize("what", ["tag", "archive", "mute", "unread"])
async def test_what_whatsapp_cannot_be_told_is_said_once(what: str, stage: Stage) -> None:
    room = await ben_writes(stage)
    await stage.look()
    for _ in range(2):
        match what:
            case "tag":
                stage.accounts.tag(room, "m.favourite")
            case "archive":
                stage.accounts.tag(room, "m.lowpriority")
            case "mute":
                stage.accounts.mute(room, is_muted=room not in stage.accounts.muted)
            case _:
                stage.accounts.mark_unread(room)
        await stage.look()
        await stage.restart()
    assert len(stage.hints) == 1


async def test_rooms_of_others_are_nobodys_business(stage: Stage) -> None:
    await ben_writes(stage)
    await stage.look()
    stage.accounts.mute(MxRoomId("!other:localhost"))
    stage.accounts.tag(MxRoomId("!other:localhost"), "m.favourite")
    await stage.look()
    assert stage.hints == []


async def test_marked_unread_on_the_phone_until_it_is_read_there(stage: Stage) -> None:
    room = await ben_writes(stage)
    await stage.look()
    await stage.doubles.mark_unread(ALICE, room)
    assert stage.api.unread == {(ALICE, room): True}
    stage.accounts.mark_unread(room)
    await stage.restart()
    await stage.look()
    assert stage.hints == []
    await stage.doubles.mark_read(ALICE, room, MxEventId("$1"))
    assert stage.api.unread == {(ALICE, room): False}
    stage.api.unread.clear()
    await stage.doubles.mark_read(ALICE, room, MxEventId("$2"))
    assert stage.api.unread == {}


@pytest.mark.parametrize("is_wanted", [False, True])
async def test_private_receipts_are_heard_of_through_the_user(stage: Stage, *, is_wanted: bool) -> None:
    stage.world.talk_settings = TalkSettings(with_private_receipts=is_wanted)
    await stage.restart()
    message_id = await stage.chat.hear("hello")
    await stage.look()
    stage.accounts.read(stage.chat.room_id, stage.world.chats.said[-1].event_id)
    for _ in range(2):
        await stage.look()
    told = [one for mark in stage.chat.client.marked for one in mark.message_ids]
    assert told == ([message_id] if is_wanted else [])


async def test_filters_see_how_chats_are_put_now(stage: Stage) -> None:
    filters = stage.world.talk.filters
    await filters.put(ALICE, FilterRule(subject="archived", is_allowed=False))
    await filters.put(ALICE, FilterRule(subject="muted", is_allowed=False))
    stage.put(WaChatSetting(chat=CARLA, is_archived=True))
    await stage.chat.receive(stage.chat.message(_text("hidden"), sender=CARLA))
    assert stage.world.chats.rooms == {}
    stage.put()
    stage.world.clock.advance(3)
    await stage.chat.receive(stage.chat.message(_text("seen"), sender=CARLA))
    assert len(stage.world.chats.rooms) == 1
    stage.put(WaChatSetting(chat=BEN, muted_until=FOR_EVER))
    stage.world.clock.advance(3)
    await ben_writes_nothing(stage)
    channel = stage.phone.add_newsletter("120363", "News")
    filters.note_channel(LoginId(LOGIN), channel, is_muted=True)
    assert filters.get_muted_channels(LOGIN) == {channel}


async def ben_writes_nothing(stage: Stage) -> None:
    await stage.chat.hear("hidden, too")
    assert len(stage.world.chats.rooms) == 1


def _text(body: str) -> WaText:
    return WaText(body=body)
