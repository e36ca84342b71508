"""Composition of what follows groups."""

from __future__ import annotations

from mautrix_whatsapp_py.app.links import Links
from mautrix_whatsapp_py.bridge.group_work import GroupAdapters, GroupSettings
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.convert.group_levels import LevelPolicy
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.matrix.groups import HttpMatrixGroups
from mautrix_whatsapp_py.media.jpeg import SquareJpegs
from mautrix_whatsapp_py.ports import MatrixApi
from mautrix_whatsapp_py.ports_chats import MatrixRooms
from mautrix_whatsapp_py.ports_groups import WhatsAppGroups
from mautrix_whatsapp_py.whatsapp.groups import open_groups


def group_adapters(
    links: Links, *, matrix: MatrixApi, rooms: MatrixRooms, groups: HttpMatrixGroups
) -> GroupAdapters:
    """The two networks, as groups need them."""

    def opens(login: LoginId) -> WhatsAppGroups | None:
        return open_groups(links.network, login)

    return GroupAdapters(matrix=matrix, rooms=rooms, groups=groups, open_groups=opens, jpegs=SquareJpegs())


def group_settings(config: Config) -> GroupSettings:
    """What the configuration wants of groups."""
    return GroupSettings(
        levels=LevelPolicy(
            members_may_invite=config.bridge.allow_user_invite,
            overrides=config.bridge.power_level_overrides.by_user,
        ),
        removes_users=config.bridge.kick_matrix_users,
        has_spaces=config.bridge.personal_filtering_spaces,
        leaves_with_users=config.bridge.bridge_matrix_leave,
    )
