"""What people change about a group's room reaches WhatsApp, and is undone where that refuses."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.bridge.group_work import GroupSettings
from mautrix_whatsapp_py.convert.group_levels import LevelPolicy
from mautrix_whatsapp_py.errors import WhatsAppRefused, WhatsAppUncertain
from mautrix_whatsapp_py.ids import MxRoomId, MxUri, MxUserId
from mautrix_whatsapp_py.model.levels import MxLevels
from mautrix_whatsapp_py.model.mx import MxMember, MxMembership, MxRoomChanged
from mautrix_whatsapp_py.model.mx_room import (
    MxAvatarSet,
    MxLevelsSet,
    MxNameSet,
    MxReplaced,
    MxRoomChange,
    MxTopicSet,
)
from mautrix_whatsapp_py.model.wa_group import WaMemberChange
from tests.fakes.groups import FakeGroups, Shape
from tests.fakes.matrix import BOT, FakeRoom
from tests.flow.chat import BEN_GHOST, BEN_LID, CARLA, CLUB, LOGIN, OWN_LID, Chat
from tests.flow.test_group_rooms import CARLA_GHOST, GROUP, changed, join
from tests.flow.world import ALICE, World


class Club:
    """Alice in the room of a group."""

    def __init__(self, chat: Chat, room_id: MxRoomId, groups: FakeGroups) -> None:
        self.chat = chat
        self.world = chat.world
        self.room_id = room_id
        self.groups = groups

    @property
    def shape(self) -> Shape:
        return self.world.groups.shape(self.room_id)

    async def change(self, change: MxRoomChange) -> None:
        """Alice changes the room."""
        match change:
            case MxNameSet(name=name):
                self.shape.name = name
            case MxTopicSet(topic=topic):
                self.shape.topic = topic
            case MxAvatarSet(avatar=avatar):
                self.shape.avatar = avatar
            case _:
                pass
        await self.world.deliver(MxRoomChanged(origin=self.world.origin(self.room_id, ALICE), change=change))
        await self.world.settled()

    async def move(
        self,
        user: MxUserId,
        membership: MxMembership,
        *,
        sender: MxUserId = ALICE,
        was: MxMembership | None = None,
    ) -> None:
        """Somebody's membership changes."""
        origin = self.world.origin(self.room_id, sender)
        await self.world.deliver(MxMember(origin=origin, user=user, membership=membership, was=was))
        await self.world.settled()

    @property
    def said(self) -> str:
        """What alice was told last."""
        return self.world.chats.texts(self.room_id)[-1]


@pytest.fixture
async def club(world: World) -> Club:
    chat = await Chat.open(world)
    world.directories.require(LOGIN).described[CLUB] = GROUP
    room_id = await join(chat)
    groups = world.open_groups(LOGIN)
    assert groups is not None
    return Club(chat, room_id, groups)


async def test_a_new_name(club: Club) -> None:
    await club.change(MxNameSet(name="Choir"))
    assert club.groups.calls == [("set_name", CLUB, "Choir")]
    before = list(club.world.groups.calls)
    await club.chat.receive(changed(name="Choir"))
    assert club.world.groups.calls == before


@pytest.mark.parametrize(
    ("name", "part"),
    [("", "must have one"), ("\u200d\x07", "must have one"), ("x" * 101, "100 characters")],
)
async def test_a_name_whatsapp_would_not_take_is_undone(club: Club, name: str, part: str) -> None:
    await club.change(MxNameSet(name=name))
    assert club.groups.calls == []
    assert club.shape.name == "Club"
    assert part in club.said


async def test_a_refused_name_is_undone_with_the_reason(club: Club) -> None:
    club.groups.fail(WhatsAppRefused(code="forbidden"))
    await club.change(MxNameSet(name="Choir"))
    assert club.shape.name == "Club"
    assert "only admins" in club.said


async def test_without_an_answer_people_are_told_to_look(club: Club) -> None:
    club.groups.fail(WhatsAppUncertain(code="timeout"))
    await club.change(MxNameSet(name="Choir"))
    assert "did not answer" in club.said


async def test_who_has_no_account_is_told_so(club: Club) -> None:
    bob = MxUserId("@bob:localhost")
    club.shape.name = "Choir"
    change = MxRoomChanged(origin=club.world.origin(club.room_id, bob), change=MxNameSet(name="Choir"))
    await club.world.deliver(change)
    await club.world.settled()
    assert club.shape.name == "Club"
    assert club.groups.calls == []


