"""How what forgets users is put together in a world of fakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mautrix_whatsapp_py.bridge.forgetting import Forgetting, ForgettingDeps
from mautrix_whatsapp_py.ids import MxUserId

if TYPE_CHECKING:
    from tests.flow.world import World


def make_forgetting(world: World) -> Forgetting:
    """On the chats of a world."""

    async def stop(_user: MxUserId) -> None:
        """Nobody is acted as."""

    deps = world.work.deps
    return Forgetting(
        ForgettingDeps(
            store=world.store,
            logins=world.logins,
            portals=deps.talk.portals,
            chat_rooms=deps.talk.rooms,
            closings=deps.closings,
            rooms=deps.rooms,
            stop_acting_as=stop,
        )
    )
