"""A link end to end: pair, receive, answer, restart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mautrix_whatsapp_py.ids import SendId
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.wa_link import WaSent
from tests.simulator.api import simulator
from tests.whatsapp.harness import bench, to_wa_jid

pytestmark = pytest.mark.neonize


async def test_pairs_receives_and_answers(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        client, _ = await it.pair(alice)
        assert client.login == "15550001111"
        await bob.phone.text(alice.pn, "ping")
        await it.sink.until(lambda: "ping" in it.sink.texts())
        content = WaText(body="pong")
        sent = await client.send_message(to_wa_jid(bob.pn), content, send_id=SendId("s1"), secret=os.urandom(32))
        assert isinstance(sent, WaSent)
        received = await bob.phone.receive_next()
        assert received.text == "pong"
        assert received.message_id == sent.message_id
