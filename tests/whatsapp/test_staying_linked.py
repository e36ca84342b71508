"""What the server and the network do to a link, and what becomes of it."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path

import msgspec
import pytest

from mautrix_whatsapp_py.errors import WhatsAppUnavailable
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa_link import WaStateKind
from tests.simulator.api import Account, Network, Simulator, node, simulator
from tests.whatsapp.harness import FAST, Bench, bench, to_wa_jid

pytestmark = pytest.mark.neonize

LOGIN = LoginId("15550001111")
DROPS = 50


def people(wa: Simulator) -> tuple[Account, Account]:
    return wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")


async def expect_delivery(it: Bench, sender: Account, recipient: Account, text: str) -> None:
    await sender.phone.text(recipient.pn, text)
    await it.sink.until(lambda: text in it.sink.texts())


async def test_logout_unlinks_and_deletes(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, _ = people(wa)
        await it.pair(alice)
        assert await it.network.logout(LOGIN)
        assert not alice.devices
        assert it.network.get_client(LOGIN) is None
        assert list((tmp_path / "data" / "sessions").iterdir()) == []


async def test_unlinked_on_the_phone(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, _ = people(wa)
        client, device = await it.pair(alice)
        alice.phone.unlink(device)
        state = await it.sink.until_state(LOGIN, WaStateKind.BAD_CREDENTIALS, "wa-logged-out")
        assert state.needs_login
        with pytest.raises(WhatsAppUnavailable):
            await client.send_typing(to_wa_jid(alice.pn), is_typing=True)
        await it.restart_network()
        await it.sink.until_state(LOGIN, WaStateKind.BAD_CREDENTIALS, "wa-logged-out")


@pytest.mark.parametrize(
    ("reason", "extra", "kind", "error"),
    [
        (401, {}, WaStateKind.BAD_CREDENTIALS, "wa-logged-out"),
        (403, {}, WaStateKind.BAD_CREDENTIALS, "wa-main-device-gone"),
        (406, {}, WaStateKind.BAD_CREDENTIALS, "wa-unknown-logout"),
        (402, {"code": "101", "expire": "3600"}, WaStateKind.BAD_CREDENTIALS, "wa-temporary-ban"),
        (402, {"code": "199", "expire": "3600"}, WaStateKind.BAD_CREDENTIALS, "wa-temporary-ban"),
        (405, {}, WaStateKind.UNKNOWN_ERROR, "wa-client-outdated"),
        (409, {}, WaStateKind.UNKNOWN_ERROR, "wa-connect-failure-409"),
        (418, {}, WaStateKind.UNKNOWN_ERROR, "wa-connect-failure-unknown"),
    ],
)
async def test_refused_login(
    tmp_path: Path, reason: int, extra: dict[str, str], kind: WaStateKind, error: str
) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, _ = people(wa)
        await it.pair(alice)
        with wa.failing_logins(reason, **extra):
            wa.proxy.drop_all()
            state = await it.sink.until_state(LOGIN, kind, error)
        if error == "wa-temporary-ban" and extra["code"] == "101":
            assert state.until is not None
            assert "banned" in state.message


async def test_reconnect_after_refusal_is_a_request_away(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, bob = people(wa)
        await it.pair(alice)
        with wa.failing_logins(405):
            wa.proxy.drop_all()
            await it.sink.until_state(LOGIN, WaStateKind.UNKNOWN_ERROR, "wa-client-outdated")
        await it.network.connect(LOGIN)
        await it.sink.until_state(LOGIN, WaStateKind.CONNECTED)
        await expect_delivery(it, bob, alice, "again")


async def test_replaced_elsewhere(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, _ = people(wa)
        _, device = await it.pair(alice)
        assert device.connection is not None
        await device.connection.stream_error(None, node("conflict", {"type": "replaced"}))
        await it.sink.until_state(LOGIN, WaStateKind.UNKNOWN_ERROR, "wa-stream-replaced")


async def test_server_away(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, bob = people(wa)
        await it.pair(alice)
        with wa.network(Network.AWAY):
            wa.proxy.drop_all()
            await it.sink.until_state(LOGIN, WaStateKind.TRANSIENT_DISCONNECT, "wa-connection-failed")
            await bob.phone.text(alice.pn, "while away")
        await it.sink.until_state(LOGIN, WaStateKind.CONNECTED)
        await it.sink.until(lambda: "while away" in it.sink.texts())


async def test_black_hole(tmp_path: Path) -> None:
    keepalive = "0.3,0.2,0.4,1.0"
    async with (
        simulator(tmp_path / "wa") as wa,
        bench(wa, tmp_path / "data", keepalive=keepalive) as it,
    ):
        alice, bob = people(wa)
        await it.pair(alice)
        with wa.network(Network.BLACK_HOLE):
            await it.sink.until_state(LOGIN, WaStateKind.TRANSIENT_DISCONNECT, "wa-keepalive-timeout")
        wa.proxy.drop_all()
        await it.sink.until_state(LOGIN, WaStateKind.CONNECTED)
        await expect_delivery(it, bob, alice, "out of the hole")


async def test_socket_dropped_many_times(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, bob = people(wa)
        _, device = await it.pair(alice)
        for number in range(DROPS):
            await wa.trace.wait_for(lambda: device.connection is not None, 30)
            connection = device.connection
            assert connection is not None
            await bob.phone.text(alice.pn, f"m{number}")
            connection.drop()
        await it.sink.until(lambda: f"m{DROPS - 1}" in it.sink.texts())
        assert it.sink.texts() == [f"m{number}" for number in range(DROPS)]


async def test_disconnect_lasts_over_a_restart(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, bob = people(wa)
        _, device = await it.pair(alice)
        await it.network.disconnect(LOGIN)
        await it.sink.until_state(LOGIN, WaStateKind.TRANSIENT_DISCONNECT, "wa-not-connected")
        await wa.trace.wait_for(lambda: device.connection is None)
        await it.restart_network()
        await it.sink.until_state(LOGIN, WaStateKind.TRANSIENT_DISCONNECT, "wa-not-connected")
        assert it.network.get_hosts() == ()
        await it.network.connect(LOGIN)
        await it.sink.until_state(LOGIN, WaStateKind.CONNECTED)
        await expect_delivery(it, bob, alice, "back")


async def test_deleted_session_file(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, _ = people(wa)
        await it.pair(alice)
        await it.network.stop()
        for path in (tmp_path / "data" / "sessions" / LOGIN).glob("session.db*"):
            path.unlink()
        it.start_over()
        await it.network.start()
        await it.sink.until_state(LOGIN, WaStateKind.BAD_CREDENTIALS, "wa-not-logged-in")


@pytest.mark.parametrize("damage", ["garbage", "empty", "other account", "no device"])
async def test_unusable_session_file_harms_only_its_login(tmp_path: Path, damage: str) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, bob = people(wa)
        await it.pair(alice)
        await it.pair(bob)
        await it.network.stop()
        folder = tmp_path / "data" / "sessions" / LOGIN
        for path in folder.glob("session.db-*"):
            path.unlink()
        spoil(folder / "session.db", damage)
        it.start_over()
        await it.network.start()
        await it.sink.until_state(LOGIN, WaStateKind.BAD_CREDENTIALS, "wa-not-logged-in")
        await it.sink.until_state(LoginId("15550002222"), WaStateKind.CONNECTED)


def spoil(database: Path, damage: str) -> None:
    match damage:
        case "garbage":
            database.write_bytes(os.urandom(8192))
        case "empty":
            database.write_bytes(b"")
        case "other account":
            with sqlite3.connect(database) as connection:
                connection.execute("PRAGMA foreign_keys=off")
                connection.execute("UPDATE whatsmeow_device SET jid='15559999999:1@s.whatsapp.net'")
            connection.close()
        case "no device":
            with sqlite3.connect(database) as connection:
                connection.execute("DELETE FROM whatsmeow_device")
            connection.close()


async def test_server_that_forgot_us_is_reminded(tmp_path: Path) -> None:
    """The socket is up and pings are answered, but nothing is delivered any more."""
    timings = msgspec.structs.replace(FAST, silence_seconds=0.6, probe_seconds=2.0)
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data", timings=timings) as it:
        alice, bob = people(wa)
        _, device = await it.pair(alice)
        device.is_active = False
        await expect_delivery(it, bob, alice, "held back")


async def test_stuck_library_is_restarted_alone(tmp_path: Path) -> None:
    """Nothing answers any more although the socket is open: that session starts anew, others do not notice."""
    timings = msgspec.structs.replace(FAST, silence_seconds=0.6, probe_seconds=0.5)
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data", timings=timings) as it:
        alice, bob = people(wa)
        _, device = await it.pair(alice)
        other, _ = await it.pair(bob)
        connection = device.connection
        assert connection is not None
        connection.stop_writing()
        await wa.trace.wait_for(lambda: device.connection not in (None, connection), 30)
        await it.sink.until_state(LOGIN, WaStateKind.CONNECTED)
        assert (await other.fetch_stats()).restarts == 0


async def test_frozen_host_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mautrix_whatsapp_py.whatsapp.wire.SILENCE_SECONDS", 7.0)
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, bob = people(wa)
        await it.pair(alice)
        await it.sink.until(lambda: True)
        slot = it.network.berths.slots[0]
        frozen = slot.pid
        os.kill(frozen, signal.SIGSTOP)
        await it.sink.until_state(LOGIN, WaStateKind.TRANSIENT_DISCONNECT, "wa-transient-disconnect")
        await it.sink.until_state(LOGIN, WaStateKind.CONNECTED)
        assert slot.pid != frozen
        await expect_delivery(it, bob, alice, "thawed")
