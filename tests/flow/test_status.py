"""What `status` tells, also when something is broken."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.commands.admin import StatusPart
from mautrix_whatsapp_py.commands.results import Group
from mautrix_whatsapp_py.commands.spec import Call
from mautrix_whatsapp_py.commands.status import (
    bridge_part,
    database_part,
    duration_text,
    homeserver_part,
)
from mautrix_whatsapp_py.errors import MatrixUnreachable, StoreUnavailable
from mautrix_whatsapp_py.store.store import Store
from tests.fakes.clock import FakeClock
from tests.fakes.matrix import FakeMatrixApi
from tests.unit.commands.calls import ECHO, ask


async def ask_part(part: StatusPart) -> Group:
    return await part(Call(request=ask("status"), command=ECHO))


def lines(group: Group) -> dict[str, tuple[str, bool]]:
    return {item.term: (item.text, item.is_well) for item in group.items}


async def test_the_bridge_tells_version_uptime_and_queue() -> None:
    clock = FakeClock()
    part = bridge_part(clock=clock, started_at=clock.monotonic(), inbox_depth=lambda: 3)
    clock.advance(3700)
    told = lines(await ask_part(part))
    assert told == {
        "Version": (__version__, True),
        "Running for": ("1 hour 1 minute", True),
        "Waiting events": ("3", True),
    }


async def test_the_homeserver_tells_what_it_is() -> None:
    told = lines(await ask_part(homeserver_part(clock=FakeClock(), matrix=FakeMatrixApi())))
    assert told["Software"] == ("Fake 1.0", True)
    assert told["Speaks Matrix up to"] == ("v1.11", True)
    assert told["Answers in"] == ("0 ms", True)


async def test_a_homeserver_that_is_away_is_marked() -> None:
    matrix = FakeMatrixApi()
    matrix.fail("fetch_server_info", MatrixUnreachable())
    told = lines(await ask_part(homeserver_part(clock=FakeClock(), matrix=matrix)))
    assert told == {"Connection": ("The homeserver could not be reached.", False)}


async def test_the_database_tells_its_kind_and_schema(store: Store) -> None:
    told = lines(await ask_part(database_part(store=store)))
    assert told["Kind"][0] in {"SQLite", "Postgres"}
    assert told["Schema"][0].startswith("0")
    assert all(is_well for _, is_well in told.values())


async def test_a_database_that_is_away_is_marked(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise StoreUnavailable

    monkeypatch.setattr(store, "reading", fail)
    told = lines(await ask_part(database_part(store=store)))
    assert told["Connection"] == ("The database could not be reached.", False)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "less than a second"),
        (1, "1 second"),
        (61, "1 minute 1 second"),
        (7200, "2 hours"),
        (90061, "1 day 1 hour"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
