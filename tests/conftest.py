"""Fixtures every suite may use."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from tests.homeserver import (
    BridgeProcess,
    FaultProxy,
    Nursery,
    PortPool,
    Registration,
    Synapse,
    SynapseDatabase,
    SynapseTemplate,
)
from tests.homeserver.leaks import find_leaks, tells_all
from tests.homeserver.runner import ENVIRONMENT
from tests.homeserver.runner import PROGRAM as BRIDGE
from tests.homeserver.synapse import PROGRAM as SYNAPSE
from tests.order import deal

LONG_FOLDERS = frozenset({"backup", "chaos", "workers"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with those that start other programs, the longest of them first."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
    if workers:
        items.sort(
            key=lambda item: (item.path.parent.name not in LONG_FOLDERS, not item.get_closest_marker("synapse"))
        )
        items[:] = deal(items, workers, is_long=_starts_programs)


def _starts_programs(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("synapse", "neonize"))


@pytest.fixture
def ports() -> Iterator[PortPool]:
    """Ports that are ours for the length of a test."""
    pool = PortPool()
    yield pool
    pool.release()


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder all workers of this test run share."""
    base = tmp_path_factory.getbasetemp()
    is_worker = base.name.startswith("popen-")
    folder = (base.parent if is_worker else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def synapse_template(run_folder: Path) -> SynapseTemplate:
    """The prepared Synapse of this test run."""
    return SynapseTemplate(folder=run_folder / "synapse-template")


@pytest.fixture(scope="session")
def synapse_nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery | None]:
    """Where Synapses come from; a test that is to start it as anybody does replaces this by None."""
    nursery = Nursery(SYNAPSE, folder=tmp_path_factory.mktemp("nursery"), environment={})
    yield nursery
    nursery.close()


@pytest.fixture(scope="session")
def bridge_nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery | None]:
    """Where bridges come from; a test that is to start one as its users do replaces this by None."""
    folder = tmp_path_factory.mktemp("nursery")
    nursery = Nursery(BRIDGE, folder=folder, environment=ENVIRONMENT)
    yield nursery
    nursery.close()


class MakeSynapse(Protocol):
    """Starts a Synapse that ends with the test."""

    async def __call__(
        self,
        *registrations: Registration,
        port: int | None = None,
        database: SynapseDatabase | None = None,
        overrides: Mapping[str, object] | None = None,
    ) -> Synapse: ...


@pytest.fixture
async def make_synapse(
    tmp_path: Path, ports: PortPool, synapse_template: SynapseTemplate, synapse_nursery: Nursery | None
) -> AsyncIterator[MakeSynapse]:
    """Synapses for one test, each with the registrations it is given."""
    made: list[Synapse] = []

    async def make(
        *registrations: Registration,
        port: int | None = None,
        database: SynapseDatabase | None = None,
        overrides: Mapping[str, object] | None = None,
    ) -> Synapse:
        synapse = Synapse(
            tmp_path / f"synapse{len(made)}",
            port=port or ports.reserve(),
            registrations=registrations,
            database=database,
            template=await _template(synapse_template, database),
            overrides=overrides,
            nursery=synapse_nursery,
        )
        made.append(synapse)
        await synapse.start()
        return synapse

    yield make
    for synapse in made:
        await synapse.aclose()


class MakeBridge(Protocol):
    """Prepares a bridge that ends with the test; does not start it."""

    def __call__(
        self,
        homeserver_url: str,
        registration: Registration,
        *,
        port: int,
        database_uri: str | None = None,
        sections: Mapping[str, Mapping[str, object]] | None = None,
    ) -> BridgeProcess: ...


@pytest.fixture
async def make_bridge(tmp_path: Path, bridge_nursery: Nursery | None) -> AsyncIterator[MakeBridge]:
    """Bridges for one test."""
    made: list[BridgeProcess] = []

    def make(
        homeserver_url: str,
        registration: Registration,
        *,
        port: int,
        database_uri: str | None = None,
        sections: Mapping[str, Mapping[str, object]] | None = None,
    ) -> BridgeProcess:
        bridge = BridgeProcess(
            tmp_path / f"bridge{len(made)}",
            homeserver_url=homeserver_url,
            registration=registration,
            port=port,
            database_uri=database_uri,
            sections=sections,
            nursery=bridge_nursery,
        )
        made.append(bridge)
        return bridge

    yield make
    for bridge in made:
        await bridge.aclose()
    homeservers = list(tmp_path.glob("synapse*/homeserver.db"))
    for bridge in made:
        assert tells_all(bridge.folder) or not bridge.has_been_ready
        assert find_leaks(bridge.folder, bridge.registration, homeservers) == []


class MakeFaultProxy(Protocol):
    """Starts a proxy that ends with the test."""

    async def __call__(self, target_port: int) -> FaultProxy: ...


@pytest.fixture
async def make_fault_proxy(ports: PortPool) -> AsyncIterator[MakeFaultProxy]:
    """Proxies for one test."""
    made: list[FaultProxy] = []

    async def make(target_port: int) -> FaultProxy:
        proxy = FaultProxy(target_port, port=ports.reserve())
        made.append(proxy)
        return await proxy.start()

    yield make
    for proxy in made:
        await proxy.stop()


async def _template(template: SynapseTemplate, database: SynapseDatabase | None) -> Path | None:
    return await asyncio.to_thread(template.sqlite) if database is None else None
