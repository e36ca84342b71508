"""Everything that can happen to a linked session."""

from __future__ import annotations

from pathlib import Path

import pytest
from neonize.aioze.events import (
    ClientOutdatedEv,
    ConnectedEv,
    ConnectFailureEv,
    DisconnectedEv,
    KeepAliveRestoredEv,
    KeepAliveTimeoutEv,
    LoggedOutEv,
    MessageEv,
    OfflineSyncCompletedEv,
    OfflineSyncPreviewEv,
    StreamErrorEv,
    StreamReplacedEv,
    TemporaryBanEv,
)

from tests.simulator.api import Network, PairingRefusedError, Simulator, simulator
from tests.simulator.patch import KeepAlive, QrTimings
from tests.simulator.tests.clients import alice_and_bob, keepalive, qr_timings

pytestmark = pytest.mark.neonize

QUICK = KeepAlive(
    response_seconds=0.2, interval_min_seconds=0.1, interval_max_seconds=0.2, max_silence_seconds=0.6
)


async def test_qr_codes_rotate_and_run_out(tmp_path: Path) -> None:
    with qr_timings(QrTimings(first_seconds=0.3, next_seconds=0.1)):
        async with simulator(tmp_path) as wa:
            alice = wa.add_account("15550001111", "Alice")
            client = wa.client("alice")
            await client.connect()
            codes = [await client.qr_code() for _ in range(6)]
            assert await client.statuses.get() == "timeout"
            assert len(set(codes)) == 6
            await wa.trace.wait_for(lambda: not wa.world.refs)
            with pytest.raises(PairingRefusedError):
                await alice.phone.scan(codes[0])


async def test_fewer_refs_mean_fewer_codes(tmp_path: Path) -> None:
    with qr_timings(QrTimings(first_seconds=0.1, next_seconds=0.1)):
        async with simulator(tmp_path) as wa:
            wa.faults.qr_refs = 2
            client = wa.client("alice")
            await client.connect()
            assert await client.qr_code() != await client.qr_code()
            assert await client.statuses.get() == "timeout"


@pytest.mark.parametrize(
    ("reason", "extra", "event"),
    [
        (401, {}, LoggedOutEv),
        (403, {}, LoggedOutEv),
        (406, {}, LoggedOutEv),
        (405, {}, ClientOutdatedEv),
        (402, {"code": "101", "expire": "3600"}, TemporaryBanEv),
        (400, {}, ConnectFailureEv),
        (409, {}, ConnectFailureEv),
    ],
)
async def test_login_failures(tmp_path: Path, reason: int, extra: dict[str, str], event: type) -> None:
    async with alice_and_bob(tmp_path) as x:
        with x.wa.failing_logins(reason, "no", **extra):
            drop(x.wa)
            seen = await x.client.wait(event)
            if event is LoggedOutEv:
                assert seen.OnConnect


@pytest.mark.parametrize(("reason", "extra"), [(402, {"code": "199", "expire": "60"}), (418, {})])
async def test_unknown_failure_codes_end_the_event_pump(
    tmp_path: Path, reason: int, extra: dict[str, str]
) -> None:
    async with alice_and_bob(tmp_path) as x:
        task = x.client.task
        assert task is not None
        with x.wa.failing_logins(reason, **extra):
            drop(x.wa)
            with pytest.raises(Exception, match="not set"):
                await task


@pytest.mark.parametrize("reason", [500, 503])
async def test_server_errors_at_login_are_retried(tmp_path: Path, reason: int) -> None:
    async with alice_and_bob(tmp_path) as x:
        with x.wa.failing_logins(reason):
            drop(x.wa)
            await x.wa.trace.wait_for(lambda: failures(x.wa) > 0)
        await x.client.wait(ConnectedEv)


