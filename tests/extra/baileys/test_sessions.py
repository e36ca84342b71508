"""What happens beside messages: lost sockets, keys, presence, calls."""

from __future__ import annotations

from pathlib import Path

from tests.extra.baileys.driven import baileys, text_of
from tests.extra.baileys.linked import linked, strict_simulator
from tests.simulator import groups
from tests.simulator.api import Direction


async def test_dropped_socket_loses_nothing(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        for number in range(5):
            assert x.device.connection is not None
            x.device.connection.drop()
            await x.bob.phone.text(x.alice.pn, f"while away {number}")
            received = await x.client.message()
            assert text_of(received) == f"while away {number}"
            await x.client.event("connection.update", lambda data: data.get("connection") == "open")
        await x.wa.trace.wait_for(lambda: not x.wa.unacknowledged(x.device))


async def test_new_signed_prekey_is_used(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        before = x.device.signed_prekey
        await x.client.call("rotateSignedPreKey")
        assert x.device.signed_prekey.key_id == before.key_id + 1
        assert x.device.signed_prekey.public != before.public
        await x.bob.phone.text(x.alice.pn, "with the new key")
        assert text_of(await x.client.message()) == "with the new key"


async def test_prekeys_are_filled_up(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        for number in range(12):
            stranger = x.wa.add_account(f"1555000{number:04}", f"Stranger {number}")
            await stranger.phone.text(x.alice.pn, f"hello {number}")
            assert text_of(await x.client.message()) == f"hello {number}"
        await x.wa.trace.wait_for(lambda: len(x.device.prekeys) >= 5)


async def test_all_prekeys_are_uploaded_when_there_are_none(tmp_path: Path) -> None:
    async with strict_simulator(tmp_path) as wa, baileys(wa, tmp_path / "alice") as client:
        wa.faults.is_requesting_all_prekeys = True
        alice = wa.add_account("15550001111", "Alice")
        device = await client.pair(alice)
        assert len(device.prekeys) > 800


async def test_presence_both_ways(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        await x.client.call("presenceSubscribe", str(x.bob.lid))
        await x.wa.trace.wait_for(lambda: x.alice in x.bob.watchers)
        await x.bob.phone.set_online(is_online=True)
        shown = await x.client.event("presence.update", lambda data: last_presence(data) == "available")
        assert shown["id"] == str(x.bob.lid)
        await x.bob.phone.set_online(is_online=False)
        await x.client.event("presence.update", lambda data: last_presence(data) == "unavailable")
        await x.client.call("sendPresenceUpdate", "available")
        await x.wa.trace.wait_for(lambda: x.alice.is_online)
        await x.client.call("sendPresenceUpdate", "unavailable")
        await x.wa.trace.wait_for(lambda: not x.alice.is_online)


async def test_typing_both_ways(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        group = groups.create_group(x.wa.world, x.bob, "Friends", [x.alice])
        for chat, seen_as in ((x.alice.pn, x.bob.lid), (group.jid, group.jid)):
            await x.bob.phone.typing(chat)
            typing = await x.client.event("presence.update", lambda data: last_presence(data) == "composing")
            assert typing["id"] == str(seen_as)
            await x.bob.phone.typing(chat, media="audio")
            await x.client.event("presence.update", lambda data: last_presence(data) == "recording")
        for chat in (x.bob.pn, x.bob.lid, group.jid):
            await x.client.call("sendPresenceUpdate", "recording", str(chat))
        await x.wa.trace.wait_for(lambda: len(x.bob.phone.chat_states) == 3)
        assert {(s.state, s.media) for s in x.bob.phone.chat_states} == {("composing", "audio")}


async def test_calls_both_ways(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        await x.bob.phone.call(x.alice, "offer", "CALL1", media="video")
        offer = (await x.client.event("call"))[0]
        assert (offer["id"], offer["status"], offer["isVideo"]) == ("CALL1", "offer", True)
        await x.client.call("rejectCall", "CALL1", offer["from"])
        rejection = await x.wa.trace.next_stanza(Direction.IN, lambda stanza: stanza.tag == "call")
        assert rejection.require_child("reject").get("call-id") == "CALL1"
        await x.bob.phone.call(x.alice, "terminate", "CALL1")
        await x.client.event("call", lambda data: data[0]["status"] == "terminate")


async def test_people_are_looked_up(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        found = await x.client.call("onWhatsApp", x.bob.pn.user)
        assert [entry["exists"] for entry in found] == [True]
        assert not await x.client.call("onWhatsApp", "15559999999")
        await x.bob.phone.set_about("At sea")
        about = await x.client.call("fetchStatus", str(x.bob.pn))
        assert about[0]["status"]["status"] == "At sea"
        await x.bob.phone.set_picture(b"jpeg")
        changed = await x.client.event("contacts.update", lambda data: data[0].get("imgUrl"))
        assert changed[0] == {"id": str(x.bob.lid), "imgUrl": "changed"}
        assert "/pps/" in await x.client.call("profilePictureUrl", str(x.bob.pn))


def last_presence(data: dict[str, dict[str, dict[str, str]]]) -> str:
    """The state in a presence event."""
    return next(iter(data["presences"].values()))["lastKnownPresence"]
