from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres import OwnPostgres, own_postgres


@pytest.fixture
def database() -> Iterator[OwnPostgres]:
    """A server of one's own, which may be restarted."""
    with own_postgres() as server:
        yield server
