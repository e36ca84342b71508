"""Power levels that the configuration gives to users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mautrix_whatsapp_py.ids import MxUserId


@dataclass(frozen=True, slots=True)
class PowerLevels:
    """Levels by user."""

    by_user: Mapping[MxUserId, int]


NO_OVERRIDES = PowerLevels(MappingProxyType({}))
