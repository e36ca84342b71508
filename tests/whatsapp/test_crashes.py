"""Nothing is lost and nothing doubled when processes die: bridge killed, host killed, disk full."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mautrix_whatsapp_py.errors import StartupError, WhatsAppError
from mautrix_whatsapp_py.ids import LoginId, SendId
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.wa_link import WaSendUncertain, WaSendUnknown, WaSent, WaStateKind
from mautrix_whatsapp_py.whatsapp.client import Client
from mautrix_whatsapp_py.whatsapp.network import Network
from tests.simulator.api import Account, ViolationKind, simulator
from tests.whatsapp.harness import Bench, Recorder, bench, options_for, report, to_wa_jid

pytestmark = pytest.mark.neonize

LOGIN = LoginId("15550001111")
BRIDGE_KILLS = 10
MESSAGES = 2000
HOST_KILLS = 20
PER_KILL = 15
ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def bridge_process(it: Bench, record: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    options = json.dumps(
        {
            "folder": str(it.options.folder),
            "host_command": it.options.host_command,
            "timings": it.options.timings,
            "orphan_seconds": 60.0,
        }
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.whatsapp.bridge_program",
        options,
        str(record),
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def messages_in(record: Path) -> list[list[str]]:
    raw = record.read_text().splitlines() if record.exists() else []
    return [line.split("\t") for line in raw if line.endswith(tuple("0123456789"))]


async def lines_reach(record: Path, count: int, *, seconds: float = 90.0) -> list[list[str]]:
    lines: list[list[str]] = []
    async with asyncio.timeout(seconds):
        while True:
            lines = messages_in(record)
            if len(lines) >= count:
                return lines
            await asyncio.sleep(0.05)  # another process writes the file


async def test_bridge_killed_ten_times_under_load(tmp_path: Path) -> None:
    record = tmp_path / "record"
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice = wa.add_account("15550001111", "Alice")
        chats = [wa.add_account(f"1555000222{number}", f"Bob {number}") for number in range(4)]
        await it.pair(alice)
        it.network.berths.options = replace(it.options, keeps_links_on_stop=True)
        await it.network.stop()
        sending = asyncio.create_task(send_to(alice, chats, MESSAGES))
        for kill in range(BRIDGE_KILLS):
            async with bridge_process(it, record) as process:
                await lines_reach(record, (kill + 1) * MESSAGES // (BRIDGE_KILLS + 2))
                process.kill()
        async with bridge_process(it, record):
            await sending
            lines = await lines_reach(record, MESSAGES)
            assert it.options.folder.joinpath("hosts").exists()
        it.start_over()
        await it.network.start()
    counts = Counter(text for _, _, text in lines)
    lost = MESSAGES - len(counts)
    doubled = sum(count - 1 for count in counts.values())
    report(f"bridge killed {BRIDGE_KILLS} times: {MESSAGES} messages, {lost} lost, {doubled} doubled")
    assert (lost, doubled) == (0, 0)
    for chat in {chat for _, chat, _ in lines}:
        numbers = [int(text) for _, at, text in lines if at == chat]
        assert numbers == sorted(numbers)


async def send_to(recipient: Account, senders: list[Account], count: int) -> None:
    for number in range(count):
        await senders[number % len(senders)].phone.text(recipient.pn, str(number))
        if number % 20 == 0:
            await asyncio.sleep(0.05)


async def test_host_killed_twenty_times(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        wa.trace.tolerate(ViolationKind.CONSUMED_PREKEY)
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        await it.pair(alice)
        slot = it.network.berths.slots[0]
        for kill in range(HOST_KILLS):
            await it.sink.until_state(LOGIN, WaStateKind.CONNECTED)
            for number in range(PER_KILL):
                await bob.phone.text(alice.pn, str(kill * PER_KILL + number))
            it.sink.states.clear()
            os.kill(slot.pid, signal.SIGKILL)
            await it.sink.until_state(LOGIN, WaStateKind.TRANSIENT_DISCONNECT, "wa-transient-disconnect")
        await it.sink.until_state(LOGIN, WaStateKind.CONNECTED)
        await bob.phone.text(alice.pn, "last")
        await it.sink.until(lambda: "last" in it.sink.texts())
        texts = [int(text) for text in it.sink.texts() if text != "last"]
    lost = HOST_KILLS * PER_KILL - len(set(texts))
    doubled = len(texts) - len(set(texts))
    report(f"host killed {HOST_KILLS} times: {HOST_KILLS * PER_KILL} messages, {lost} lost, {doubled} doubled")
    assert lost < 10 * HOST_KILLS
    assert doubled == 0


async def test_host_killed_while_sending(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        wa.trace.tolerate(ViolationKind.CONSUMED_PREKEY)
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        client, _ = await it.pair(alice)
        slot = it.network.berths.slots[0]
        for number in range(5):
            await it.sink.until_state(LOGIN, WaStateKind.CONNECTED)
            send_id, secret = SendId(f"s{number}"), os.urandom(32)
            sending = asyncio.create_task(try_send(client, bob, send_id, secret, str(number)))
            it.sink.states.clear()
            os.kill(slot.pid, signal.SIGKILL)
            await sending
            await it.sink.until_state(LOGIN, WaStateKind.CONNECTED)
            outcome = await client.fetch_send_outcome(send_id, secret)
            if isinstance(outcome, WaSendUnknown):
                again = await client.send_message(
                    to_wa_jid(bob.pn), WaText(body=str(number)), send_id=send_id, secret=secret
                )
                assert isinstance(again, WaSent)
            else:
                assert isinstance(outcome, WaSent | WaSendUncertain)
        await client.send_message(to_wa_jid(bob.pn), WaText(body="last"), send_id=SendId("last"))
        texts: list[str] = []
        while not texts or texts[-1] != "last":
            texts.append((await bob.phone.receive_next()).text)
    assert len(texts) == len(set(texts))


async def try_send(client: Client, to: Account, send_id: SendId, secret: bytes, text: str) -> None:
    with contextlib.suppress(WhatsAppError):
        await client.send_message(to_wa_jid(to.pn), WaText(body=text), send_id=send_id, secret=secret)


async def test_a_send_id_is_sent_once(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        client, _ = await it.pair(alice)
        secret, chat = os.urandom(32), to_wa_jid(bob.pn)
        first, second = await asyncio.gather(
            *(client.send_message(chat, WaText(body="once"), send_id=SendId("a"), secret=secret) for _ in range(2))
        )
        assert first == second
        await client.send_message(chat, WaText(body="other"), send_id=SendId("b"), secret=os.urandom(32))
        assert [(await bob.phone.receive_next()).text for _ in range(2)] == ["once", "other"]
        assert await client.fetch_send_outcome(SendId("c"), os.urandom(32)) == WaSendUnknown(send_id=SendId("c"))
        await client.forget_sends([SendId("a")])
        # Bob's phone has told that it has the first.
        found = await client.fetch_send_outcome(SendId("a"), secret)
        while isinstance(found, WaSendUncertain):
            found = await client.fetch_send_outcome(SendId("a"), secret)
        assert isinstance(found, WaSent)
        assert found.message_id == first.message_id
        bob.phone.is_sending_receipts, secret = False, os.urandom(32)
        await client.send_message(chat, WaText(body="last"), send_id=SendId("d"), secret=secret)
        await client.forget_sends([SendId("d")])
        assert isinstance(await client.fetch_send_outcome(SendId("d"), secret), WaSendUncertain)


async def test_only_one_bridge_per_folder(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        second = Network(options_for(wa, it.options.folder), Recorder())
        with pytest.raises(StartupError, match="another bridge"):
            await second.start()


async def test_links_stay_up_while_the_bridge_is_away(tmp_path: Path) -> None:
    async with (
        simulator(tmp_path / "wa") as wa,
        bench(wa, tmp_path / "data", keeps_links_on_stop=True) as it,
    ):
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        _, device = await it.pair(alice)
        connection = device.connection
        await it.network.stop()
        for number in range(20):
            await bob.phone.text(alice.pn, f"m{number}")
        await wa.trace.wait_for(lambda: not wa.unacknowledged(device))
        it.start_over()
        await it.network.start()
        await it.sink.until(lambda: len(it.sink.texts()) == 20)
        assert it.sink.texts() == [f"m{number}" for number in range(20)]
        assert device.connection is connection


async def test_a_bridge_that_ends_leaves_its_links_up(tmp_path: Path) -> None:
    record = tmp_path / "record"
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        _, device = await it.pair(alice)
        await it.network.stop()
        async with bridge_process(it, record) as process:
            await wa.trace.wait_for(lambda: device.connection is not None and device.is_active, 30)
            await bob.phone.text(alice.pn, "1")
            await lines_reach(record, 1)
            connection = device.connection
            process.terminate()
            assert await process.wait() == 0
        await bob.phone.text(alice.pn, "2")
        await wa.trace.wait_for(lambda: not wa.unacknowledged(device))
        assert device.connection is connection
        it.start_over()
        await it.network.start()
        await it.sink.until(lambda: it.sink.texts() == ["2"])


async def test_orphaned_host_ends_cleanly(tmp_path: Path) -> None:
    async with (
        simulator(tmp_path / "wa") as wa,
        bench(wa, tmp_path / "data", keeps_links_on_stop=True, orphan_seconds=0.5) as it,
    ):
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        _, device = await it.pair(alice)
        await it.network.stop()
        await bob.phone.text(alice.pn, "journalled")
        await wa.trace.wait_for(lambda: device.connection is None, 30)
        it.start_over()
        await it.network.start()
        await it.sink.until(lambda: "journalled" in it.sink.texts())


async def test_a_host_nobody_can_find_ends(tmp_path: Path) -> None:
    async with (
        simulator(tmp_path / "wa") as wa,
        bench(wa, tmp_path / "data", keeps_links_on_stop=True) as it,
    ):
        alice = wa.add_account("15550001111", "Alice")
        _, device = await it.pair(alice)
        (host,) = it.network.host_folders()
        await it.network.stop()
        host.rename(tmp_path / "elsewhere")
        await wa.trace.wait_for(lambda: device.connection is None, 30)


async def test_clean_stop_under_load_loses_nothing(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        await it.pair(alice)
        sending = asyncio.create_task(send_to(alice, [bob], 300))
        await it.sink.until(lambda: len(it.sink.texts()) > 50)
        before = it.sink.texts()
        await it.network.stop()
        before = it.sink.texts()
        await sending
        it.start_over()
        await it.network.start()
        await it.sink.until(lambda: "299" in it.sink.texts())
        everything = [*before, *it.sink.texts()]
    assert [int(text) for text in everything] == list(range(300))


async def test_sessions_move_when_a_host_is_recycled(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        await it.pair(alice)
        await it.pair(bob)
        worn = it.network.berths.slots[0]
        sending = asyncio.create_task(send_to(alice, [bob], 200))
        await it.network.berths.recycle(worn.name)
        await sending
        await it.sink.until(lambda: "199" in it.sink.texts(LOGIN))
        assert worn not in it.network.berths.slots
        received = it.sink.texts(LOGIN)
    assert received == [str(number) for number in range(200)]
