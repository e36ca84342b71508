"""Puts together what follows groups."""

from __future__ import annotations

from dataclasses import dataclass, field

from mautrix_whatsapp_py.bridge.contact_names import ContactNameDeps, ContactNames
from mautrix_whatsapp_py.bridge.following import Following, FollowingDeps
from mautrix_whatsapp_py.bridge.ghosts import Ghosts
from mautrix_whatsapp_py.bridge.group_rooms import GroupRoomDeps, GroupRooms
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.bridge.pictures import PictureDeps, Pictures
from mautrix_whatsapp_py.bridge.portals import Portals
from mautrix_whatsapp_py.bridge.rooms import Rooms
from mautrix_whatsapp_py.bridge.spaces import SpaceDeps, Spaces
from mautrix_whatsapp_py.bridge.turns import Turns
from mautrix_whatsapp_py.convert.group_levels import LevelPolicy
from mautrix_whatsapp_py.ids import LoginId, MxUserId
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.ports import Clock, MatrixApi, MatrixChats, WhatsAppNetwork
from mautrix_whatsapp_py.ports_chats import MatrixRooms, OpenDirectory
from mautrix_whatsapp_py.ports_groups import JpegMaker, MatrixGroups, OpenGroups
from mautrix_whatsapp_py.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupAdapters:
    """The two networks, as groups need them."""

    matrix: MatrixApi
    rooms: MatrixRooms
    groups: MatrixGroups
    open_groups: OpenGroups
    jpegs: JpegMaker


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """What the configuration wants of groups."""

    levels: LevelPolicy = field(default_factory=LevelPolicy)
    removes_users: bool = True
    leaves_with_users: bool = False
    has_spaces: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What conversation works with, too."""

    store: Store
    chats: MatrixChats
    persons: Persons
    portals: Portals
    ghosts: Ghosts
    rooms: Rooms
    logins: Logins
    network: WhatsAppNetwork
    open_directory: OpenDirectory
    clock: Clock


def make_following(around: Surroundings, adapters: GroupAdapters, settings: GroupSettings) -> Following:
    """Everything put together."""

    def has_user(person: Person) -> bool:
        return person.pn is not None and around.logins.get(LoginId(person.pn)) is not None

    def user_of(person: Person) -> MxUserId:
        login = around.logins.get(LoginId(person.pn)) if person.pn is not None else None
        return person.ghost if login is None else login.user

    rooms = GroupRooms(
        GroupRoomDeps(
            store=around.store,
            chats=around.chats,
            groups=adapters.groups,
            persons=around.persons,
            portals=around.portals,
            ghosts=around.ghosts,
            has_user=has_user,
            user_of=user_of,
            levels=settings.levels,
        )
    )
    pictures = Pictures(
        PictureDeps(
            matrix=adapters.matrix,
            groups=adapters.groups,
            persons=around.persons,
            rooms=rooms,
            open_groups=adapters.open_groups,
            clock=around.clock,
        )
    )
    return Following(
        FollowingDeps(
            rooms=rooms,
            portals=around.portals,
            persons=around.persons,
            logins=around.logins,
            network=around.network,
            chat_rooms=around.rooms,
            pictures=pictures,
            spaces=_make_spaces(around, adapters, settings, rooms),
            contact_names=_make_contact_names(around, adapters),
            matrix=adapters.matrix,
            matrix_rooms=adapters.rooms,
            open_directory=around.open_directory,
            open_groups=adapters.open_groups,
            turns=Turns(),
            clock=around.clock,
            jpegs=adapters.jpegs,
            removes_users=settings.removes_users,
            leaves_with_users=settings.leaves_with_users,
        )
    )


def _make_contact_names(around: Surroundings, adapters: GroupAdapters) -> ContactNames:
    return ContactNames(
        ContactNameDeps(
            portals=around.portals,
            persons=around.persons,
            rooms=around.rooms,
            groups=adapters.groups,
            open_directory=around.open_directory,
            clock=around.clock,
        )
    )


def _make_spaces(
    around: Surroundings, adapters: GroupAdapters, settings: GroupSettings, rooms: GroupRooms
) -> Spaces:
    return Spaces(
        SpaceDeps(
            store=around.store,
            portals=around.portals,
            rooms=rooms,
            chat_rooms=around.rooms,
            chats=around.chats,
            groups=adapters.groups,
            open_directory=around.open_directory,
            clock=around.clock,
            removals=adapters.rooms,
            is_wanted=settings.has_spaces,
        )
    )
