"""A conversation through the bridge against the bare homeserver, measured in turn in one run."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.figures import RESULTS, Figure
from bench.plot import Series, write_plot
from bench.talk.filler import add_portals, remove_portals
from bench.talk.rounds import Cost, Latencies, Rounds, Shape, Sizes
from bench.talk.stage import CHATS, Stage, cores, open_chats, stage

ROUNDS = 4
MANY_PORTALS = 10_000
PORTAL_ROUNDS = 3
IDLE_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class Found:
    """Everything that was measured."""

    one_chat: list[Shape] = field(default_factory=list)
    many_chats: list[Shape] = field(default_factory=list)
    latencies: list[Latencies] = field(default_factory=list)
    cost_to_matrix: dict[int, list[Cost]] = field(default_factory=lambda: {1: [], CHATS: []})
    cost_to_whatsapp: dict[int, list[Cost]] = field(default_factory=lambda: {1: [], CHATS: []})
    portal_costs: dict[int, list[float]] = field(default_factory=lambda: {CHATS: [], MANY_PORTALS: []})
    idle_mb: float = 0.0
    idle_proportional_mb: float = 0.0
    grown_mb_per_1000: float = 0.0


async def measure() -> Sequence[Figure]:
    """Measure, keep everything as JSON, draw the latencies."""
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder)) as it:
            await it.restart_bridge()
            await asyncio.sleep(IDLE_SECONDS)
            idle = it.usage()
            found.idle_mb, found.idle_proportional_mb = idle.resident_mb, idle.proportional_mb
            await open_chats(it)
            rounds = Rounds(it, Sizes())
            await _measure_rounds(it, rounds, found)
            await _measure_portals(it, rounds, found)
    (RESULTS / "talk.json").write_text(json.dumps(asdict(found)) + "\n")
    _draw(found)
    return _figures(found)


async def _measure_rounds(it: Stage, rounds: Rounds, found: Found) -> None:
    sizes = rounds.sizes
    # Whatever is slow only the first time is nobody's figure.
    await rounds.shape(it.chats, 2 * CHATS)
    before, messages = it.usage(), 0
    for _ in range(ROUNDS):
        for chats, count, shapes in (
            (it.chats[:1], sizes.one_chat, found.one_chat),
            (it.chats, sizes.many_chats, found.many_chats),
        ):
            shape, to_matrix, to_whatsapp = await rounds.shape(chats, count)
            shapes.append(shape)
            found.cost_to_matrix[len(chats)].append(to_matrix)
            found.cost_to_whatsapp[len(chats)].append(to_whatsapp)
            messages += 2 * count
        found.latencies.append(await rounds.latencies())
        messages += 2 * sizes.latency
    found.grown_mb_per_1000 = (it.usage().resident_mb - before.resident_mb) / messages * 1000


async def _measure_portals(it: Stage, rounds: Rounds, found: Found) -> None:
    """The cost of a message, both ways, with few portals and with many in turn."""
    sizes, database = rounds.sizes, it.bridge.folder / "bridge.db"
    for _ in range(PORTAL_ROUNDS):
        for portals in (CHATS, MANY_PORTALS):
            await it.bridge.stop()
            if portals == MANY_PORTALS:
                add_portals(database, it.own.pn.user, MANY_PORTALS - CHATS)
            await it.bridge.start()
            await it.until_linked()
            await rounds.to_matrix(it.chats, 2 * CHATS)
            before = it.usage()
            await rounds.to_matrix(it.chats, sizes.many_chats)
            await rounds.to_whatsapp(it.chats, sizes.many_chats)
            cpu_seconds = it.usage().cpu_seconds - before.cpu_seconds
            found.portal_costs[portals].append(cpu_seconds * 1000 / (2 * sizes.many_chats))
        await it.bridge.stop()
        remove_portals(database)
    await it.bridge.start()


def _figures(found: Found) -> Sequence[Figure]:
    few, many = (statistics.median(found.portal_costs[portals]) for portals in (CHATS, MANY_PORTALS))
    return (
        _bare(found),
        _ratio("WhatsApp to Matrix, one chat", found.one_chat, "to_matrix", "of the bare loop"),
        _ratio(f"WhatsApp to Matrix, {CHATS} chats", found.many_chats, "to_matrix", "of the bare loop"),
        _ratio("Matrix to WhatsApp, one chat", found.one_chat, "to_whatsapp", "of what the client put"),
        _ratio(f"Matrix to WhatsApp, {CHATS} chats", found.many_chats, "to_whatsapp", "of what the client put"),
        _added("latency WhatsApp to Matrix, above the bare send", found, "bare", "to_matrix"),
        _added("latency Matrix to WhatsApp, above the bare send, until its server has it", found, "put", "taken"),
        _added("the same, until the simulated phone has decrypted it", found, "put", "to_whatsapp"),
        _cost("to Matrix", found.cost_to_matrix),
        _cost("to WhatsApp", found.cost_to_whatsapp),
        Figure(
            what=f"processor time per message with {MANY_PORTALS:,} portals against {CHATS}",
            value=f"{many / few:.2f} times ({many:.1f} against {few:.1f} ms)",
            target="at most 1.2 times",
        ),
        Figure(
            what="resident memory, bridge and one host with one idle link",
            value=f"{found.idle_mb:.0f} MB ({found.idle_proportional_mb:.0f} MB with shared pages by their share)",
            target="under 150 MB",
        ),
        Figure(
            what="memory of bridge and host grown per 1,000 messages",
            value=f"{max(found.grown_mb_per_1000, 0):.1f} MB",
        ),
    )


def _bare(found: Found) -> Figure:
    one, many = (
        statistics.median(shape.bare_per_second for shape in shapes)
        for shapes in (found.one_chat, found.many_chats)
    )
    return Figure(
        what="Synapse on SQLite alone, a loop that only sends",
        value=f"{one:.0f} messages/s in one room, {many:.0f} in {CHATS} at once ({cores()} cores)",
    )


def _ratio(what: str, shapes: Sequence[Shape], way: str, of: str) -> Figure:
    ratio = statistics.median(getattr(shape, f"{way}_ratio") for shape in shapes)
    rate = statistics.median(getattr(shape, f"{way}_per_second") for shape in shapes)
    return Figure(
        what=f"throughput {what}",
        value=f"{ratio:.2f} {of} ({rate:.0f} messages/s; median of {len(shapes)} rounds)",
        target="at least 0.90" if way == "to_matrix" else "keeps up",
    )


def _added(what: str, found: Found, bare: str, bridged: str) -> Figure:
    base, through = _all(found, bare), _all(found, bridged)
    added = [quantile(through, part) - quantile(base, part) for part in (0.5, 0.95, 0.99)]
    words = ", ".join(f"{name} {value:+.1f}" for name, value in zip(("p50", "p95", "p99"), added, strict=True))
    return Figure(
        what=what, value=f"{words} ms (bare p50 {quantile(base, 0.5):.1f} ms)", target="p50 +6, p99 +30 ms"
    )


def _cost(what: str, costs: dict[int, list[Cost]]) -> Figure:
    def median(chats: int, of: Callable[[Cost], float]) -> float:
        return statistics.median(map(of, costs[chats]))

    def describe(chats: int) -> str:
        bridge, host = median(chats, lambda cost: cost.bridge_ms), median(chats, lambda cost: cost.host_ms)
        both = median(chats, lambda cost: cost.both_ms)
        where = "one chat" if chats == 1 else f"{chats} chats"
        return f"{both:.1f} ms in {where} (bridge {bridge:.1f}, host {host:.1f})"

    words = "; ".join(map(describe, costs))
    return Figure(what=f"processor time per message {what}", value=words, target="at most 4 ms")


def _all(found: Found, way: str) -> list[float]:
    return [value for latencies in found.latencies for value in getattr(latencies, way)]


def quantile(values: Iterable[float], part: float) -> float:
    """The value below which this part of all values lies."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def _draw(found: Found) -> None:
    names = {
        "bare": "bare send (ms)",
        "to_matrix": "WhatsApp to Matrix (ms)",
        "put": "a client's send (ms)",
        "to_whatsapp": "Matrix to WhatsApp (ms)",
    }
    write_plot(
        RESULTS / "talk.svg",
        title="From sending to seeing, one message at a time",
        x_label="percentile",
        series=[
            Series(name, [(part, quantile(_all(found, way), part / 100)) for part in range(1, 100)])
            for way, name in names.items()
        ],
    )
