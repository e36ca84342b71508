"""Messages on their way into the database: what is refused once is tried once more."""

from __future__ import annotations

import logging

import pytest

from mautrix_whatsapp_py.bridge.records import Records
from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.model.portal import PortalId
from tests.fakes.clock import FakeClock

ROOM = PortalId(1)


async def record(*answers: Exception | None) -> tuple[int, int]:
    """How often it was tried, and how often it was said to be done."""
    records, left = Records(), list(answers)
    tries: list[int] = []
    done: list[int] = []

    async def write() -> None:
        tries.append(1)
        if (error := left.pop(0)) is not None:
            raise error

    records.start(ROOM, ["A"], write, lambda: done.append(1), clock=FakeClock())
    await records.idle()
    return len(tries), len(done)


async def test_what_is_refused_once_is_tried_again() -> None:
    assert await record(StoreError(), None) == (2, 1)


async def test_what_is_refused_twice_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    assert await record(StoreError(), StoreError()) == (2, 1)
    assert [one.levelno for one in caplog.records] == [logging.ERROR]