async def test_renames_that_cross_settle_the_same_way_on_both_sides(club: Club) -> None:
    """Ben's rename reached the room while alice's was on its way: his counts in the room and on WhatsApp."""
    await club.chat.receive(changed(name="Ben's"))
    origin = club.world.origin(club.room_id, ALICE)
    await club.world.deliver(MxRoomChanged(origin=origin, change=MxNameSet(name="Alice's")))
    await club.world.settled()
    assert club.groups.calls == []
    assert club.shape.name == "Ben's"


async def test_a_rename_older_than_ours_does_not_undo_it(club: Club) -> None:
    """WhatsApp had Ben's rename first and alice's second, but told of his late: it is asked what holds."""
    await club.change(MxNameSet(name="Alice's"))
    described = club.world.directories.require(LOGIN).described
    described[CLUB] = type(GROUP)(
        jid=CLUB, name="Alice's", topic="All of us", topic_id="T1", members=GROUP.members
    )
    await club.chat.receive(changed(name="Ben's"))
    assert club.shape.name == "Alice's"


async def test_a_new_topic_names_the_one_it_replaces(club: Club) -> None:
    await club.change(MxTopicSet(topic="We sing"))
    assert club.groups.calls == [("set_topic", CLUB, "We sing", "T1")]
    await club.change(MxTopicSet(topic="x" * 10_000))
    assert "2048 characters" in club.said


async def test_a_new_picture(club: Club) -> None:
    club.world.groups.media[MxUri("mxc://localhost/cat")] = b"cat"
    club.world.groups.media[MxUri("mxc://localhost/bad")] = b"bad"
    await club.change(MxAvatarSet(avatar=MxUri("mxc://localhost/cat")))
    assert club.groups.calls == [("set_picture", CLUB, b"jpeg cat")]
    for uri in ("mxc://localhost/bad", "mxc://localhost/gone"):
        await club.change(MxAvatarSet(avatar=MxUri(uri)))
        assert club.shape.avatar == "mxc://localhost/cat"
        assert "cannot be read" in club.said
    await club.change(MxAvatarSet(avatar=None))
    assert club.groups.calls[1:] == [("set_picture", CLUB, b"")]


def levels(*, users: dict[MxUserId, int] | None = None, events_default: int = 0, name: int = 0) -> MxLevels:
    return MxLevels(
        users={BOT: 100, BEN_GHOST: 75, **(users or {})},
        events_default=events_default,
        events={"m.room.name": name},
    )


async def test_levels_promote_demote_announce_and_lock(club: Club) -> None:
    await club.change(MxLevelsSet(levels=levels(users={CARLA_GHOST: 50})))
    assert club.groups.calls == [("change_members", CLUB, (CARLA,), WaMemberChange.PROMOTE)]
    await club.change(MxLevelsSet(levels=levels(users={CARLA_GHOST: 50}, events_default=50)))
    assert club.groups.calls[1:] == [("set_announcement", CLUB, True)]
    await club.change(MxLevelsSet(levels=levels(users={CARLA_GHOST: 50}, events_default=50, name=50)))
    assert club.groups.calls[2:] == [("set_locked", CLUB, True)]
    await club.change(MxLevelsSet(levels=levels(users={CARLA_GHOST: 0})))
    assert set(club.groups.calls[3:]) == {
        ("set_announcement", CLUB, False),
        ("set_locked", CLUB, False),
        ("change_members", CLUB, (CARLA,), WaMemberChange.DEMOTE),
    }
    calls = len(club.groups.calls)
    await club.change(MxLevelsSet(levels=levels()))
    assert len(club.groups.calls) == calls


async def test_who_is_not_in_the_group_cannot_be_made_an_admin(club: Club) -> None:
    await club.chat.receive(changed(left=(CARLA,)))
    club.shape.users[CARLA_GHOST] = 50
    await club.change(MxLevelsSet(levels=levels(users={CARLA_GHOST: 50})))
    assert club.groups.calls == []
    assert CARLA_GHOST not in club.shape.users
    assert "only members" in club.said


async def test_levels_of_the_configuration_hold(world: World) -> None:
    world.group_settings = GroupSettings(has_spaces=False, levels=LevelPolicy(overrides={ALICE: 90}))
    await world.restart()
    chat = await Chat.open(world)
    await join(chat)
    assert world.groups.shape(chat.room_id).users[ALICE] == 90
    await chat.receive(changed(promoted=(OWN_LID,)))
    await chat.receive(changed(demoted=(OWN_LID,)))
    assert world.groups.shape(chat.room_id).users[ALICE] == 90


