"""What a bridge that is alone on its Postgres pays for being able to share it.

As it is and with those parts taken out, by turns and in one run; and whether it touches a table of workers at all.
BENCH=small is for trying it out.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import IS_SMALL, ROOT, Figure
from bench.talk.rounds import Rounds, Sizes
from bench.talk.stage import CHATS, Stage, open_chats, stage
from mautrix_whatsapp_py.store import cluster_tables
from tests.postgres import OwnPostgres, own_postgres

ROUNDS = 1 if IS_SMALL else 6
MESSAGES = 40 if IS_SMALL else 200
STUB = Path(__file__).parents[1] / "alone"
WRITTEN_DOWN_SECONDS = 2.0
"""The server writes its counters down once a second."""
TABLES = tuple(
    table.name
    for table in (
        cluster_tables.workers,
        cluster_tables.leases,
        cluster_tables.forwarded,
        cluster_tables.wa_journal,
        cluster_tables.wa_sends,
        cluster_tables.wa_facts,
        cluster_tables.wa_holdings,
        cluster_tables.wa_post,
        cluster_tables.http_post,
    )
)
_TOUCHED = (
    "SELECT coalesce(sum(coalesce(seq_scan, 0) + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd + n_tup_del), 0)"
    f" FROM pg_stat_user_tables WHERE relname IN ({', '.join(map(repr, TABLES))})"
)
_COMMITS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'bridge'"


@dataclass(slots=True, kw_only=True)
class Found:
    """Everything that was measured; lists have one number per round."""

    costs_ms: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    """Processor time per message, bridge and host; True with the parts of workers."""
    rates: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    touches: int = 0
    transactions: float = 0.0
    """Per message."""


async def measure() -> Sequence[Figure]:
    """Rounds with and without, each after a start."""
    found = Found()
    with own_postgres() as database, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        url = database.create_database("bridge")
        async with stage(Path(folder), more={"database": {"uri": url}, "logging": {"min_level": "info"}}) as it:
            await open_chats(it)
            rounds = Rounds(it, Sizes(many_chats=MESSAGES))
            # Whatever is slow only the first time is nobody's figure.
            await rounds.shape(it.chats, 2 * CHATS)
            for _ in range(ROUNDS):
                for is_whole in (True, False):
                    await _measure_round(it, rounds, found, is_whole=is_whole)
            await _count(it, rounds, database, found)
    return _figures(found)


async def _measure_round(it: Stage, rounds: Rounds, found: Found, *, is_whole: bool) -> None:
    it.bridge.process.environment["PYTHONPATH"] = str(ROOT) if is_whole else f"{STUB}:{ROOT}"
    await it.restart_bridge()
    await rounds.to_matrix(it.chats, 2 * CHATS)
    before = it.usage()
    into = await rounds.to_matrix(it.chats, MESSAGES)
    _, out = await rounds.to_whatsapp(it.chats, MESSAGES)
    cpu_seconds = it.usage().cpu_seconds - before.cpu_seconds
    found.costs_ms[is_whole].append(cpu_seconds * 1000 / (2 * MESSAGES))
    found.rates[is_whole].append((into + out) / 2)


async def _count(it: Stage, rounds: Rounds, database: OwnPostgres, found: Found) -> None:
    it.bridge.process.environment["PYTHONPATH"] = str(ROOT)
    await it.restart_bridge()
    await asyncio.sleep(WRITTEN_DOWN_SECONDS)
    touches, commits = _read(database, _TOUCHED), _read(database, _COMMITS)
    await rounds.to_matrix(it.chats, MESSAGES)
    await rounds.to_whatsapp(it.chats, MESSAGES)
    await asyncio.sleep(WRITTEN_DOWN_SECONDS)
    found.touches = _read(database, _TOUCHED) - touches
    found.transactions = (_read(database, _COMMITS) - commits) / (2 * MESSAGES)


def _read(database: OwnPostgres, question: str) -> int:
    return int(database.execute(question, database="bridge")[0][0])


def _figures(found: Found) -> Sequence[Figure]:
    whole, less = (statistics.median(found.costs_ms[is_whole]) for is_whole in (True, False))
    fast, faster = (statistics.median(found.rates[is_whole]) for is_whole in (True, False))
    spread = max(found.costs_ms[True]) / min(found.costs_ms[True])
    return (
        Figure(
            what="processor time per message of a bridge alone on Postgres, against none of the parts for workers",
            value=f"{whole / less:.3f} times ({whole:.2f} against {less:.2f} ms; medians of {ROUNDS} rounds,"
            f" of which the dearest was {spread:.2f} times the cheapest)",
            target="within 3 %",
        ),
        Figure(
            what="the same, messages per second",
            value=f"{fast / faster:.3f} times ({fast:.1f} against {faster:.1f})",
            target="within 3 %",
        ),
        Figure(
            what="how often a bridge alone looks into tables of workers, per message",
            value=f"{found.touches / (2 * MESSAGES):.2f} ({found.transactions:.1f} transactions in all)",
            target="0",
        ),
    )
