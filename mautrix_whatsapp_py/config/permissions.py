"""Who may do what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from mautrix_whatsapp_py.ids import MxUserId, decode_mx_user

EVERYBODY = "*"


class PermissionLevel(IntEnum):
    """Each level may do what those before it may."""

    BLOCK = 0
    RELAY = 1
    COMMANDS = 2
    USER = 3
    ADMIN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What one user, or every user of a server, may do."""

    level: PermissionLevel
    max_logins: int | None = None


@dataclass(frozen=True, slots=True)
class Permissions:
    """Permissions by user id, server name or `*`."""

    by_subject: Mapping[str, Permission]

    def get_permission(self, user: MxUserId) -> Permission:
        """The most specific entry for a user; blocked when there is none."""
        _, server = decode_mx_user(user)
        for subject in (user, server, EVERYBODY):
            if subject in self.by_subject:
                return self.by_subject[subject]
        return Permission(level=PermissionLevel.BLOCK)


EXAMPLE_PERMISSIONS = Permissions(
    MappingProxyType(
        {
            EVERYBODY: Permission(level=PermissionLevel.RELAY),
            "example.com": Permission(level=PermissionLevel.USER),
            "@admin:example.com": Permission(level=PermissionLevel.ADMIN),
        }
    )
)
