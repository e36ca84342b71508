"""The channel without a homeserver: real process, real client library, simulated phones."""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.flow.channel_stage import BEN, OWN, TOKEN, ChannelProcess, channel_stage
from tests.homeserver import PortPool
from tests.homeserver.processes import Process
from tests.homeserver.runner import ENVIRONMENT
from tests.simulator.api import groups, kinds
from tests.simulator.kinds.actions import MessageRef

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
        # Who waits to be let in still does after a restart.
        await channel.process.stop()
        await channel.start()
        await channel.until_connected()
        assert (await channel.call("GET", "/v1/pairing"))["requests"] == [request]
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
    """Linked by a code to type; a group, context, a mention, media both ways."""
    async with channel_stage(tmp_path, ports, is_by_code=True, allow_from=[f"+{BEN}"]) as stage:
        channel, own, ben = stage.channel, stage.own, stage.ben
        club = groups.create_group(stage.wa.world, ben, "Club", [own])
        await ben.phone.text(club.jid, "nothing for you")
        await ben.phone.send(club.jid, kinds.mention(f"@{own.lid.user} look", [own.lid]))
        item = await channel.receive_one()
        assert "nothing for you" in item["text"]
        assert "look" in item["text"]
        await channel.call("POST", "/v1/messages", {"target": item["reply_target"]["id"], "text": "I see"})
        assert (await ben.phone.receive_next()).text == "I see"

        picture = draw_picture()
        await ben.phone.send(own.pn, kinds.image(kinds.upload(stage.wa.media, picture, "image"), caption="look"))
        shown = await channel.receive(most=1)
        (resource,) = shown[0]["delivery"]["resources"]
        assert shown[0]["text"] == "<media:image> look"
        assert await channel.call("GET", resource["url"].removeprefix(channel.url)) == picture
        (channel.folder / "back.jpg").write_bytes(picture)
        words = ["--target", f"contact:+{BEN}", "--text", "and back", "--media", "back.jpg"]
        code, said = await channel.run("send", *words)
        assert code == 0, said
        received = (await ben.phone.receive_next()).message.imageMessage
        assert received.caption == "and back"
        assert ben.phone.download(received, "image") == picture
        ask = ["--target", f"contact:+{BEN}", "--question", "When?", "--option", "now", "--option", "later"]
        code, said = await channel.run("poll", *ask)
        assert code == 0, said
        asked = await ben.phone.receive_next()
        assert "When?" in str(asked.message)
        poll = MessageRef(
            chat=own.lid,
            message_id=asked.message_id,
            sender=own.lid,
            is_own=False,
            secret=asked.message.messageContextInfo.messageSecret,
        )
        await channel.operate("ack_inbound", {"message": shown[0]})
        await ben.phone.send(own.pn, kinds.poll_vote(poll, ben.lid, ["later"]))
        assert (await channel.receive_one())["text"].startswith("<vote>\n- later\n\n[Replying to ")


def draw_picture() -> bytes:
    """A small JPEG."""
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(out, format="JPEG")
    return out.getvalue()


async def test_the_example_and_serve_answer(tmp_path: Path, ports: PortPool) -> None:
    """The page's example as it stands there, then the same by `channel serve`."""
    async with channel_stage(tmp_path, ports, allow_from=[f"+{BEN}"]) as stage:
        channel, own, ben = stage.channel, stage.own, stage.ben
        folder = channel.folder
        (folder / "channel-token").write_text(TOKEN)
        page = (Path(__file__).resolve().parents[2] / "docs" / "channel.md").read_text(encoding="utf-8")
        example = page.split("<!-- echo -->\n```python\n")[1].split("```")[0]
        assert len([line for line in example.splitlines() if line]) <= 30
        (folder / "echo.py").write_text(example)
        environment = {**ENVIRONMENT, "WHATSAPP_PERSONAL_BRIDGE_URL": f"{channel.url}/bridge"}
        echo = Process("echo", [sys.executable, "echo.py"], folder=folder, environment=environment)
        echo.launch()
        try:
            await ben.phone.text(own.pn, "hello")
            assert (await ben.phone.receive_next(timeout_seconds=30)).text == "You said: hello"
            async with asyncio.timeout(30):
                while await waiting(channel):
                    await asyncio.sleep(0.05)
        finally:
            await echo.kill()

        await channel.operate("complete_batch", {})
        (folder / "loud.py").write_text("import json, sys; print(json.load(sys.stdin)['text'].upper())")
        await ben.phone.text(own.pn, "quiet")
        async with asyncio.timeout(30):
            while not await waiting(channel):
                await asyncio.sleep(0.05)
        code, said = await channel.run("serve", "--once", "--exec", f"{sys.executable} loud.py")
        assert code == 0, said
        answers = {(await ben.phone.receive_next(timeout_seconds=30)).text}
        assert answers == {"QUIET"}
        assert await waiting(channel) == 0
        code, said = await channel.run("send", "--target", f"contact:+{BEN}", "--text", "by hand", "--json")
        assert code == 0, said
        assert (await ben.phone.receive_next()).text == "by hand"
        code, said = await channel.run("status")
        assert (code, "CONNECTED" in said) == (0, True)
        code, said = await channel.run("doctor")
        assert (code, "is connected" in said) == (0, True), said

        # The phone removes the link: the channel asks for another, also after a restart in between.
        (device,) = own.devices.values()
        before = len(channel.steps)
        own.phone.unlink(device)
        await channel.step("qr", after=before)
        await channel.process.stop()
        before = len(channel.steps)
        await channel.start()
        await channel.link(own, after=before)
        await ben.phone.text(own.pn, "and again")
        assert (await channel.receive_one())["text"] == "and again"


async def waiting(channel: ChannelProcess) -> int:
    """How much waits for the reader."""
    return int((await channel.call("GET", "/v1/accounts/default"))["waiting"])
