"""How fast links come up, what one costs, and whether reconnects make a host grow.

    python -m bench.links [--links 60] [--reconnects 1000] [--folder DIR]

Runs against the simulator on this machine; writes results/links.json and results/links.svg beside itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.plot import Series, write_plot
from mautrix_whatsapp_py.model.wa_link import WaStateKind
from tests.simulator.api import Account, Simulator, simulator
from tests.whatsapp.harness import Bench, bench, scan

RESULTS = Path(__file__).with_name("results")
PER_HOST = 20
PAIRINGS_AT_ONCE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """All hosts together, at one moment."""

    reconnects: int
    resident_mb: float
    descriptors: int
    threads: int


@dataclass(slots=True)
class Result:
    """What was measured."""

    links: int = 0
    hosts: int = 0
    seconds_to_connect_all: float = 0.0
    host_mb_with_one_link: float = 0.0
    host_mb_with_all_links: float = 0.0
    mb_per_additional_link: float = 0.0
    dropped: list[Sample] = field(default_factory=list)
    restarted: list[Sample] = field(default_factory=list)
    hosts_recycled: int = 0


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


def entries(pid: int, folder: str) -> int:
    """How many descriptors or threads a process has."""
    return sum(1 for _ in Path(f"/proc/{pid}/{folder}").iterdir())


def sample(it: Bench, reconnects: int) -> Sample:
    """Look at all hosts."""
    found = it.host_pids()
    return Sample(
        reconnects=reconnects,
        resident_mb=round(sum(resident_mb(pid) for pid in found), 1),
        descriptors=sum(entries(pid, "fd") for pid in found),
        threads=sum(entries(pid, "task") for pid in found),
    )


async def connected(it: Bench, accounts: Sequence[Account]) -> None:
    """Wait until every account is linked and its socket is up."""

    def all_up() -> bool:
        return all(device.connection for account in accounts for device in account.devices.values()) and all(
            client is not None and client.state.kind is WaStateKind.CONNECTED
            for client in map(it.network.get_client, [account.pn.user for account in accounts])  # type: ignore[arg-type]
        )

    async with asyncio.timeout(300):
        while not all_up():  # noqa: ASYNC110 two sides to look at
            await asyncio.sleep(0.05)


async def pair_all(it: Bench, accounts: Sequence[Account]) -> None:
    """Link every account."""
    turns = asyncio.Semaphore(PAIRINGS_AT_ONCE)

    async def pair(account: Account) -> None:
        async with turns:
            await scan(await it.network.start_pairing(), account)

    await asyncio.gather(*(pair(account) for account in accounts))
    await connected(it, accounts)


async def measure_start(it: Bench, accounts: Sequence[Account], result: Result) -> None:
    """From nothing to all links up."""
    await it.network.stop()
    it.start_over()
    began = time.monotonic()
    await it.network.start()
    await connected(it, accounts)
    result.seconds_to_connect_all = round(time.monotonic() - began, 2)
    result.links, result.hosts = len(accounts), len(it.host_pids())


async def weigh_alone(wa: Simulator, folder: Path, result: Result) -> None:
    """A host with a single link, for comparison."""
    async with bench(wa, folder) as it:
        account = wa.add_account("15559990000", "Alone")
        await pair_all(it, [account])
        await it.network.stop()
        it.start_over()
        await it.network.start()
        await connected(it, [account])
        await asyncio.sleep(3)
        result.host_mb_with_one_link = round(resident_mb(it.host_pids()[0]), 1)


async def drop_sockets(it: Bench, accounts: Sequence[Account], count: int) -> list[Sample]:
    """Lose every socket again and again; the library reconnects."""
    samples, done = [sample(it, 0)], 0
    while done < count:
        for account in accounts:
            for device in account.devices.values():
                if device.connection is not None:
                    device.connection.drop()
                    done += 1
        await asyncio.sleep(0.2)
        await connected(it, accounts)
        samples.append(sample(it, done))
    return samples


async def restart_sessions(it: Bench, accounts: Sequence[Account], count: int) -> list[Sample]:
    """Take sessions down and up ourselves again and again; worn hosts are replaced on the way."""
    samples, done = [sample(it, 0)], 0
    while done < count:
        before = {device: device.connection for account in accounts for device in account.devices.values()}
        for account in accounts:
            await it.network.connect(account.pn.user)  # type: ignore[arg-type]
            done += 1
        async with asyncio.timeout(120):
            while any(device.connection in (None, former) for device, former in before.items()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await connected(it, accounts)
        samples.append(sample(it, done))
    return samples


async def run(links: int, reconnects: int, folder: Path) -> Result:
    """Everything, in order."""
    result = Result()
    async with simulator(folder / "wa") as wa:
        await weigh_alone(wa, folder / "alone", result)
        accounts = [wa.add_account(f"1555{number:07}", f"User {number}") for number in range(links)]
        async with bench(wa, folder / "data", sessions_per_host=PER_HOST) as it:
            await pair_all(it, accounts)
            await measure_start(it, accounts, result)
            await asyncio.sleep(3)
            result.host_mb_with_all_links = round(resident_mb(it.host_pids()[0]), 1)
            in_first = min(links, PER_HOST)
            extra = result.host_mb_with_all_links - result.host_mb_with_one_link
            result.mb_per_additional_link = round(extra / max(in_first - 1, 1), 2)
            result.dropped = await drop_sockets(it, accounts, reconnects)
            first_hosts = set(it.host_names())
            result.restarted = await restart_sessions(it, accounts, reconnects)
            result.hosts_recycled = len(first_hosts - set(it.host_names()))
    return result


def write(result: Result) -> None:
    """Figures for the README, and a picture of all samples."""
    RESULTS.mkdir(exist_ok=True)
    document = json.dumps(figures(result), indent=2, ensure_ascii=False)
    (RESULTS / "links.json").write_text(document + "\n")
    write_plot(
        RESULTS / "links.svg",
        title=f"{result.links} links in {result.hosts} hosts over reconnects",
        x_label="reconnects",
        series=[
            Series("memory, sockets lost (MB)", [(s.reconnects, s.resident_mb) for s in result.dropped]),
            Series("descriptors, sockets lost", [(s.reconnects, s.descriptors) for s in result.dropped]),
            Series("memory, sessions restarted (MB)", [(s.reconnects, s.resident_mb) for s in result.restarted]),
            Series("descriptors, sessions restarted", [(s.reconnects, s.descriptors) for s in result.restarted]),
        ],
    )


def figures(result: Result) -> list[dict[str, str]]:
    """What was measured and what it has to be."""
    first, settled, last = result.dropped[0], result.dropped[len(result.dropped) // 8], result.dropped[-1]
    most = max(sample.resident_mb for sample in result.restarted)
    return [
        {
            "what": f"{result.links} links in {result.hosts} session hosts connected",
            "value": f"{result.seconds_to_connect_all} s",
            "target": "< 30 s",
        },
        {
            "what": "resident memory of a session host with one link",
            "value": f"{result.host_mb_with_one_link} MB",
            "target": "",
        },
        {
            "what": "resident memory of an additional link",
            "value": f"{result.mb_per_additional_link} MB",
            "target": "< 6 MB",
        },
        {
            "what": f"all hosts over {last.reconnects} lost sockets (start, after {settled.reconnects}, end)",
            "value": f"{first.resident_mb}, {settled.resident_mb}, {last.resident_mb} MB; "
            f"{first.descriptors} to {last.descriptors} descriptors",
            "target": "no growth",
        },
        {
            "what": f"all hosts over {result.restarted[-1].reconnects} restarts of sessions",
            "value": f"at most {most} MB, {result.hosts_recycled} worn hosts replaced",
            "target": "bounded",
        },
    ]


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--links", type=int, default=60)
    parser.add_argument("--reconnects", type=int, default=1000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        result = asyncio.run(run(options.links, options.reconnects, options.folder or Path(temporary)))
    write(result)
    for figure in figures(result):
        print(f"{figure['what']}: {figure['value']}" + (f" (target: {figure['target']})" * bool(figure["target"])))


if __name__ == "__main__":
    main()
