"""Everybody whose picture is wanted is looked at."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from mautrix_whatsapp_py.bridge.clock import SystemClock
from mautrix_whatsapp_py.bridge.pictures import PictureDeps, Pictures


class NobodyKnown:
    """People nobody can say anything of."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def get(self, person_id: int) -> None:
        self.asked.append(person_id)


async def test_who_is_wanted_the_moment_the_last_one_is_done_is_looked_at_too() -> None:
    unused: Any = None
    login: Any = None
    people: Any = NobodyKnown()
    deps = PictureDeps(
        matrix=unused, groups=unused, persons=people, rooms=unused, open_groups=unused, clock=SystemClock()
    )
    pictures = Pictures(deps)
    first, second = (SimpleNamespace(id=number) for number in (1, 2))
    wanted: list[Any] = [first, second]
    pictures.want(wanted[0], login)
    # After the first one was looked at, before anybody learned that the work is over.
    asyncio.get_running_loop().call_soon(pictures.want, wanted[1], login)
    await asyncio.sleep(0)
    await pictures.idle()
    assert people.asked == [1, 2]
