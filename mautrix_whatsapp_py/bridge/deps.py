"""What the handlers work with."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mautrix_whatsapp_py.bridge.door import CommandDoor
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.config.permissions import PermissionLevel, Permissions
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.ports import Clock, MatrixApi, MxInbox
from mautrix_whatsapp_py.ports_ciphers import Ciphers


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSettings:
    """The part of the configuration that handlers look at."""

    command_prefix: str
    permissions: Permissions
    ghost_pattern: re.Pattern[str]
    """Matches the user ids of our ghosts."""
    requires_encryption: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeDeps:
    """The bridge's surroundings."""

    matrix: MatrixApi
    inbox: MxInbox
    users: Users
    commands: CommandDoor
    clock: Clock
    settings: BridgeSettings
    talk: Talk
    ciphers: Ciphers | None = None
    """None where encrypted rooms are not bridged."""

    def level_of(self, user: MxUserId) -> PermissionLevel:
        """What a user may do; nothing when the id is none."""
        try:
            return self.settings.permissions.get_permission(user).level
        except ValueError:
            return PermissionLevel.BLOCK

    def is_ours(self, user: MxUserId) -> bool:
        """Whether a user is the bot or a ghost."""
        return user == self.matrix.bot or self.settings.ghost_pattern.fullmatch(user) is not None
