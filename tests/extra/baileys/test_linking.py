"""Linking the second client, and the end of a link."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.extra.baileys.driven import DrivenError, baileys, text_of
from tests.extra.baileys.linked import strict_simulator
from tests.simulator.api import WrongCodeError


async def test_qr_links_and_text_goes_both_ways(tmp_path: Path) -> None:
    async with strict_simulator(tmp_path) as wa, baileys(wa, tmp_path / "alice") as client:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        device = await client.pair(alice)
        assert alice.devices == {1: device}
        await bob.phone.text(alice.pn, "to the companion")
        received = await client.message()
        assert text_of(received) == "to the companion"
        assert received["key"]["remoteJid"] == str(bob.lid)
        await client.text(str(bob.pn), "to the phone")
        assert (await bob.phone.receive_next()).text == "to the phone"


async def test_code_links(tmp_path: Path) -> None:
    async with strict_simulator(tmp_path) as wa, baileys(wa, tmp_path / "alice") as client:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        await client.pair_by_code(alice)
        await bob.phone.text(alice.pn, "linked by code")
        assert text_of(await client.message()) == "linked by code"


async def test_wrong_code_does_not_link(tmp_path: Path) -> None:
    async with strict_simulator(tmp_path) as wa, baileys(wa, tmp_path / "alice") as client:
        alice = wa.add_account("15550001111", "Alice")
        assert await client.ask_for_code(alice, "ABCDEFGH") == "ABCDEFGH"
        with pytest.raises(WrongCodeError):
            await alice.phone.enter_code("HGFE-DCBA")
        assert not alice.devices


async def test_phone_unlinks_the_companion(tmp_path: Path) -> None:
    async with strict_simulator(tmp_path) as wa, baileys(wa, tmp_path / "alice") as client:
        alice = wa.add_account("15550001111", "Alice")
        alice.phone.unlink(await client.pair(alice))
        await client.event("closed", lambda data: data["status"] == 401)
        with pytest.raises(DrivenError):
            await client.text(str(alice.pn), "nobody hears this")


async def test_companion_unlinks_itself(tmp_path: Path) -> None:
    async with strict_simulator(tmp_path) as wa, baileys(wa, tmp_path / "alice") as client:
        alice = wa.add_account("15550001111", "Alice")
        await client.pair(alice)
        await client.call("logout")
        await wa.trace.wait_for(lambda: not alice.devices)
        await client.event("closed", lambda data: data["status"] == 401)


async def test_new_process_takes_over_the_stored_session(tmp_path: Path) -> None:
    async with strict_simulator(tmp_path) as wa:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        async with baileys(wa, tmp_path / "alice") as client:
            device = await client.pair(alice)
        await wa.trace.wait_for(lambda: device.connection is None)
        await bob.phone.text(alice.pn, "while nobody was there")
        async with baileys(wa, tmp_path / "alice") as client:
            await client.connect()
            assert text_of(await client.message()) == "while nobody was there"
        assert alice.devices == {1: device}
