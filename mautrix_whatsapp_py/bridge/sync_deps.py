"""What the parts of a synchronisation work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mautrix_whatsapp_py.bridge.filters import Filters
from mautrix_whatsapp_py.bridge.openings import Openings
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.login import Login

SyncGroup = Callable[[Login, WaJid], Awaitable[bool]]
"""Brings the room of a group up to date, when it is that chat's turn; whether anything was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDeps:
    """What they work with."""

    talk: Talk
    openings: Openings
    filters: Filters
    sync_group: SyncGroup | None = None
