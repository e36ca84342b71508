"""`python -m bench.scale`: from measured constants to what links need; draws the curves of docs/scale.md."""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import RESULTS, ROOT
from bench.plot import Series, write_plot
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.whatsapp.spread.rendezvous import choose
from tests.workers.peers import Peer

LINKS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
PICTURE = ROOT / "docs" / "scale.svg"
DAY_SECONDS = 86_400
MOST_SPREAD = 20_000
"""So many logins are enough to see how uneven shares are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What was measured, by the name of the case that measures it."""

    host_mb: float = 86.3
    """A session host with one link (links)."""
    link_mb: float = 0.75
    """Another link in it (links)."""
    links_per_host: int = 20
    """whatsapp.sessions_per_host."""
    bridge_mb: float = 163.0
    """The leader (talk)."""
    bridge_ms: float
    """Processor of the leader for a message either way, the mean of both (talk)."""
    host_ms: float
    """Processor of a session host for the same (talk)."""
    homeserver_per_second: float
    """Messages a Synapse of one process stores on this machine (talk)."""
    letter_ms: float
    """Processor of both ends for a message that comes over another worker (cluster)."""
    letter_transactions: float
    """Transactions of the same (cluster)."""
    idle_transactions: float
    """Transactions per second of a worker that has nothing to do (cluster)."""
    message_transactions: float = 3.0
    """A host's journal is written and cleared, the bridge records what became of it; counted, not measured."""
    connections_per_link: int = 2
    connections_per_worker: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is assumed of people and machines."""

    messages_per_day: float
    """Of a link, both ways together."""
    peak: float
    """How much more there is in the busiest minutes than on average."""
    worker_gb: float
    """Memory of a worker's machine that may be used."""
    worker_cores: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What so many links need."""

    links: int
    workers: int
    memory_gb: float
    messages_per_second: float
    """In the busiest minutes."""
    leader_cores: float
    """What the leader's one process would need; above 1 it falls behind."""
    homeservers: float
    """Synapse processes that would have to store what comes."""
    transactions_per_second: float
    connections: int
    unevenness: float
    """How much more than its share the fullest worker has."""


def read_constants() -> Constants:
    """From what the benchmarks keep."""
    talk, cluster = (json.loads((RESULTS / f"{name}.json").read_text()) for name in ("talk", "cluster"))
    costs = [cost for way in ("cost_to_matrix", "cost_to_whatsapp") for cost in talk[way]["20"]]
    return Constants(
        bridge_ms=statistics.mean(cost["bridge_ms"] for cost in costs),
        host_ms=statistics.mean(cost["host_ms"] for cost in costs),
        homeserver_per_second=statistics.mean(round_["bare_per_second"] for round_ in talk["many_chats"]),
        letter_ms=cluster["processor_ms_per_message"],
        letter_transactions=cluster["statements_per_message"],
        idle_transactions=cluster["idle_statements_per_second"],
    )


def simulate(links: int, constants: Constants, load: Load) -> Need:
    """So many links under a load."""
    hosts = math.ceil(links / constants.links_per_host)
    hosts_gb = (hosts * constants.host_mb + (links - hosts) * constants.link_mb) / 1000
    messages = links * load.messages_per_day / DAY_SECONDS * load.peak
    host_cores = messages * constants.host_ms / 1000
    workers = max(1, math.ceil(hosts_gb / load.worker_gb), math.ceil(host_cores / load.worker_cores))
    far = 1 - 1 / workers
    each = constants.message_transactions + far * constants.letter_transactions
    return Need(
        links=links,
        workers=workers,
        memory_gb=hosts_gb + workers * constants.bridge_mb / 1000,
        messages_per_second=messages,
        leader_cores=messages * (constants.bridge_ms + far * constants.letter_ms) / 1000,
        homeservers=messages / constants.homeserver_per_second,
        transactions_per_second=messages * each + workers * constants.idle_transactions,
        connections=links * constants.connections_per_link + workers * constants.connections_per_worker,
        unevenness=measure_unevenness(min(links, MOST_SPREAD), min(workers, 50)),
    )


def measure_unevenness(links: int, workers: int) -> float:
    """As the program itself would share them out."""
    candidates = [Peer(name=f"w{number}") for number in range(workers)]
    counts = Counter(choose(LoginId(f"1555{number:07}"), candidates) for number in range(links))
    return max(counts.values()) / (links / workers)


def as_table(needs: Sequence[Need]) -> str:
    """Rows for docs/scale.md."""
    head = (
        "| links | workers | memory | messages/s at the peak | leader, cores | Synapse, processes |"
        " transactions/s | connections |"
    )
    rows = [
        f"| {need.links:,} | {need.workers} | {need.memory_gb:.1f} GB | {need.messages_per_second:.2f} |"
        f" {need.leader_cores:.3f} | {need.homeservers:.2f} | {need.transactions_per_second:.0f} |"
        f" {need.connections:,} |"
        for need in needs
    ]
    return "\n".join([head, "|---|---|---|---|---|---|---|---|", *rows])


def draw(needs: Sequence[Need], path: Path) -> None:
    """Curves over powers of ten."""

    def line(name: str, values: Sequence[float]) -> Series:
        logarithms = [math.log10(max(value, 0.001)) + 3 for value in values]
        points = [(math.log10(need.links), y) for need, y in zip(needs, logarithms, strict=True)]
        return Series(name, points)

    series = [
        line("workers", [need.workers for need in needs]),
        line("memory, GB", [need.memory_gb for need in needs]),
        line("leader, cores", [need.leader_cores for need in needs]),
        line("Synapse, processes", [need.homeservers for need in needs]),
        line("transactions per second", [need.transactions_per_second for need in needs]),
    ]
    title = "What links need, in powers of ten (3 is one, 4 is ten, 2 is a tenth)"
    write_plot(path, title=title, x_label="links, powers of ten", series=series)


def main() -> None:
    """Print the table and draw the picture."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--messages-per-day", type=float, default=100.0, help="of a link, both ways together")
    parser.add_argument("--peak", type=float, default=4.0, help="busiest minutes beside the average")
    parser.add_argument("--worker-gb", type=float, default=12.0, help="memory of a worker that may be used")
    parser.add_argument("--worker-cores", type=int, default=4)
    chosen = parser.parse_args()
    load = Load(
        messages_per_day=chosen.messages_per_day,
        peak=chosen.peak,
        worker_gb=chosen.worker_gb,
        worker_cores=chosen.worker_cores,
    )
    constants = read_constants()
    needs = [simulate(links, constants, load) for links in LINKS]
    print(constants)
    print(as_table(needs))
    print("fullest worker beside its share:", ", ".join(f"{need.unevenness:.2f}" for need in needs))
    draw(needs, PICTURE)


if __name__ == "__main__":
    main()
