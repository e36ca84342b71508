"""Sessions on several workers: who should have which, and a leader that reaches them all; hosts are scripted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mautrix_whatsapp_py.errors import WhatsAppRefused, WhatsAppUnavailable, WhatsAppUncertain
from mautrix_whatsapp_py.ids import JournalSeq, LoginId
from mautrix_whatsapp_py.model.content import WaKind
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.spread import letters
from mautrix_whatsapp_py.whatsapp.spread.rendezvous import choose, eligible
from tests.unit.whatsapp.spread_site import Peer, Site

LOGINS = [LoginId(f"1555000{number:04}") for number in range(3000)]


# Who should have which


def homes(*peers: Peer) -> dict[LoginId, str | None]:
    return {login: choose(login, peers) for login in LOGINS}


def test_every_worker_gets_its_share() -> None:
    counts = Counter(homes(Peer(name="a"), Peer(name="b"), Peer(name="c", weight=2)).values())
    assert all(abs(counts[name] / len(LOGINS) - share) < 0.04 for name, share in (("a", 0.25), ("b", 0.25)))
    assert abs(counts["c"] / len(LOGINS) - 0.5) < 0.04


def test_only_the_share_of_one_who_comes_or_goes_moves() -> None:
    two, three = homes(Peer(name="a"), Peer(name="b")), homes(Peer(name="a"), Peer(name="b"), Peer(name="c"))
    moved = [login for login in LOGINS if two[login] != three[login]]
    assert {three[login] for login in moved} == {"c"}
    assert abs(len(moved) / len(LOGINS) - 1 / 3) < 0.04


def test_who_drains_or_weighs_nothing_gets_nothing_and_who_has_just_come_waits() -> None:
    settled, new = Peer(name="a"), Peer(name="b", age_seconds=1)
    drained, light = Peer(name="c", is_draining=True), Peer(name="d", weight=0)
    assert eligible([settled, new, drained, light], settled_seconds=5) == [settled]
    assert eligible([new, drained], settled_seconds=5) == [new]
    assert eligible([drained], settled_seconds=5) == []
    assert choose(LOGINS[0], []) is None


# A leader and the others


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setenv("FAKE_HOST_LOG", str(tmp_path / "host.log"))
    monkeypatch.setattr(letters, "BEAT_SECONDS", 0.1)
    made = Site(folder=tmp_path)
    yield made
    for name in tuple(made.workers):
        await made.leave(name)


def told(site: Site, word: str) -> int:
    path = site.folder / "host.log"
    return path.read_text().splitlines().count(word) if path.exists() else 0


async def test_the_leader_reaches_sessions_wherever_they_are(site: Site) -> None:
    logins = LOGINS[:6]
    for name in ("a", "b"):
        await site.join(name)
    async with site.leading("a", logins) as it:
        await it.sink.until_connected(*logins)
        assert site.database.holders().keys() == {"a", "b"}
        # Each event once, though every host says it twice.
        await it.sink.until(lambda: len(it.sink.events) == 2 * len(logins))
        far = next(login for login, row in site.database.rows.items() if row.holder == "b")
        client = it.network.get_client(far)
        assert client is not None
        client.ack(JournalSeq(5))
        # Twice where the host's second telling comes after the first acknowledgement.
        await site.until(lambda: told(site, "Ack 5") in (1, 2))
        await client.send_presence(is_available=True)
        assert told(site, "SendPresence") == 1
        await it.network.disconnect(far)
        assert (site.database.rows[far].holder, site.database.rows[far].is_wanted) == ("", False)
        assert client.state.error == "wa-not-connected"
        await it.network.connect(far)
        await it.sink.until_connected(far)


async def test_a_file_goes_ahead_to_where_its_session_is(site: Site, tmp_path: Path) -> None:
    await site.join("a")
    b = await site.join("b")
    async with site.leading("a", LOGINS[:6]) as it:
        await it.sink.until_connected(*LOGINS[:6])
        far = next(login for login, row in site.database.rows.items() if row.holder == "b")
        body = bytes(range(256)) * 2500
        (tmp_path / "file").write_bytes(body)
        seen: list[bytes] = []
        way = b.keeper.way_to(far)
        assert way is not None

        class Peeping:
            async def request(self, call: wire.Call, *, deadline_seconds: float) -> wire.Result:
                assert isinstance(call, wire.UploadFile)
                seen.append(await asyncio.to_thread(Path(call.path).read_bytes))
                raise WhatsAppRefused(code="seen")

        b.keeper.way_to = lambda _login: Peeping()  # type: ignore[method-assign, assignment, return-value]
        client = it.network.get_client(far)
        assert client is not None
        with pytest.raises(WhatsAppRefused):
            await client.upload_file(tmp_path / "file", WaKind.DOCUMENT)
        assert seen == [body]
        handed = tmp_path / "b" / "handed"
        await site.until(lambda: not list(handed.iterdir()))


async def test_shares_move_when_workers_come_drain_and_die(site: Site) -> None:
    logins = LOGINS[:8]
    await site.join("a")
    async with site.leading("a", logins) as it:
        await it.sink.until_connected(*logins)
        assert site.database.holders() == {"a": 8}
        await site.join("b")
        await site.until(lambda: set(site.database.holders()) == {"a", "b"})
        share = site.database.holders()["b"]
        assert 0 < share < 8
        await site.until(lambda: all(site.database.rows[login].holder for login in logins))
        site.database.peers["b"] = Peer(name="b", is_draining=True)
        await site.until(lambda: site.database.holders() == {"a": 8})
        site.database.peers["b"] = Peer(name="b")
        await site.until(lambda: site.database.holders().get("b") == share)
        await site.leave("b", in_order=False)
        await site.until(lambda: site.database.holders() == {"a": 8})
        assert site.silenced == ["b"]
        await it.sink.until_connected(*logins)


async def test_a_host_is_there_before_the_first_session(site: Site) -> None:
    berths = (await site.join("a")).keeper.berths
    berths.warm()
    await site.until(lambda: berths.slots[0].connection is not None)
    berths.warm()
    pids = [slot.pid for slot in berths.slots]
    async with site.leading("a", LOGINS[:2]) as it:
        await it.sink.until_connected(*LOGINS[:2])
        assert [slot.pid for slot in berths.slots] == pids


@pytest.mark.parametrize("is_asked_before", [False, True])
async def test_a_session_goes_in_order_while_the_way_to_its_host_is_made_anew(
    site: Site, is_asked_before: bool
) -> None:
    keeper = (await site.join("a")).keeper
    async with site.leading("a", LOGINS[:3]) as it:
        await it.sink.until_connected(*LOGINS[:3])
        (slot,) = keeper.berths.slots
        pid = slot.pid
        if is_asked_before:
            dropping = asyncio.create_task(keeper.drop(LOGINS[0]))
            await asyncio.sleep(0)  # It asks now.
            await slot.reattach()
        else:
            await slot.reattach()
            assert slot.connection is None
            dropping = asyncio.create_task(keeper.drop(LOGINS[0]))
        await dropping
        assert told(site, "StopSession") >= 1
        await site.until(lambda: slot.connection is not None)
        assert slot.pid == pid


async def test_another_leader_takes_the_links_over_as_they_are(site: Site) -> None:
    logins = LOGINS[:6]
    for name in ("a", "b"):
        await site.join(name)
    async with site.leading("a", logins) as it:
        await it.sink.until_connected(*logins)
        starts = told(site, "StartSession")
    async with site.leading("b", logins, epoch=2) as it:
        # An earlier leader that wakes up is not listened to.
        await site.database.sender("a")("a", [letters.encode("old", 1, letters.Attach(epoch=1), is_down=True)])
        client = it.network.get_client(next(login for login in logins if site.database.rows[login].holder == "a"))
        assert client is not None
        await it.ask(client.login)
    assert told(site, "StartSession") == starts


async def test_a_link_whose_letters_go_missing_is_made_anew(site: Site) -> None:
    for name in ("a", "b"):
        await site.join(name)
    async with site.leading("a", LOGINS[:6]) as it:
        await it.sink.until_connected(*LOGINS[:6])
        far = next(login for login, row in site.database.rows.items() if row.holder == "b")
        client = it.network.get_client(far)
        assert client is not None
        site.database.lost = 1
        with pytest.raises((WhatsAppUncertain, WhatsAppUnavailable)):
            await client.send_presence(is_available=True)
        await it.ask(far)
        # The same when the database is away, and when nothing is heard for long.
        site.database.is_away = True
        with pytest.raises((WhatsAppUncertain, WhatsAppUnavailable)):
            await client.send_presence(is_available=True)
        site.database.is_away = False
        await site.until(lambda: it.network.berths.way_to(far) is not None)
        site.now += letters.SILENCE_SECONDS + 1
        await it.ask(far)
