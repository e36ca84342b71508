"""The past, from a phone to a session's shelf."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from mautrix_whatsapp_py.errors import WhatsAppError
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.wa import WaHistorySync
from mautrix_whatsapp_py.model.wa_history import WaHistoryFigures, WaHistoryStage
from mautrix_whatsapp_py.whatsapp.history import ClientHistory, open_history
from tests.simulator.api import Jid, simulator
from tests.simulator.history import HistoryChunk, HistoryConversation, HistoryMessage
from tests.simulator.protobufs import e2e
from tests.whatsapp.harness import bench, to_wa_jid

pytestmark = pytest.mark.neonize

LOGIN = LoginId("15550001111")
START_S = 1_700_000_000


def conversation(chat: Jid, count: int) -> HistoryConversation:
    messages = [
        HistoryMessage(message_id=f"OLD{n}", message=e2e.Message(conversation=f"old {n}"), at_seconds=START_S + n)
        for n in range(count)
    ]
    return HistoryConversation(chat=chat, messages=messages)


async def test_history_waits_in_the_session_until_it_is_asked_for(tmp_path: Path) -> None:
    """Stored before it is told of; unpacked again after a host that was killed meanwhile; gone when it is done."""
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        _, device = await it.pair(alice)
        history = open_history(it.network, LOGIN)
        assert history is not None
        await alice.phone.send_history(device, HistoryChunk(conversations=[conversation(bob.lid, 300)]))
        await it.sink.until(lambda: it.sink.of_kind(WaHistorySync))
        (pid,) = it.host_pids()
        os.kill(pid, signal.SIGKILL)
        assert (tmp_path / "data" / "sessions" / LOGIN / "history").stat().st_mode & 0o777 == 0o700
        async with asyncio.timeout(30):
            while (await fetch_figures(history)).new < 300:
                await asyncio.sleep(0.02)
        (chat,) = await history.fetch_chats(offset=0, limit=9)
        assert chat.chat == to_wa_jid(bob.lid)
        plan = await history.plan(chat.chat, (WaHistoryStage.NEW,), after=None, limit=50)
        assert (plan.wanted, plan.kept) == (50, 250)
        page = await history.fetch_page(chat.chat, WaHistoryStage.WANTED, limit=10)
        texts = [item.events[0].content for item in page]
        assert [text.body for text in texts if isinstance(text, WaText)] == [f"old {n}" for n in range(250, 260)]
        await history.settle(chat.chat, [item.key for item in page], WaHistoryStage.DONE)
        assert (await history.fetch_figures()).wanted == 40


async def fetch_figures(history: ClientHistory) -> WaHistoryFigures:
    """What is stored; nothing while no host answers."""
    try:
        return await history.fetch_figures()
    except WhatsAppError:
        return WaHistoryFigures()
