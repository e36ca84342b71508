"""Who takes part in flow tests, and what they may do."""

from __future__ import annotations

from types import MappingProxyType

from mautrix_whatsapp_py.config.permissions import Permission, PermissionLevel, Permissions
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId

ROOT = MxUserId("@root:localhost")
"""Runs the bridge."""
ALICE = MxUserId("@alice:localhost")
BOB = MxUserId("@bob:localhost")
CAROL = MxUserId("@carol:localhost")
"""May link one account."""
NOLOGIN = MxUserId("@nologin:localhost")
"""May use commands, but link nothing."""
RELAYED = MxUserId("@relayed:elsewhere")
BLOCKED = MxUserId("@blocked:elsewhere")
DM = MxRoomId("!dm:localhost")
BOBS_DM = MxRoomId("!bob:localhost")
GROUP = MxRoomId("!group:localhost")
PERMISSIONS = Permissions(
    MappingProxyType(
        {
            "localhost": Permission(level=PermissionLevel.USER),
            ROOT: Permission(level=PermissionLevel.ADMIN),
            CAROL: Permission(level=PermissionLevel.USER, max_logins=1),
            NOLOGIN: Permission(level=PermissionLevel.COMMANDS),
            RELAYED: Permission(level=PermissionLevel.RELAY),
        }
    )
)
