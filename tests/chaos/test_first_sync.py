"""The first synchronisation of an account, killed again and again, ends as if it never was."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.storm import is_long
from tests.chaos.town import OWN_SPACE, SIZES, WAIT_SECONDS, Town, until
from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.linking_stage import Seat, Stage
from tests.homeserver import PortPool, Registration
from tests.homeserver.request_log import RequestLog
from tests.simulator import communities, groups
from tests.simulator.api import Device, host_command, simulator
from tests.simulator.full_account import Filled, fill_account

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

BEN_GHOST = "@whatsapp_15550002222:localhost"
ALL_KILLS = ((0.05, True), (0.3, False), (0.6, True), (0.7, False), (0.7, True))
"""So many changes after each start, by the number of joins there are to be, the last carried out or not."""
KILLS = ALL_KILLS if is_long() else ALL_KILLS[:2]
PARTS = ("contacts", "groups", "groups --create", "members", "avatars", "space", "all")
WEEK_SECONDS = 604_800
FULL_NOTICE = 100
"""From so many members on a room tells how far it is."""


@pytest.fixture
async def town(
    tmp_path: Path, make_synapse: MakeSynapse, make_bridge: MakeBridge, ports: PortPool
) -> AsyncIterator[Town]:
    async with simulator(tmp_path / "wa") as wa:
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration)
        log = await RequestLog(synapse.url).start()
        sections: dict[str, dict[str, object]] = {"whatsapp": {"host_command": list(host_command(wa))}}
        bridge = make_bridge(log.url, registration, port=port, sections=sections)
        await bridge.start()
        alice = await Seat.take(await synapse.create_client("alice"), bridge)
        phone, ben = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Ben")
        stage = Stage(wa=wa, synapse=synapse, bridge=bridge, alice=alice, phone=phone)
        filled = await fill_account(wa, phone, SIZES)
        await phone.phone.set_contact(ben.pn, "Ben")
        filled.groups[-1].ephemeral_seconds = WEEK_SECONDS
        device = await alice.scan(phone)
        town = Town(stage=stage, log=log, ben=ben, filled=filled)
        await settle_in(town, device, filled)
        yield town
        await bridge.stop()
        await log.stop()
        assert "Traceback" not in bridge.output


async def settle_in(town: Town, device: Device, filled: Filled) -> None:
    """The contact book is known, and Ben has written."""
    alice, phone = town.stage.alice, town.stage.phone
    await phone.phone.welcome(device)
    await alice.until_connected()
    mark = alice.client.mark()
    await town.ben.phone.text(phone.pn, "hi")
    await alice.client.join((await alice.client.wait_for_invite(after=mark)).room_id)
    known = 0
    async with asyncio.timeout(WAIT_SECONDS):
        while known <= len(filled.contacts):
            said = await alice.ask("sync contacts", answer="Synchronised")
            known = int(said.partition("contacts: ")[2].split()[0])


async def test_a_sync_that_is_killed_again_and_again_doubles_nothing(town: Town) -> None:
    alice, bridge = town.stage.alice, town.stage.bridge
    mark, joins = alice.client.mark(), sum(len(group.members) - 1 for group in town.filled.groups)
    first, *others = [(int(share * joins), is_done_first) for share, is_done_first in KILLS]
    town.log.hold(first[0], is_done_first=first[1])
    await alice.client.send_text(alice.room, "sync --create")
    for count, is_done_first in (*others, (0, False)):
        await asyncio.wait_for(town.log.reached.wait(), WAIT_SECONDS)
        await bridge.kill()
        town.log.release()
        town.log.hold(count, is_done_first=is_done_first)
        await bridge.start()
    done = await alice.client.wait_for_message(
        alice.room, contains="Synchronised +15550001111", after=mark, deadline_seconds=WAIT_SECONDS
    )
    assert "⚠️" not in done.body
    await require_each_once(town)
    require_one_notice(town)
    for part in PARTS:
        assert await town.asks_for(f"sync {part}") == [], part
    await follow_the_community(town)


async def require_each_once(town: Town) -> None:
    """Every room, space and member is there, and none twice."""
    wanted, made = town.wanted_children(), town.filled.groups
    await until(lambda: town.children() == wanted)
    names, joins = town.names(), town.joins()
    subjects = [group.subject for group in made]
    assert sorted(names.values()) == sorted(["Ben", *subjects, *wanted])
    assert len(town.spaces()) == len(wanted)
    assert set(joins.values()) == {1}
    members = Counter(room for room, user in joins if user != BEN_GHOST)
    counts = sorted((names[room], count) for room, count in members.items())
    timers = [(names[room], content["timer"]) for room, _, content in town.state("com.beeper.disappearing_timer")]
    assert timers == [(made[-1].subject, WEEK_SECONDS * 1000)]
    assert counts == sorted((group.subject, len(group.members) - 1) for group in made)


def require_one_notice(town: Town) -> None:
    """How far a large room is was told in one notice, to the end."""
    large = town.filled.large
    if len(large.members) < FULL_NOTICE:
        return
    (first, *edits) = [content for content in town.said(large.subject) if "members of this group" in str(content)]
    assert f"of {len(large.members):,} members of this group are here" in str(first["body"])
    assert all("m.new_content" in edit for edit in edits)
    assert f"All {len(large.members):,} members of this group are here." in str(edits[-1]["body"])


async def follow_the_community(town: Town) -> None:
    """It is called otherwise, and one of its groups goes its own way."""
    world, community = town.stage.wa.world, town.filled.communities[0]
    leaving = next(
        one for one in town.filled.groups if one.parent == community.jid and not one.is_announcement_group
    )
    groups.rename(world, community, community.creator, "City")
    await until(lambda: "City" in town.children())
    communities.unlink_group(world, community, leaving, community.creator)

    def has_moved() -> bool:
        held = town.children()
        return leaving.subject in held[OWN_SPACE] and leaving.subject not in held["City"]

    await until(has_moved)
