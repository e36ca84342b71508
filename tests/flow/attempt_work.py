"""Linking outside of rooms, for flow tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mautrix_whatsapp_py.bridge.attempts import AttemptDeps, Attempts
from mautrix_whatsapp_py.bridge.login_links import LoginLinks
from mautrix_whatsapp_py.bridge.welcoming import Welcoming

if TYPE_CHECKING:
    from mautrix_whatsapp_py.ports import Clock
    from tests.flow.world import World


def make_page_links(clock: Clock) -> LoginLinks:
    """Links to a login page that is not there."""
    return LoginLinks(address="http://bridge.test", clock=clock)


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