async def test_relinking_after_a_logout_makes_a_new_device(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        x.alice.phone.unlink(x.device)
        await x.client.wait(LoggedOutEv)
        await x.client.stop()
        again = x.wa.client("again", database=x.client.database)
        device = await again.pair(x.alice)
        assert device.number == 2
        await x.bob.phone.text(x.alice.pn, "welcome back")
        assert (await again.message()).Message.conversation == "welcome back"


async def test_unlinked_while_away(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        with x.wa.network(Network.AWAY):
            await x.wa.trace.wait_for(lambda: x.device.connection is None)
            x.alice.phone.unlink(x.device)
        assert (await x.client.wait(LoggedOutEv)).OnConnect


async def test_logout_by_the_companion(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.client.api.logout()
        await x.wa.trace.wait_for(lambda: not x.alice.devices)


async def test_stream_error_503_reconnects(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        assert x.device.connection is not None
        await x.device.connection.stream_error("503")
        await x.client.wait(ConnectedEv)


async def test_other_stream_errors_are_told(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        assert x.device.connection is not None
        await x.device.connection.stream_error("500")
        assert (await x.client.wait(StreamErrorEv)).Code == "500"


async def test_replaced_session_stays_down(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        rival = x.wa.client("rival", database=x.client.database)
        await rival.connect()
        await rival.wait(ConnectedEv)
        await x.client.wait(StreamReplacedEv)
        await x.bob.phone.text(x.alice.pn, "to the rival")
        assert (await rival.message()).Message.conversation == "to the rival"


async def test_socket_dropped_many_times(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        for number in range(20):
            drop(x.wa)
            await x.client.wait(DisconnectedEv)
            await x.client.wait(ConnectedEv)
            await x.bob.phone.text(x.alice.pn, f"after {number}")
            assert (await x.client.message()).Message.conversation == f"after {number}"


async def test_server_away_and_the_offline_queue_in_order(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        with x.wa.network(Network.AWAY):
            await x.client.wait(DisconnectedEv)
            await x.wa.trace.wait_for(lambda: x.device.connection is None)
            for number in range(20):
                await x.bob.phone.text(x.alice.pn, f"m{number}")
            assert len(x.wa.unacknowledged(x.device)) == 20
        assert (await x.client.wait(OfflineSyncPreviewEv)).Message == 20
        texts = [(await x.client.message()).Message.conversation for _ in range(20)]
        assert texts == [f"m{number}" for number in range(20)]
        await x.wa.trace.wait_for(lambda: not x.wa.unacknowledged(x.device))


async def test_what_was_not_acknowledged_is_sent_again(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        x.wa.faults.is_ignoring_acks = True
        message_id = await x.bob.phone.text(x.alice.pn, "twice on the wire")
        await x.client.message()
        x.wa.faults.is_ignoring_acks = False
        drop(x.wa)
        await x.client.wait(OfflineSyncCompletedEv)
        assert [n.get("id") for n in x.wa.unacknowledged(x.device)].count(message_id) <= 1
        await x.wa.trace.wait_for(lambda: not x.wa.unacknowledged(x.device))


async def test_black_hole_is_noticed_and_survived(tmp_path: Path) -> None:
    with keepalive(QUICK):
        async with alice_and_bob(tmp_path) as x:
            with x.wa.network(Network.BLACK_HOLE):
                await x.client.wait(KeepAliveTimeoutEv)
                await x.bob.phone.text(x.alice.pn, "into the hole")
            assert (await x.client.message()).Message.conversation == "into the hole"


async def test_ignored_pings_then_answered_ones(tmp_path: Path) -> None:
    with keepalive(KeepAlive(response_seconds=0.1, interval_min_seconds=0.1, interval_max_seconds=0.2)):
        async with alice_and_bob(tmp_path) as x:
            x.wa.faults.is_ignoring_pings = True
            await x.client.wait(KeepAliveTimeoutEv)
            x.wa.faults.is_ignoring_pings = False
            await x.client.wait(KeepAliveRestoredEv)


async def test_silence_forces_a_reconnect(tmp_path: Path) -> None:
    with keepalive(QUICK):
        async with alice_and_bob(tmp_path) as x:
            x.wa.faults.is_ignoring_pings = True
            await x.client.wait(KeepAliveTimeoutEv)
            await x.client.wait(ConnectedEv)


async def test_many_accounts_write_to_each_other(tmp_path: Path) -> None:
    async with simulator(tmp_path) as wa:
        accounts = [wa.add_account(f"1555000{n:04d}", f"User {n}") for n in range(8)]
        clients = [wa.client(f"user{n}") for n in range(8)]
        for account, client in zip(accounts, clients, strict=True):
            await client.pair(account)
        for n, client in enumerate(clients):
            await accounts[n - 1].phone.text(accounts[n].pn, f"to {n}")
            event = await client.wait(MessageEv, lambda e: not e.Info.MessageSource.IsFromMe)
            assert event.Message.conversation == f"to {n}"


async def test_all_prekeys_are_uploaded_when_the_server_has_none(tmp_path: Path) -> None:
    async with simulator(tmp_path) as wa:
        wa.faults.is_requesting_all_prekeys = True
        alice = wa.add_account("15550001111", "Alice")
        device = await wa.client("alice").pair(alice)
        assert len(device.prekeys) > 700


def drop(wa: Simulator) -> None:
    """Cut every connection without a goodbye."""
    wa.proxy.drop_all()


def failures(wa: Simulator) -> int:
    """How many logins were refused."""
    return sum(entry.node.tag == "failure" for entry in wa.trace.entries)
