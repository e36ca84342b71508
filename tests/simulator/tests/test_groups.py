"""Groups and communities, changed from both sides."""

from __future__ import annotations

from pathlib import Path

import pytest
from neonize.aioze.events import GroupInfoEv, JoinedGroupEv, PictureEv
from neonize.utils.enum import ParticipantChange
from neonize.utils.jid import build_jid

from tests.simulator import communities, groups
from tests.simulator.groups import Role
from tests.simulator.tests.clients import alice_and_bob

pytestmark = pytest.mark.neonize
JPEG = b"\xff\xd8\xff\xe0" + bytes(100)


async def test_client_is_told_about_every_change(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        world, bob = x.wa.world, x.bob
        eve = x.wa.add_account("15550003333", "Eve")
        group = groups.create_group(world, bob, "Group", [x.alice])
        joined = await x.client.wait(JoinedGroupEv)
        assert joined.GroupInfo.GroupName.Name == "Group"
        groups.rename(world, group, bob, "New name")
        assert (await x.client.wait(GroupInfoEv)).Name.Name == "New name"
        groups.set_topic(world, group, bob, "About us")
        assert (await x.client.wait(GroupInfoEv)).Topic.Topic == "About us"
        groups.set_topic(world, group, bob, None)
        assert (await x.client.wait(GroupInfoEv)).Topic.TopicDeleted
        for action, field in (
            ("add", "Join"),
            ("promote", "Promote"),
            ("demote", "Demote"),
            ("remove", "Leave"),
        ):
            groups.change_members(world, group, bob, action, [eve])
            event = await x.client.wait(GroupInfoEv)
            assert [jid.User for jid in getattr(event, field)] == [eve.lid.user]
        groups.set_flag(world, group, bob, "announcement")
        assert (await x.client.wait(GroupInfoEv)).Announce.IsAnnounce
        groups.set_flag(world, group, bob, "not_announcement")
        assert not (await x.client.wait(GroupInfoEv)).Announce.IsAnnounce
        groups.set_flag(world, group, bob, "locked")
        assert (await x.client.wait(GroupInfoEv)).Locked.isLocked
        groups.set_flag(world, group, bob, "unlocked")
        assert not (await x.client.wait(GroupInfoEv)).Locked.isLocked
        groups.set_ephemeral(world, group, bob, 86400)
        assert (await x.client.wait(GroupInfoEv)).Ephemeral.DisappearingTimer == 86400
        groups.set_ephemeral(world, group, bob, 0)
        assert not (await x.client.wait(GroupInfoEv)).Ephemeral.IsEphemeral
        groups.reset_invite(world, group, bob)
        assert group.invite in (await x.client.wait(GroupInfoEv)).NewInviteLink
        groups.set_picture(world, group, bob, JPEG)
        assert not (await x.client.wait(PictureEv)).Remove
        groups.set_picture(world, group, bob, None)
        assert (await x.client.wait(PictureEv)).Remove
        groups.set_join_approval(world, group, bob, is_required=True)
        await x.client.wait(GroupInfoEv)
        groups.delete_group(world, group, bob)
        assert (await x.client.wait(GroupInfoEv)).Delete.Deleted


async def test_client_creates_and_changes_a_group(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        eve = x.wa.add_account("15550003333", "Eve")
        made = await x.client.api.create_group("Mine", [build_jid(x.bob.lid.user, "lid")])
        group = x.wa.world.groups[made.JID.User]
        assert set(group.members) == {x.alice.lid.user, x.bob.lid.user}
        jid = build_jid(group.jid.user, "g.us")
        await x.client.api.set_group_name(jid, "Renamed")
        assert group.subject == "Renamed"
        await x.client.api.set_group_topic(jid, "", "", "Topic")
        assert group.topic is not None
        assert group.topic.text == "Topic"
        person = build_jid(eve.lid.user, "lid")
        for change, role in (
            (ParticipantChange.ADD, Role.MEMBER),
            (ParticipantChange.PROMOTE, Role.ADMIN),
            (ParticipantChange.DEMOTE, Role.MEMBER),
        ):
            await x.client.api.update_group_participants(jid, [person], change)
            assert group.members[eve.lid.user] is role
        await x.client.api.update_group_participants(jid, [person], ParticipantChange.REMOVE)
        assert eve.lid.user not in group.members
        await x.client.api.set_group_announce(jid, True)
        await x.client.api.set_group_locked(jid, True)
        assert group.flags == {"announcement", "locked"}
        await x.client.api.set_group_announce(jid, False)
        await x.client.api.set_group_locked(jid, False)
        assert not group.flags
        await x.client.api.set_group_photo(jid, JPEG)
        assert group.picture is not None
        assert group.picture.data == JPEG
        link = await x.client.api.get_group_invite_link(jid)
        assert link.endswith(group.invite)
        assert await x.client.api.get_group_invite_link(jid, True) != link
        await x.client.api.leave_group(jid)
        assert x.alice.lid.user not in group.members


async def test_client_sets_the_timer_of_a_group(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        made = await x.client.api.create_group("Mine", [build_jid(x.bob.lid.user, "lid")])
        await x.client.api.set_disappearing_timer(build_jid(made.JID.User, "g.us"), 86400 * 10**9)
        assert x.wa.world.groups[made.JID.User].ephemeral_seconds == 86400


async def test_client_reads_and_joins_by_link(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        group = groups.create_group(x.wa.world, x.bob, "Theirs")
        seen = await x.client.api.get_group_info_from_link(f"https://chat.whatsapp.com/{group.invite}")
        assert seen.GroupName.Name == "Theirs"
        await x.client.api.join_group_with_link(f"https://chat.whatsapp.com/{group.invite}")
        assert group.has(x.alice)
        joined = await x.client.api.get_joined_groups()
        assert [info.JID.User for info in joined] == [group.jid.user]
        info = await x.client.api.get_group_info(build_jid(group.jid.user, "g.us"))
        assert {p.LID.User for p in info.Participants} == {x.alice.lid.user, x.bob.lid.user}


async def test_useless_links_and_foreign_groups_are_refused(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        group = groups.create_group(x.wa.world, x.bob, "Theirs")
        with pytest.raises(Exception, match="invite"):
            await x.client.api.get_group_info_from_link("NOSUCHCODE")
        with pytest.raises(Exception, match="participat"):
            await x.client.api.get_group_info(build_jid(group.jid.user, "g.us"))
        with pytest.raises(Exception, match="exist"):
            await x.client.api.get_group_info(build_jid("120363000", "g.us"))


async def test_member_without_rights_is_refused(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        group = groups.create_group(x.wa.world, x.bob, "Theirs", [x.alice])
        groups.set_flag(x.wa.world, group, x.bob, "locked")
        with pytest.raises(Exception, match="403"):
            await x.client.api.set_group_name(build_jid(group.jid.user, "g.us"), "Mine now")
        assert group.subject == "Theirs"


async def test_joining_a_group_that_asks_first(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        eve = x.wa.add_account("15550003333", "Eve")
        made = await x.client.api.create_group("Mine", [build_jid(x.bob.lid.user, "lid")])
        group = x.wa.world.groups[made.JID.User]
        groups.set_join_approval(x.wa.world, group, x.bob, is_required=True)
        groups.request_to_join(x.wa.world, group, eve)
        await x.client.wait(GroupInfoEv)
        asked = await x.client.api.get_group_request_participants(build_jid(group.jid.user, "g.us"))
        assert [request.Participant.User for request in asked] == [eve.lid.user]


async def test_groups_work_in_both_directions_with_many_members(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        people = [x.wa.add_account(f"1555100{n:04d}", f"P{n}") for n in range(20)]
        group = groups.create_group(x.wa.world, x.bob, "Big", [x.alice, *people])
        await x.client.api.send_message(build_jid(group.jid.user, "g.us"), "hello all")
        for person in (x.bob, *people):
            assert (await person.phone.receive_next()).text == "hello all"
        for person in people:
            await person.phone.text(group.jid, f"from {person.name}")
            event = await x.client.message()
            assert event.Message.conversation == f"from {person.name}"


async def test_community_with_groups(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        community = communities.create_community(x.wa.world, x.bob, "Village", [x.alice])
        parent = await x.client.wait(JoinedGroupEv, lambda e: e.GroupInfo.GroupParent.IsParent)
        assert parent.GroupInfo.GroupName.Name == "Village"
        sub = groups.create_group(x.wa.world, x.bob, "Choir", [x.alice])
        communities.link_group(x.wa.world, community, sub, x.bob)
        linked = await x.client.wait(GroupInfoEv, lambda e: e.HasField("Link"))
        assert linked.Link.Group.JID.User == sub.jid.user
        listed = await x.client.api.get_sub_groups(jid_of(community))
        assert {g.GroupIsDefaultSub.IsDefaultSubGroup for g in listed} == {True, False}
        people = await x.client.api.get_linked_group_participants(jid_of(community))
        assert {jid.User for jid in people.JIDS} == {x.alice.lid.user, x.bob.lid.user}
        communities.unlink_group(x.wa.world, community, sub, x.bob)
        assert (
            await x.client.wait(GroupInfoEv, lambda e: e.HasField("Unlink"))
        ).Unlink.Group.JID.User == sub.jid.user


async def test_client_links_and_unlinks_a_group(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        community = communities.create_community(x.wa.world, x.alice, "Village", [x.bob])
        made = await x.client.api.create_group("Choir", [build_jid(x.bob.lid.user, "lid")])
        sub = x.wa.world.groups[made.JID.User]
        await x.client.api.link_group(jid_of(community), jid_of(sub))
        assert sub.parent == community.jid
        await x.client.api.unlink_group(jid_of(community), jid_of(sub))
        assert sub.parent is None


def jid_of(group: groups.Group) -> object:
    """The library's spelling of a group's address."""
    return build_jid(group.jid.user, "g.us")
