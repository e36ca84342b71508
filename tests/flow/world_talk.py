"""How conversation is put together in a world of fakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mautrix_whatsapp_py.bridge.delivery import Delivery
from mautrix_whatsapp_py.bridge.filters import Filters
from mautrix_whatsapp_py.bridge.following import Following
from mautrix_whatsapp_py.bridge.ghosts import Ghosts
from mautrix_whatsapp_py.bridge.group_work import GroupAdapters, Surroundings, make_following
from mautrix_whatsapp_py.bridge.names import GhostNames
from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.bridge.portals import Portals
from mautrix_whatsapp_py.bridge.privacy import Privacy
from mautrix_whatsapp_py.bridge.relays import RelayDeps, Relays
from mautrix_whatsapp_py.bridge.rooms import Rooms
from mautrix_whatsapp_py.bridge.small_files import SmallFiles
from mautrix_whatsapp_py.bridge.talk import Rows, Talk
from mautrix_whatsapp_py.ids import MxUserId
from tests.fakes.groups import FakeJpegs
from tests.fakes.matrix import BOT

DEADLINE_SECONDS = 20
ROOT = MxUserId("@root:localhost")
"""Runs the bridge."""

if TYPE_CHECKING:
    from tests.flow.world import World


def make_talk_of(world: World) -> Talk:
    """The surroundings of a conversation in a world."""
    names = GhostNames(template="whatsapp_{{.}}", domain="localhost")
    world.persons, portals = Persons(world.store, names), Portals(world.store)
    ghosts = Ghosts(chats=world.chats, persons=world.persons, bot=BOT, doubles=world.doubles)
    rooms = Rooms(
        store=world.store,
        chats=world.chats,
        portals=portals,
        persons=world.persons,
        ghosts=ghosts,
        names=names,
        removals=world.rooms,
        doubles=world.doubles,
    )
    world.following = _make_following(world, portals, ghosts, rooms)
    world.talk = Talk(
        store=world.store,
        rows=Rows(),
        chats=world.chats,
        persons=world.persons,
        portals=portals,
        ghosts=ghosts,
        rooms=rooms,
        logins=world.logins,
        network=world.network,
        delivery=Delivery(
            chats=world.chats,
            bot=BOT,
            store=world.store,
            clock=world.clock,
            checkpoints=world.checkpoints,
            settings=world.delivery,
        ),
        filters=Filters(
            store=world.store,
            clock=world.clock,
            open_directory=world.directories.open,
            configured=world.configured,
        ),
        privacy=Privacy(world.store),
        open_directory=world.directories.open,
        following=world.following,
        clock=world.clock,
        new_secret=lambda: b"s" * 32,
        settings=world.talk_settings,
        small_files=SmallFiles(store=world.small_files),
        files=world.files,
        is_encrypted=world.is_encrypted,
        doubles=world.doubles,
        relays=_make_relays(world),
    )
    return world.talk


def _make_relays(world: World) -> Relays | None:
    if world.relaying is None:
        return None
    return Relays(
        RelayDeps(
            store=world.store,
            logins=world.logins,
            people=world.people,
            clock=world.clock,
            level_of=lambda user: world.permissions.get_permission(user).level,
            settings=world.relaying,
        )
    )


def _make_following(world: World, portals: Portals, ghosts: Ghosts, rooms: Rooms) -> Following:
    around = Surroundings(
        store=world.store,
        chats=world.chats,
        persons=world.persons,
        portals=portals,
        ghosts=ghosts,
        rooms=rooms,
        logins=world.logins,
        network=world.network,
        open_directory=world.directories.open,
        clock=world.clock,
    )
    adapters = GroupAdapters(
        matrix=world.matrix,
        rooms=world.rooms,
        groups=world.groups,
        open_groups=world.open_groups,
        jpegs=FakeJpegs(),
    )
    return make_following(around, adapters, world.group_settings)
