from __future__ import annotations

import re
from types import MappingProxyType, SimpleNamespace
from typing import cast

import pytest

from mautrix_whatsapp_py.bridge.bridge import Bridge
from mautrix_whatsapp_py.bridge.deps import BridgeDeps, BridgeSettings
from mautrix_whatsapp_py.bridge.door import CommandDoor
from mautrix_whatsapp_py.bridge.files import NoFiles
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.talk import Rows, Talk
from mautrix_whatsapp_py.bridge.turns import Turns
from mautrix_whatsapp_py.bridge.uploads import Uploads
from mautrix_whatsapp_py.config.permissions import Permission, PermissionLevel, Permissions
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.ports import MxInbox
from tests.fakes.clock import FakeClock
from tests.fakes.matrix import BOT, FakeMatrixApi

TABLE = {
    "@boss:example.com": PermissionLevel.ADMIN,
    "@bad:example.com": PermissionLevel.BLOCK,
    "example.com": PermissionLevel.USER,
    "example.com:8448": PermissionLevel.COMMANDS,
    "*": PermissionLevel.RELAY,
}
LEVELS = {
    "@boss:example.com": PermissionLevel.ADMIN,
    "@bad:example.com": PermissionLevel.BLOCK,
    "@anna:example.com": PermissionLevel.USER,
    "@anna:example.com:8448": PermissionLevel.COMMANDS,
    "@boss:other.com": PermissionLevel.RELAY,
    "@x:sub.example.com": PermissionLevel.RELAY,
    "boss": PermissionLevel.BLOCK,
    "": PermissionLevel.BLOCK,
}


class Listeners:
    """Where a bridge signs up for news of people."""

    def add_listener(self, listener: object) -> None:
        """See Persons."""


FOLLOWING = SimpleNamespace(deps=SimpleNamespace(turns=Turns(), matrix_rooms=None))


def make_deps(table: dict[str, PermissionLevel]) -> BridgeDeps:
    by_subject = {subject: Permission(level=level) for subject, level in table.items()}
    settings = BridgeSettings(
        command_prefix="!wa",
        permissions=Permissions(MappingProxyType(by_subject)),
        ghost_pattern=re.compile(r"@whatsapp_.*:localhost"),
    )
    return BridgeDeps(
        matrix=FakeMatrixApi(),
        inbox=cast(MxInbox, None),
        users=cast(Users, None),
        commands=cast(CommandDoor, None),
        clock=FakeClock(),
        settings=settings,
        talk=cast(
            Talk,
            SimpleNamespace(
                persons=Listeners(),
                portals=SimpleNamespace(),
                clock=FakeClock(),
                following=FOLLOWING,
                uploads=Uploads(NoFiles()),
                rows=Rows(),
            ),
        ),
    )


@pytest.mark.parametrize("user", LEVELS)
def test_the_most_specific_permission_counts(user: str) -> None:
    assert make_deps(TABLE).level_of(MxUserId(user)) is LEVELS[user]


def test_who_is_not_named_is_blocked() -> None:
    assert make_deps({}).level_of(MxUserId("@anna:example.com")) is PermissionLevel.BLOCK


@pytest.mark.parametrize(
    ("user", "is_ours"),
    [
        (BOT, True),
        ("@whatsapp_4917:localhost", True),
        ("@whatsapp_4917:elsewhere", False),
        ("@anna:localhost", False),
        ("x@whatsapp_4917:localhost", False),
    ],
)
def test_the_bridge_knows_its_own_users(user: str, is_ours: bool) -> None:
    assert make_deps({}).is_ours(MxUserId(user)) is is_ours


def test_a_new_bridge_has_nothing_waiting() -> None:
    assert Bridge(make_deps({})).inbox_depth == 0
