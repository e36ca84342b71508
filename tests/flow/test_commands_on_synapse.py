"""Commands as people use them: real homeserver, real bridge, real client library, simulated phones."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.linking_stage import BOT, Seat, Stage
from tests.homeserver import MatrixClient, PortPool, Registration
from tests.homeserver.events import Event
from tests.simulator.accounts import Addressing
from tests.simulator.api import STATUS, Account, Jid, groups, host_command, kinds, newsletters, simulator

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

_LINK = re.compile(r"https://matrix\.to/#/(![^?\s]+)\?via=localhost")
WAIT_SECONDS = 60


@dataclass(slots=True, kw_only=True)
class Office:
    """Alice, linked, at her management room; Ben and Carla on their phones."""

    stage: Stage
    ben: Account
    carla: Account

    @property
    def alice(self) -> MatrixClient:
        return self.stage.alice.client

    async def ask(self, command: str, *, answer: str, room: str | None = None) -> str:
        """A command, there or in the management room, and what answers it."""
        place, mark = room or self.stage.alice.room, self.alice.mark()
        await self.alice.send_text(place, command if room is None else f"!wa {command}")
        said = await self.alice.wait_for_message(
            place, sender=BOT, contains=answer, after=mark, deadline_seconds=WAIT_SECONDS
        )
        return said.body

    async def open(self, command: str, *, answer: str) -> str:
        """A command that leads to a room, which alice joins."""
        found = _LINK.search(await self.ask(command, answer=answer))
        assert found is not None
        await self.alice.join(found[1])
        return found[1]

    async def hears(self, room: str, text: str) -> Event:
        return await self.alice.wait_for_message(room, contains=text, deadline_seconds=WAIT_SECONDS)

    async def is_named(self, room: str, name: str) -> None:
        """Wait until a room bears a name."""

        def fits(event: Event) -> bool:
            return event.room_id == room and event.type == "m.room.name" and event.content.get("name") == name

        await self.alice.wait_for(fits, deadline_seconds=WAIT_SECONDS)

    async def is_given_up(self, room: str) -> None:
        """Wait until a room is no chat any more."""
        async with asyncio.timeout(WAIT_SECONDS):
            while "not a WhatsApp chat" not in await self.ask(f"doin {room} id", answer=" "):
                await asyncio.sleep(0.2)


@pytest.fixture
async def office(
    tmp_path: Path, make_synapse: MakeSynapse, make_bridge: MakeBridge, ports: PortPool
) -> AsyncIterator[Office]:
    async with simulator(tmp_path / "wa") as wa:
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration, overrides={"presence": {"enabled": True}})
        sections: dict[str, dict[str, object]] = {
            "whatsapp": {"host_command": list(host_command(wa))},
            "network": {"enable_status_broadcast": True},
            "bridge": {
                "permissions": {"localhost": "user", "@alice:localhost": "admin"},
                "cleanup_on_logout": {
                    "enabled": True,
                    "bad_credentials": {"private": "delete", "shared_no_users": "kick"},
                },
            },
        }
        bridge = make_bridge(synapse.url, registration, port=port, sections=sections)
        await bridge.start()
        alice = await Seat.take(await synapse.create_client("alice"), bridge)
        phone, ben = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Ben")
        carla = wa.add_account("15550003333", "Carla")
        await phone.phone.set_push_name()
        await phone.phone.set_contact(ben.pn, "Robert Builder", "Bob")
        stage = Stage(wa=wa, synapse=synapse, bridge=bridge, alice=alice, phone=phone)
        device = await alice.scan(phone)
        await phone.phone.welcome(device)
        await alice.until_connected()
        yield Office(stage=stage, ben=ben, carla=carla)
        await bridge.stop()
        assert "Traceback" not in bridge.output
        for account in (ben, carla):
            assert account.pn.user not in bridge.output


async def test_a_day_at_the_office(office: Office) -> None:
    """Everything a user can ask for, once."""
    direct = await _people(office)
    group = await _a_group_of_our_own(office)
    team = await _groups_of_others(office)
    await _a_channel(office)
    await _calls(office, direct)
    await _to_many(office, direct)
    await _presence(office, direct)
    await _two_who_are_one(office)
    await _begun_in_a_client(office)
    kept = await _filters(office)
    await _rooms_that_go(office, direct, group)
    await _unlinked(office, kept, team)


async def _people(office: Office) -> str:
    for _ in range(WAIT_SECONDS):
        listed = await office.ask("list-contacts", answer="ontacts")
        if "Robert Builder" in listed:
            break
    assert "Robert Builder | +15550002222 | -" in listed
    await office.ask("pm +15550009999", answer="+15550009999 is not on WhatsApp.")
    direct = await office.open("pm +1 555 000 2222", answer="Opened the chat with")
    await office.ask("pm +15550002222", answer=f"is here: https://matrix.to/#/{direct}?via=localhost")
    await office.alice.send_text(direct, "hi Ben")
    assert (await office.ben.phone.receive_next()).text == "hi Ben"
    await office.ask("id", room=direct, answer="`15550002222@s.whatsapp.net`")
    await office.ask("disappearing-timer 7d", room=direct, answer="after 7 days")
    timer = (await office.ben.phone.receive_next()).message.protocolMessage
    assert timer.ephemeralExpiration == 604800
    await office.ask("disappearing-timer off", room=direct, answer="New messages stay.")
    await office.ben.phone.receive_next()
    await office.ask("privacy receipts off", room=direct, answer="• receipts: off")
    await office.ask("mute", room=direct, answer="may only mute channels")
    await office.is_named(direct, "Robert Builder")
    await office.ask("block", room=direct, answer="+15550002222 is blocked")
    assert office.stage.phone.blocked == {office.ben.lid}
    await office.ask("list-blocked", answer="+15550002222")
    await office.ask("unblock", room=direct, answer="+15550002222 can reach +15550001111 again.")
    assert not office.stage.phone.blocked
    return direct


async def _a_group_of_our_own(office: Office) -> str:
    group = await office.open("create-group Garden club +15550002222", answer="Made the group Garden club")
    await office.alice.send_text(group, "welcome")
    assert (await office.ben.phone.receive_next()).text == "welcome"
    link = await office.ask("invite-link", room=group, answer="https://chat.whatsapp.com/")
    world = office.stage.wa.world
    (made,) = [one for one in world.groups.values() if one.subject == "Garden club"]
    assert link.endswith(made.invite)
    await office.ask("invite-link --reset", room=group, answer="The old link is void.")
    await office.ask("list-groups", answer=f"Garden club | `{made.jid}` | 2 | https://matrix.to/#/{group}")
    return group


async def _groups_of_others(office: Office) -> str:
    world = office.stage.wa.world
    theirs = groups.make_group(world, office.ben, "Ben's club")
    url = f"https://chat.whatsapp.com/{theirs.invite}"
    await office.ask(f"resolve-link {url}", answer="The group Ben's club")
    room = await office.open(f"join {url}", answer="You are now in Ben's club")
    await office.ben.phone.send(theirs.jid, kinds.text("welcome, Alice"))
    await office.hears(room, "welcome, Alice")
    await office.ask("leave", room=room, answer="You have left Ben's club on WhatsApp.")
    assert not theirs.has(office.stage.phone)
    for number in range(3):
        groups.create_group(world, office.carla, f"Team {number}", [office.stage.phone])
    summary = await office.ask("sync groups --create", answer="Synchronised +15550001111: ")
    assert "4 looked at" in summary
    await office.ask("sync groups --create", answer="Synchronised +15550001111: everything was up to date.")
    # Shown by an edit of what was there from the beginning.
    said = [event for event in office.alice.events if "Synchronis" in event.body]
    assert "m.replace" in str(said[-1].content)
    return await office.open("open Team 0", answer="Team 0")


async def _a_channel(office: Office) -> None:
    world = office.stage.wa.world
    news = newsletters.create_newsletter(world, office.ben, "Daily news")
    room = await office.open(
        f"join https://whatsapp.com/channel/{news.invite}", answer="You are now in Daily news"
    )
    post = newsletters.publish_post(world, news, kinds.text("sunny today"))
    said = await office.hears(room, "sunny today")
    about = {"rel_type": "m.annotation", "event_id": said.event_id, "key": "👍"}
    await office.alice.send(room, "m.reaction", {"m.relates_to": about})
    await office.ask("mute", room=room, answer="now muted on WhatsApp")
    assert post.reactions == {"👍": 1}
    assert office.stage.phone in news.muted
    await office.ask("leave", room=room, answer="You have left Daily news")
    assert office.stage.phone not in news.subscribers


async def _calls(office: Office, direct: str) -> None:
    await office.ben.phone.call(office.stage.phone, "offer", "CALL1", media="audio")
    ringing = await office.hears(direct, "Incoming voice call.")
    await office.ben.phone.call(office.stage.phone, "terminate", "CALL1", reason="timeout")
    missed = await office.hears(direct, "Missed voice call.")
    assert missed.content["m.relates_to"]["event_id"] == ringing.event_id
    for action in ("offer", "accept", "terminate"):
        await office.ben.phone.call(office.stage.phone, action, "CALL2")
    ended = await office.hears(direct, "Voice call ended after 0:0")
    assert ended.content["m.relates_to"]["rel_type"] == "m.replace"


async def _to_many(office: Office, direct: str) -> None:
    """A broadcast list speaks in the chat with its sender, status updates in a quiet room of their own."""
    alice, ben = office.alice, office.ben.phone
    office.stage.wa.world.broadcast_lists["1700000000"] = [office.stage.phone]
    await ben.send(Jid("1700000000", "broadcast"), kinds.text("to all of you"))
    await office.hears(direct, "to all of you")
    mark = alice.mark()
    await ben.send(STATUS, kinds.text("on holiday"))
    room = (await alice.wait_for_invite(sender=BOT, after=mark)).room_id
    await alice.join(room)
    assert (await office.hears(room, "on holiday")).content["msgtype"] == "m.notice"


async def _presence(office: Office, direct: str) -> None:
    """Who writes is online, and whom they write with is shown as WhatsApp says, both where it is wanted."""
    alice, ghost = office.alice, f"@whatsapp_{office.ben.pn.user}:localhost"
    assert not office.stage.phone.is_online
    await office.ask("privacy presence on", room=direct, answer="• presence: on")
    await alice.send_text(direct, "still there?")
    assert (await office.ben.phone.receive_next()).text == "still there?"
    async with asyncio.timeout(WAIT_SECONDS):
        while not office.stage.phone.is_online:
            await asyncio.sleep(0.1)
        # Told again until it is heard: whom we asked about is known to the phone a little later.
        while (await alice.request("GET", f"/presence/{ghost}/status"))["presence"] != "online":
            await office.ben.phone.set_online(is_online=True)
            await asyncio.sleep(0.2)
        await office.ben.phone.set_online(is_online=False)
        while (await alice.request("GET", f"/presence/{ghost}/status"))["presence"] == "online":
            await asyncio.sleep(0.1)


async def _two_who_are_one(office: Office) -> None:
    """Somebody first seen by number, then by LID, is found to be one: the younger room leads to the older."""
    alice, own = office.alice, office.stage.phone.pn
    dan, rooms = office.stage.wa.add_account("15550004444", "Dan"), []
    for addressing in (Addressing.PN_ONLY, Addressing.LID_ONLY):
        dan.addressing, mark = addressing, alice.mark()
        await dan.phone.text(own, f"by {addressing}")
        room = (await alice.wait_for_invite(sender=BOT, after=mark)).room_id
        await alice.join(room)
        said = await office.hears(room, f"by {addressing}")
        await alice.request("POST", f"/rooms/{room}/receipt/m.read/{said.event_id}", body={})
        # Sent once it is known what stands for the message: nothing of it is on its way any more.
        await dan.phone.receipt_next("read", timeout_seconds=WAIT_SECONDS)
        rooms.append(room)
    dan.addressing = Addressing.LID_AND_PN
    await dan.phone.text(own, "it is me")
    older, younger = rooms
    assert older != younger
    await office.hears(older, "it is me")

    def points(event: Event) -> bool:
        return event.room_id == younger and event.type == "m.room.tombstone"

    tombstone = await alice.wait_for(points, deadline_seconds=WAIT_SECONDS)
    assert tombstone.content["replacement_room"] == older


async def _begun_in_a_client(office: Office) -> None:
    """Whom nobody has met is invited to a direct chat; what is said before they come no homeserver passes on."""
    alice, eve = office.alice, office.stage.wa.add_account("15550005555", "Eve")
    # As clients do it that begin a chat with somebody.
    trusted = {"preset": "trusted_private_chat"}
    room = await alice.create_room(invite=["@whatsapp_15550005555:localhost"], is_direct=True, extra=trusted)
    await office.hears(room, "This is your chat with ")
    await alice.send_text(room, "we have not met")
    assert (await eve.phone.receive_next(timeout_seconds=WAIT_SECONDS)).text == "we have not met"
    await eve.phone.text(office.stage.phone.pn, "pleased to meet you")
    said = await office.hears(room, "pleased to meet you")
    assert said.sender == "@whatsapp_15550005555:localhost"
    assert (await alice.get_state(room, "m.room.power_levels"))["users"][BOT] == 100
    assert BOT in (await alice.get_state(room, "io.element.functional_members"))["service_members"]


async def _filters(office: Office) -> str:
    await office.ask("filter deny +15550003333", answer="are not bridged: they get no room.")
    mark = office.alice.mark()
    await office.carla.phone.text(office.stage.phone.pn, "you will not read this")
    await office.stage.bridge.restart()
    await office.stage.alice.until_connected()
    await office.ask("filter", answer="deny +15550003333")
    await office.ask("filter clear +15550003333", answer="There is no rule about")
    await office.carla.phone.text(office.stage.phone.pn, "but this")
    invite = await office.alice.wait_for_invite(sender=BOT, after=mark)
    await office.alice.join(invite.room_id)
    await office.hears(invite.room_id, "but this")
    assert "you will not" not in str([event.body for event in await office.alice.messages(invite.room_id)])
    return invite.room_id


async def _rooms_that_go(office: Office, direct: str, group: str) -> None:
    alice, world = office.alice, office.stage.wa.world
    await office.ask("unbridge", room=direct, answer="This room is not a WhatsApp chat any more")
    mark = alice.mark()
    await office.ben.phone.text(office.stage.phone.pn, "where are you?")
    invite = await alice.wait_for_invite(sender=BOT, after=mark)
    assert invite.room_id != direct
    await alice.join(invite.room_id)
    # Nobody is left in it: the next message makes another one.
    await alice.leave(invite.room_id)
    await office.is_given_up(invite.room_id)
    mark = alice.mark()
    await office.ben.phone.text(office.stage.phone.pn, "gone again?")
    again = await alice.wait_for_invite(sender=BOT, after=mark)
    assert again.room_id not in (direct, invite.room_id)
    await alice.join(again.room_id)
    invite = again
    (made,) = [one for one in world.groups.values() if one.subject == "Garden club"]
    dora = await office.stage.synapse.create_client("dora")
    # With a third person it is no management room.
    own = await alice.create_room(invite=[dora.user_id, BOT])
    await alice.wait_for_message(own, sender=BOT)
    await office.ask(f"bridge {made.jid}", room=own, answer="has a room already")
    await office.ask(f"bridge {made.jid} --overwrite", room=own, answer="This room is now the chat Garden club.")
    await office.ben.phone.send(made.jid, kinds.text("in your own room"))
    await office.hears(own, "in your own room")
    upgraded = await alice.request("POST", f"/rooms/{own}/upgrade", body={"new_version": "11"})
    own = str(upgraded["replacement_room"])
    await alice.invite(own, BOT)
    await alice.wait_for_membership(own, BOT, "join", deadline_seconds=WAIT_SECONDS)
    await office.ben.phone.send(made.jid, kinds.text("in the upgraded room"))
    await office.hears(own, "in the upgraded room")
    await office.ask("set-pl 50", room=invite.room_id, answer="now has the power level 50")
    await office.ask(f"doin {own} id", answer=str(made.jid))
    await office.ask(f"sudo {alice.user_id} list-logins", answer="+15550001111")
    await office.ask(f"doin {invite.room_id} delete-portal", answer="Deleted the room.")
    await alice.wait_for_membership(invite.room_id, alice.user_id, "leave")
    await office.ask("clean-rooms", answer="nobody")
    assert group != own


async def _unlinked(office: Office, direct: str, group: str) -> None:
    """The phone ends the link: its user hears of it, and the rooms go as the configuration says."""
    alice = office.alice
    await alice.leave(office.stage.alice.room)
    mark = alice.mark()
    office.stage.phone.phone.unlink(next(iter(office.stage.phone.devices.values())))
    news = await alice.wait_for_invite(sender=BOT, after=mark)
    await alice.join(news.room_id)
    await alice.wait_for_message(news.room_id, contains="was unlinked from the phone")
    for room in (direct, group):
        await alice.wait_for_membership(room, alice.user_id, "leave", deadline_seconds=WAIT_SECONDS)
