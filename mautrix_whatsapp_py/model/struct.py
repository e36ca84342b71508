"""Base of what travels between a session host and the bridge."""

from __future__ import annotations

import msgspec


class WaStruct(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tagged with its name, so that unions cross the socket as they are."""
