"""How much of the homeserver the past takes: most of it, and little while people write."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mautrix_whatsapp_py.bridge.backfill.pace import BESIDE_PEOPLE, MOST, PEOPLE_STAY_SECONDS
from mautrix_whatsapp_py.model.wa import WaHistorySync
from tests.flow.past import Past
from tests.flow.world import World

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)


@pytest.fixture
async def past(world: World) -> AsyncIterator[Past]:
    past = await Past.open(world)
    yield past
    await past.backfill.stop()


async def test_the_past_goes_slowly_while_people_write(past: Past) -> None:
    pace = past.backfill.deps.pace
    past.history.add(*past.write(1))
    await past.bring()
    assert pace.places == MOST
    await past.chat.hear("now")
    assert pace.places == BESIDE_PEOPLE
    past.world.clock.advance(PEOPLE_STAY_SECONDS)
    assert pace.places == MOST
    await past.chat.say("written on Matrix")
    assert pace.places == BESIDE_PEOPLE


async def test_news_that_nobody_waits_for_does_not_slow_it_down(past: Past) -> None:
    """Chunks of the past come with a storm of receipts and typing, and are themselves news."""
    await past.chat.hear("now")
    past.world.clock.advance(PEOPLE_STAY_SECONDS)
    await past.chat.receive(
        WaHistorySync(size=1),
        past.chat.receipt(),
        past.chat.typing(is_typing=True),
        past.chat.typing(is_typing=False),
    )
    assert past.backfill.deps.pace.places == MOST
