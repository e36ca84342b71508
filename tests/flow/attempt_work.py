"""Linking outside of rooms, for flow tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mautrix_whatsapp_py.bridge.attempts import AttemptDeps, Attempts
from mautrix_whatsapp_py.bridge.welcoming import Welcoming

if TYPE_CHECKING:
    from tests.flow.world import World


def make_attempts(world: World, welcoming: Welcoming) -> Attempts:
    """The attempts of a world."""
    return Attempts(
        AttemptDeps(
            network=world.network,
            logins=world.logins,
            users=world.users,
            matrix=world.matrix,
            clock=world.clock,
            welcoming=welcoming,
        )
    )