async def test_refused_levels_are_undone(club: Club) -> None:
    club.groups.member_errors[CARLA] = 404
    club.shape.users[CARLA_GHOST] = 50
    await club.change(MxLevelsSet(levels=levels(users={CARLA_GHOST: 50})))
    assert club.shape.users == {BEN_GHOST: 75}
    assert "undone" in club.said


async def test_inviting_a_ghost_adds_its_person(club: Club) -> None:
    await club.chat.receive(changed(left=(CARLA,)))
    await club.move(CARLA_GHOST, MxMembership.INVITE)
    assert club.groups.calls == [("change_members", CLUB, (CARLA,), WaMemberChange.ADD)]
    assert CARLA_GHOST in club.world.matrix.rooms[club.room_id].joined


async def test_who_may_not_be_added_is_taken_out_with_the_reason(club: Club) -> None:
    await club.chat.receive(changed(left=(CARLA,)))
    club.groups.member_errors[CARLA] = 403
    await club.move(CARLA_GHOST, MxMembership.INVITE)
    assert CARLA_GHOST not in club.world.matrix.rooms[club.room_id].joined
    assert "invite-link" in club.said


async def test_removing_a_ghost_removes_its_person(club: Club) -> None:
    room = club.world.matrix.rooms[club.room_id]
    room.joined.discard(CARLA_GHOST)
    await club.move(CARLA_GHOST, MxMembership.LEAVE)
    assert club.groups.calls == [("change_members", CLUB, (CARLA,), WaMemberChange.REMOVE)]
    await club.chat.receive(changed(left=(CARLA,)))
    assert club.world.groups.removed == []


async def test_who_may_not_be_removed_comes_back(club: Club) -> None:
    room = club.world.matrix.rooms[club.room_id]
    room.joined.discard(BEN_GHOST)
    club.groups.fail(WhatsAppRefused(code="forbidden"))
    await club.move(BEN_GHOST, MxMembership.BAN)
    assert club.groups.calls == [("change_members", CLUB, (BEN_LID,), WaMemberChange.REMOVE)]
    assert BEN_GHOST in room.joined
    assert "only admins" in club.said


@pytest.mark.parametrize("is_wanted", [False, True])
async def test_leaving_the_room_leaves_the_group_only_when_that_is_wanted(
    world: World, club: Club, is_wanted: bool
) -> None:
    world.group_settings = GroupSettings(leaves_with_users=is_wanted)
    await club.chat.restart()
    await club.move(ALICE, MxMembership.LEAVE, was=MxMembership.JOIN)
    assert club.world.directories.require(LOGIN).left == ([CLUB] if is_wanted else [])
    # Whose last user is gone has no use for its room.
    assert BEN_GHOST not in world.matrix.rooms[club.room_id].joined


async def test_a_room_that_was_upgraded_is_followed(club: Club) -> None:
    new = MxRoomId("!new:localhost")
    club.world.matrix.rooms[new] = FakeRoom(invited={BOT})
    await club.change(MxReplaced(by=new))
    await club.chat.receive(changed(name="Choir"))
    assert club.world.groups.shape(new).name in ("Choir", "Club")
    assert CARLA_GHOST in club.world.matrix.rooms[new].joined


async def test_a_room_that_was_upgraded_is_followed_once_the_bot_is_invited(club: Club) -> None:
    new = MxRoomId("!new:localhost")
    club.world.matrix.rooms[new] = FakeRoom(joined={ALICE})
    await club.change(MxReplaced(by=new))
    assert club.world.talk.portals.get_id(new) is None
    await club.chat.restart()
    club.world.matrix.rooms[new].invited.add(BOT)
    await club.world.deliver(club.world.invite(room_id=new))
    await club.world.settled()
    assert club.world.talk.portals.get_id(new) is not None
    assert club.world.matrix.bodies(new) == []
    await club.chat.receive(changed(name="Choir"))
    assert CARLA_GHOST in club.world.matrix.rooms[new].joined


async def test_an_override_says_nothing_of_the_group(world: World) -> None:
    bob = MxUserId("@bob:localhost")
    world.group_settings = GroupSettings(
        has_spaces=False, levels=LevelPolicy(overrides={bob: 90, CARLA_GHOST: 50})
    )
    await world.restart()
    chat = await Chat.open(world)
    room_id = await join(chat)
    groups = world.open_groups(LOGIN)
    assert groups is not None
    club = Club(chat, room_id, groups)
    await club.change(MxLevelsSet(levels=levels(users={CARLA_GHOST: 50, bob: 90})))
    assert club.groups.calls == []
