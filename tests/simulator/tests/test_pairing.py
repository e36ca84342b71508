"""Linking companions by QR and by code."""

from __future__ import annotations

from pathlib import Path

import pytest
from neonize.aioze.events import ConnectedEv, LoggedOutEv, PairStatusEv
from neonize.utils.jid import build_jid

from tests.simulator.api import PairingRefusedError, WrongCodeError, simulator

pytestmark = pytest.mark.neonize


async def test_qr_links_and_a_message_goes_both_ways(tmp_path: Path) -> None:
    async with simulator(tmp_path) as wa:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        client = wa.client("alice")
        device = await client.pair(alice)
        await bob.phone.text(alice.pn, "ping")
        event = await client.message()
        assert event.Message.conversation == "ping"
        await client.api.send_message(event.Info.MessageSource.Chat, "pong")
        assert (await bob.phone.receive_next()).text == "pong"
        assert alice.devices == {1: device}


async def test_unlinking_on_the_phone_logs_out(tmp_path: Path) -> None:
    async with simulator(tmp_path) as wa:
        alice = wa.add_account("15550001111", "Alice")
        client = wa.client("alice")
        device = await client.pair(alice)
        alice.phone.unlink(device)
        assert not (await client.wait(LoggedOutEv)).OnConnect


async def test_lost_socket_ends_the_qr(tmp_path: Path) -> None:
    async with simulator(tmp_path) as wa:
        client = wa.client("alice")
        await client.connect()
        await client.qr_code()
        next(iter(wa.world.connections)).drop()
        assert await client.statuses.get() == "timeout"


async def test_code_links_after_a_wrong_one(tmp_path: Path) -> None:
    async with simulator(tmp_path) as wa:
        alice = wa.add_account("15550001111", "Alice")
        client = wa.client("alice")
        await client.connect()
        await client.qr_code()
        await client.api.PairPhone("15550001111", show_push_notification=True)
        with pytest.raises(WrongCodeError):
            await alice.phone.enter_code("AAAA-AAAA")
        assert not alice.devices
        code = await client.api.PairPhone("15550001111", show_push_notification=True)
        await alice.phone.enter_code(code)
        assert (await client.wait(PairStatusEv)).ID.User == alice.pn.user
        await client.wait(ConnectedEv)


async def test_fifth_device_is_refused(tmp_path: Path) -> None:
    async with simulator(tmp_path) as wa:
        alice = wa.add_account("15550001111", "Alice")
        for number in range(4):
            await wa.client(f"alice{number}").pair(alice)
        fifth = wa.client("fifth")
        await fifth.connect()
        with pytest.raises(PairingRefusedError):
            await alice.phone.scan(await fifth.qr_code())
        assert sorted(alice.devices) == [1, 2, 3, 4]


async def test_two_companions_see_each_other(tmp_path: Path) -> None:
    async with simulator(tmp_path) as wa:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        first, second = wa.client("first"), wa.client("second")
        await first.pair(alice)
        await second.pair(alice)
        await first.api.send_message(build_jid(bob.pn.user), "from the first")
        echo = await second.message()
        assert echo.Info.MessageSource.IsFromMe
        assert (await bob.phone.receive_next()).text == "from the first"
