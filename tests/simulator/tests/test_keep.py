"""What a server of its own keeps between two runs, and what it refuses to continue with."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mautrix_whatsapp_py.media.qr import draw_qr
from tests.simulator import groups, kinds
from tests.simulator.keep import CannotResumeError, restore_world, save_world
from tests.simulator.pictures import read_qr
from tests.simulator.world import World


async def test_phones_groups_and_messages_outlive_the_server(tmp_path: Path) -> None:
    world = World()
    alice, bob = world.add_account("15550001111", "Alice"), world.add_account("15550002222", "Bob")
    group = groups.create_group(world, alice, "Choir", [bob])
    await bob.phone.set_push_name("Bobby")
    await bob.phone.send(alice.pn, kinds.text("hello"))
    save_world(world, tmp_path / "world")
    assert stat.S_IMODE((tmp_path / "world").stat().st_mode) == 0o600

    again = World()
    restore_world(again, tmp_path / "world")
    alice_again, bob_again = again.accounts
    assert [(each.pn, each.lid, each.name) for each in again.accounts] == [
        (alice.pn, alice.lid, "Alice"),
        (bob.pn, bob.lid, "Bobby"),
    ]
    assert (await alice_again.phone.receive_next()).text == "hello"
    assert groups.members_of(again, again.groups[group.jid.user]) == [alice_again, bob_again]
    # the sessions go on where they were
    await alice_again.phone.send(bob_again.pn, kinds.text("hello yourself"))
    assert (await bob_again.phone.receive_next()).text == "hello yourself"
    assert again.next_id() not in {f"simulator-{number}" for number in range(1, world.last_id + 1)}
    assert not again.trace.violations


def test_without_a_file_there_is_nothing_to_continue(tmp_path: Path) -> None:
    world = World()
    restore_world(world, tmp_path / "world")
    assert list(world.accounts) == []


@pytest.mark.parametrize("damage", [b"", b"no pickle", b"\x80\x04K\x01."])
def test_a_damaged_file_is_named(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "world").write_bytes(damage)
    with pytest.raises(CannotResumeError, match="world is damaged or of another version: remove it"):
        restore_world(World(), tmp_path / "world")


def test_a_phone_reads_what_the_bot_draws() -> None:
    assert read_qr(draw_qr("https://example.com/#a,b").data) == "https://example.com/#a,b"
