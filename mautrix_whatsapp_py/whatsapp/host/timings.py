"""How patient a session host is."""

from __future__ import annotations

import msgspec


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Tests shrink these; nobody else should have to."""

    retry_first_seconds: float = 1.0
    retry_cap_seconds: float = 60.0
    retry_pump_seconds: float = 5.0
    steady_seconds: float = 60.0
    """A link that held this long starts over with its delays."""
    refused_seconds: float = 30.0
    """Pause after the server refused the login for a reason that may pass."""
    quiet_seconds: float = 0.5
    """A stopping session is dry when nothing came for this long."""
    drain_seconds: float = 20.0
    disconnected_seconds: float = 90.0
    """The library's own reconnects grow slower without end; after this long we start anew."""
    watch_seconds: float = 5.0
    stuck_seconds: float = 30.0
    silence_seconds: float = 40.0
    """After this long without an event the server is asked for a sign of life."""
    probe_seconds: float = 15.0
    phone_unseen_days: float = 12.0
