"""Flow tests: the whole bridge between a homeserver in memory and a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mautrix_whatsapp_py.store.store import Store
from tests.flow.world import World
from tests.store.conftest import (  # noqa: F401  fixtures of the store's tests
    migrated,
    postgres,
    postgres_template,
    sqlite_template,
    store,
)


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:  # noqa: F811
    """A running bridge with a room of Alice's."""
    world = World(store)
    await world.bridge.load()
    yield world
    await world.stop()
