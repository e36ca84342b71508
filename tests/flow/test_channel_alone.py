"""The channel without a homeserver: real process, real client library, simulated phones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.channel_stage import BEN, OWN, channel_stage
from tests.homeserver import PortPool
from tests.simulator.api import groups, kinds

pytestmark = pytest.mark.neonize


async def test_a_stranger_is_let_in_and_answered(tmp_path: Path, ports: PortPool) -> None:
    """Link by QR code, a stranger's code, approval, messages both ways, reaction, restart."""
    async with channel_stage(tmp_path, ports) as stage:
        channel, own, ben = stage.channel, stage.own, stage.ben
        await ben.phone.text(own.pn, "who is there?")
        told = await ben.phone.receive_next()
        (request,) = (await channel.call("GET", "/v1/pairing"))["requests"]
        assert request["number"] == f"+{BEN}"
        assert request["code"] in told.text
        assert await channel.receive(wait_ms=0) == []
        code, said = await channel.run("pairing", "approve", request["code"])
        assert code == 0, said
        assert f"+{BEN}" in said

        await ben.phone.text(own.pn, "hello")
        item = await channel.receive_one()
        assert item["text"] == "hello"
        assert item["reply_target"]["id"] == f"whatsapp-personal:default:contact:+{BEN}"
        assert await channel.receive(wait_ms=0) == []

        target = {"id": item["reply_target"]["id"]}
        send = {"target": target, "message": {"Text": "hi Ben"}, "idempotency_key": "one"}
        first = await channel.operate("send_message", send)
        assert await channel.operate("send_message", send) == first
        assert (await ben.phone.receive_next()).text == "hi Ben"
        source = item["delivery"]["source_message_id"]
        await channel.call("POST", "/v1/reactions", {"target": target["id"], "message_id": source, "emoji": "👍"})
        reaction = (await ben.phone.receive_next()).message.reactionMessage
        assert (reaction.text, reaction.key.ID) == ("👍", source)

        await ben.phone.text(own.pn, "before the restart")
        (waiting,) = await channel.receive()
        await channel.process.stop()
        await ben.phone.text(own.pn, "while it was away")
        await channel.start()
        await channel.until_connected()
        assert (await channel.receive_one())["delivery"] == waiting["delivery"]
        assert (await channel.receive_one())["text"] == "while it was away"
        assert OWN not in channel.process.output.replace(f'"+{OWN}"', "")
        assert BEN not in channel.process.output


async def test_a_group_is_read_when_it_mentions_the_account(tmp_path: Path, ports: PortPool) -> None:
    async with channel_stage(tmp_path, ports, allow_from=[f"+{BEN}"]) as stage:
        channel, own, ben = stage.channel, stage.own, stage.ben
        club = groups.create_group(stage.wa.world, ben, "Club", [own])
        await ben.phone.text(club.jid, "nothing for you")
        await ben.phone.send(club.jid, kinds.mention(f"@{own.lid.user} look", [own.lid]))
        item = await channel.receive_one()
        assert "nothing for you" in item["text"]
        assert "look" in item["text"]
        await channel.call("POST", "/v1/messages", {"target": item["reply_target"]["id"], "text": "I see"})
        assert (await ben.phone.receive_next()).text == "I see"
