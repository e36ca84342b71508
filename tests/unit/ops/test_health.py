from __future__ import annotations

import asyncio

import pytest

from mautrix_whatsapp_py.errors import BridgeError, MatrixUnreachable, StoreUnavailable
from mautrix_whatsapp_py.ops.health import CHECK_EVERY_SECONDS, Health
from tests.fakes.clock import FakeClock


class Patient:
    """Something whose health is asked about."""

    def __init__(self) -> None:
        self.error: BridgeError | None = None
        self.asked = asyncio.Event()

    async def check(self) -> None:
        self.asked.set()
        if self.error is not None:
            raise self.error


class Ward:
    """A health with its patients."""

    def __init__(self) -> None:
        self.homeserver, self.database, self.clock = Patient(), Patient(), FakeClock()
        checks = {"homeserver": self.homeserver.check, "database": self.database.check}
        self.health = Health(checks, clock=self.clock)


def test_a_bridge_that_is_starting_or_ending_is_not_ready() -> None:
    health = Ward().health
    assert list(health.unready_parts()) == ["start"]
    health.start()
    assert list(health.unready_parts()) == []
    health.end()
    assert list(health.unready_parts()) == ["start"]


async def test_readiness_needs_all_parts_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    ward = Ward()
    ward.health.start()
    ward.homeserver.error, ward.database.error = MatrixUnreachable(), StoreUnavailable()
    await ward.health.check()
    assert list(ward.health.unready_parts()) == ["homeserver", "database"]
    ward.homeserver.error = None
    await ward.health.check()
    await ward.health.check()
    assert list(ward.health.unready_parts()) == ["database"]
    ward.database.error = None
    await ward.health.check()
    assert list(ward.health.unready_parts()) == []
    assert len(caplog.records) == 3


async def test_parts_are_asked_again_and_again() -> None:
    ward = Ward()
    watching = asyncio.ensure_future(ward.health.watch())
    for _ in range(3):
        ward.homeserver.asked.clear()
        async with asyncio.timeout(10):
            while not ward.homeserver.asked.is_set():
                ward.clock.advance(CHECK_EVERY_SECONDS)
                await asyncio.wait({watching}, timeout=0.001)
    watching.cancel()
    assert not watching.done()
    await asyncio.wait({watching})
