"""The first synchronisation of a large account against the homeserver alone, in one run."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.figures import RESULTS, Figure
from bench.sync.ceiling import Bare, Rooms
from bench.talk.stage import Stage, stage
from tests.flow.linking_stage import BOT
from tests.simulator.api import Account, Simulator
from tests.simulator.full_account import Filled, Sizes, fill_account
from tests.simulator.groups import Group, members_of

AT_ONCE = 8
"""Requests at a time: more of them do not make Synapse faster."""
SYNC_SECONDS = 1800.0
SETTLE_SECONDS = 120.0
SAMPLE_SECONDS = 0.25
_GHOST = "@whatsapp_{}:localhost"


@dataclass(slots=True, kw_only=True)
class Found:
    """Everything that was measured."""

    sizes: Sizes
    rooms: int = 0
    joins: int = 0
    bare_seconds: list[float] = field(default_factory=list)
    first_room_seconds: float = 0.0
    sync_seconds: float = 0.0
    again_seconds: float = 0.0
    bridge_peak_mb: float = 0.0
    host_peak_mb: float = 0.0

    @property
    def ratio(self) -> float:
        """The bridge's time against the homeserver's alone."""
        return self.sync_seconds / sum(self.bare_seconds)


async def measure() -> Sequence[Figure]:
    """Half of the bare loop, the bridge, the other half: what the machine does meanwhile meets both."""
    sizes = Sizes(**json.loads(os.environ.get("BENCH_SYNC_SIZES", "{}")))
    found, filled = Found(sizes=sizes), list[Filled]()

    async def prepare(wa: Simulator, own: Account) -> None:
        filled.append(await fill_account(wa, own, sizes))

    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder), prepare) as it:
            await _learn_contacts(it, sizes)
            plan = _plan(it, filled[0])
            bare = Bare(
                http=it.http, url=it.synapse.url, token=it.registration.as_token, user=str(it.alice.user_id)
            )
            # Whatever is slow only the first time is nobody's figure.
            await bare.make_all([["@whatsapp_8000000000:localhost"]] * AT_ONCE, at_once=AT_ONCE)
            found.bare_seconds.append(await _run_bare(bare, plan, 0))
            await _run_bridge(it, filled[0], found)
            found.bare_seconds.append(await _run_bare(bare, plan, 1))
            _check(it, filled[0], found)
    (RESULTS / "sync.json").write_text(json.dumps({**asdict(found), "ratio": found.ratio}) + "\n")
    return _figures(found)


async def _learn_contacts(it: Stage, sizes: Sizes) -> None:
    """The phone tells its new companion of the contact book, as phones do after linking."""
    (device,) = it.own.devices.values()
    await it.own.phone.welcome(device)
    known = 0
    async with asyncio.timeout(SETTLE_SECONDS):
        while known < sizes.contacts:
            _, said = await _command(it, "sync contacts")
            known = int(said.partition("contacts: ")[2].split()[0])


def _plan(it: Stage, filled: Filled) -> list[list[str]]:
    """The same rooms with as many members, under names of their own; the large one apart at the end."""
    plan = [_others(it, group) for group in filled.groups if group is not filled.large]
    return [*plan, _others(it, filled.large)]


def _others(it: Stage, group: Group) -> list[str]:
    people = members_of(it.wa.world, group)
    return [_GHOST.format(f"9{person.pn.user}") for person in people if person is not it.own]


async def _run_bare(bare: Bare, plan: Sequence[Sequence[str]], half: int) -> float:
    """Every other room, and one half of the large one's members."""
    *small, large = plan
    seconds = await bare.make_all(small[half::2], at_once=AT_ONCE)
    began = time.perf_counter()
    room = await bare.make_room()
    seconds += time.perf_counter() - began
    return seconds + await bare.join_many(room, large[half::2], at_once=AT_ONCE)


async def _run_bridge(it: Stage, filled: Filled, found: Found) -> None:
    peak = asyncio.create_task(_watch_memory(it, found))
    try:
        found.sync_seconds, found.first_room_seconds = await _sync(it)
        found.again_seconds, _ = await _sync(it)
    finally:
        peak.cancel()
        await asyncio.gather(peak, return_exceptions=True)


async def _sync(it: Stage) -> tuple[float, float]:
    """Give the command; seconds until it is done, and until the first room was there."""
    first = asyncio.create_task(_first_invite(it, time.perf_counter()))
    seconds, _ = await _command(it, "sync --create")
    first.cancel()
    (end,) = await asyncio.gather(first, return_exceptions=True)
    return seconds, end if isinstance(end, float) else seconds


async def _command(it: Stage, command: str) -> tuple[float, str]:
    mark, began = it.alice.mark(), time.perf_counter()
    await it.alice.send_text(it.management, command)
    said = await it.alice.wait_for_message(
        it.management, sender=BOT, contains="Synchronised", after=mark, deadline_seconds=SYNC_SECONDS
    )
    return time.perf_counter() - began, said.body


async def _first_invite(it: Stage, began: float) -> float:
    await it.alice.wait_for_invite(after=it.alice.mark(), deadline_seconds=SYNC_SECONDS)
    return time.perf_counter() - began


async def _watch_memory(it: Stage, found: Found) -> None:
    while True:
        usage = await asyncio.to_thread(it.usage)
        found.bridge_peak_mb = max(found.bridge_peak_mb, usage.bridge_bytes / 1e6)
        found.host_peak_mb = max(found.host_peak_mb, usage.host_bytes / 1e6)
        await asyncio.sleep(SAMPLE_SECONDS)


def _check(it: Stage, filled: Filled, found: Found) -> None:
    """Every group has one room with all its members."""
    joined = Rooms(it.synapse.folder / "homeserver.db").count_joined("@whatsapp_1*")
    found.rooms, found.joins = len(joined), sum(joined.values())
    wanted = sorted(len(group.members) - 1 for group in filled.groups)
    if sorted(joined.values()) != wanted:
        raise RuntimeError(f"rooms have {sorted(joined.values())} members instead of {wanted}")


def _figures(found: Found) -> Sequence[Figure]:
    sizes, bare = found.sizes, sum(found.bare_seconds)
    what = f"{sizes.groups} groups, one of {sizes.large:,} members, {sizes.communities} communities"
    return (
        Figure(
            what=f"first sync of an account with {sizes.contacts} contacts and {what}",
            value=(
                f"{found.ratio:.2f} of the homeserver's own time for these {found.rooms} rooms and"
                f" {found.joins:,} joins ({found.sync_seconds:.0f} against {bare:.0f} s)"
            ),
            target="at most 1.20",
        ),
        Figure(
            what="the same: first room; a second sync, which changes nothing",
            value=f"after {found.first_room_seconds:.1f} s; {found.again_seconds:.1f} s",
        ),
        Figure(
            what="the same: memory of the bridge at its peak",
            value=f"{found.bridge_peak_mb:.0f} MB (session host {found.host_peak_mb:.0f} MB)",
            target="under 150 MB",
        ),
    )
