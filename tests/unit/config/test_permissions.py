"""The most specific entry decides."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from mautrix_whatsapp_py.config import Permission, PermissionLevel, Permissions
from mautrix_whatsapp_py.ids import MxUserId

PERMISSIONS = Permissions(
    MappingProxyType(
        {
            "*": Permission(level=PermissionLevel.RELAY),
            "a.test": Permission(level=PermissionLevel.USER, max_logins=2),
            "@boss:a.test": Permission(level=PermissionLevel.ADMIN),
            "@troll:a.test": Permission(level=PermissionLevel.BLOCK),
            "b.test:8448": Permission(level=PermissionLevel.COMMANDS),
        }
    )
)


@pytest.mark.parametrize(
    ("user", "level"),
    [
        ("@boss:a.test", PermissionLevel.ADMIN),
        ("@troll:a.test", PermissionLevel.BLOCK),
        ("@anybody:a.test", PermissionLevel.USER),
        ("@anybody:b.test:8448", PermissionLevel.COMMANDS),
        ("@anybody:b.test", PermissionLevel.RELAY),
        ("@boss:c.test", PermissionLevel.RELAY),
        ("@boss:sub.a.test", PermissionLevel.RELAY),
    ],
)
def test_entry_is_found(user: str, level: PermissionLevel) -> None:
    assert PERMISSIONS.get_permission(MxUserId(user)).level is level


def test_nobody_is_blocked_by_less_than_an_entry() -> None:
    assert Permissions({}).get_permission(MxUserId("@a:b")).level is PermissionLevel.BLOCK


def test_levels_are_ordered() -> None:
    assert [level.name for level in sorted(PermissionLevel)] == ["BLOCK", "RELAY", "COMMANDS", "USER", "ADMIN"]
