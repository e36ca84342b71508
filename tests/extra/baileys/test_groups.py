"""Groups of the second client and simulated phones."""

from __future__ import annotations

from pathlib import Path

from tests.extra.baileys.driven import text_of
from tests.extra.baileys.linked import Linked, linked
from tests.simulator import groups
from tests.simulator.api import Account, Direction, kinds
from tests.simulator.groups import Group
from tests.simulator.kinds import MessageRef
from tests.simulator.protobufs import e2e


def group_with(x: Linked, *others: Account) -> Group:
    """A group of Bob's with Alice in it."""
    return groups.create_group(x.wa.world, x.bob, "Friends", [x.alice, *others])


async def test_messages_go_both_ways_and_stay_in_order(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        carol = x.wa.add_account("15550003333", "Carol")
        group = group_with(x, carol)
        for n in range(10):
            await x.bob.phone.text(group.jid, f"from bob {n}")
            await x.client.text(str(group.jid), f"from alice {n}")
            received = await x.client.message()
            assert text_of(received) == f"from bob {n}"
            assert received["key"]["remoteJid"] == str(group.jid)
            assert received["key"]["participant"] == str(x.bob.lid)
        for n in range(10):
            assert (await x.bob.phone.receive_next()).text == f"from alice {n}"
        carols = [await carol.phone.receive_next() for _ in range(20)]
        assert [m.text for m in carols if m.sender == x.device.lid] == [f"from alice {n}" for n in range(10)]


async def test_sender_key_travels_once(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        group = group_with(x)
        for body in ("with the key", "without"):
            await x.client.text(str(group.jid), body)
            assert (await x.bob.phone.receive_next()).text == body
        sent = [stanza for stanza in x.wa.trace.stanzas(Direction.IN, "message") if stanza.get("to") == group.jid]
        assert [stanza.child("participants") is not None for stanza in sent] == [True, False]


async def test_late_member_reads_what_follows(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        group, carol = group_with(x), x.wa.add_account("15550003333", "Carol")
        await x.client.text(str(group.jid), "before")
        groups.change_members(x.wa.world, group, x.bob, "add", [carol])
        await x.client.event("group-participants.update", lambda data: data["action"] == "add")
        await x.client.text(str(group.jid), "after")
        assert (await carol.phone.receive_next()).text == "after"


async def test_client_makes_and_changes_a_group(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        carol = x.wa.add_account("15550003333", "Carol")
        made = await x.client.call("groupCreate", "Made by Alice", [str(x.bob.lid)])
        group = x.wa.world.groups[made["id"].split("@")[0]]
        assert (group.subject, group.has(x.bob)) == ("Made by Alice", True)
        await x.client.text(made["id"], "welcome")
        assert (await x.bob.phone.receive_next()).text == "welcome"
        await x.client.call("groupParticipantsUpdate", made["id"], [str(carol.lid)], "add")
        await x.client.call("groupParticipantsUpdate", made["id"], [str(carol.lid)], "promote")
        assert group.is_admin(carol)
        await x.client.call("groupUpdateSubject", made["id"], "Renamed")
        await x.client.call("groupUpdateDescription", made["id"], "What it is for")
        await x.client.call("groupSettingUpdate", made["id"], "announcement")
        assert (group.subject, group.topic and group.topic.text) == ("Renamed", "What it is for")
        assert group.flags == {"announcement"}
        code = await x.client.call("groupInviteCode", made["id"])
        assert code == group.invite
        await x.client.call("groupLeave", made["id"])
        assert not group.has(x.alice)


async def test_client_learns_of_changes(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        group = group_with(x)
        created = await x.client.event("groups.upsert")
        assert (created[0]["id"], created[0]["subject"]) == (str(group.jid), "Friends")
        groups.rename(x.wa.world, group, x.bob, "Old friends")
        renamed = await x.client.event("groups.update", lambda data: "subject" in data[0])
        assert renamed[0]["subject"] == "Old friends"
        groups.change_members(x.wa.world, group, x.bob, "promote", [x.alice])
        promoted = await x.client.event("group-participants.update", lambda data: data["action"] == "promote")
        assert promoted["participants"][0]["id"] == str(x.alice.lid)
        metadata = await x.client.call("groupMetadata", str(group.jid))
        assert metadata["subject"] == "Old friends"
        assert {p["id"] for p in metadata["participants"]} == {str(x.alice.lid), str(x.bob.lid)}


async def test_actions_on_messages(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        group = group_with(x)
        sent_id = await x.bob.phone.text(group.jid, "original")
        original = await x.client.message()
        await x.client.send(str(group.jid), {"react": {"text": "👍", "key": original["key"]}})
        reaction = (await x.bob.phone.receive_next()).message.reactionMessage
        assert (reaction.text, reaction.key.ID) == ("👍", sent_id)
        assert reaction.key.participant == str(x.bob.lid)

        target = MessageRef(chat=group.jid, message_id=sent_id, sender=x.bob.lid, is_own=True)
        await x.bob.phone.send(group.jid, kinds.edit(target, e2e.Message(conversation="better")))
        edited = await x.client.update_of(sent_id, "message")
        assert edited["message"]["editedMessage"]["message"]["conversation"] == "better"


async def test_lost_keys_are_asked_for_in_both_directions(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        group = group_with(x)
        x.bob.phone.corrupt_next = 1
        sent_id = await x.bob.phone.text(group.jid, "unreadable at first")
        assert (await x.bob.phone.receipt_next("retry")).get("id") == sent_id
        assert text_of(await x.client.message()) == "unreadable at first"

        sent_id = await x.client.text(str(group.jid), "once more")
        received = await x.bob.phone.receive_next()
        await x.bob.phone.ask_retry(received)
        again = await x.bob.phone.receive_next()
        assert (again.message_id, again.text) == (sent_id, "once more")
