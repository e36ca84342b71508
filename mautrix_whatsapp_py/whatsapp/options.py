"""How the bridge runs its session hosts."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from mautrix_whatsapp_py.whatsapp.keeping import Keeping
from mautrix_whatsapp_py.whatsapp.wire import LinkOptions

HOST_MODULE = "mautrix_whatsapp_py.whatsapp.host"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLimits:
    """A host beyond one of these is replaced: the library leaks a little with every reconnect it is made to do."""

    resident_bytes: int = 1_500_000_000
    threads: int = 1000
    descriptors: int = 700
    leaked_threads: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """Everything the WhatsApp side needs to know."""

    folder: Path
    host_command: tuple[str, ...] = ()
    """Empty: this interpreter. The host's own arguments are appended."""
    sessions_per_host: int = 20
    link: LinkOptions = field(default_factory=LinkOptions)
    limits: HostLimits = field(default_factory=HostLimits)
    orphan_seconds: float = 3600.0
    """How long hosts keep links up, and journal, while no bridge is there."""
    keeps_links_on_stop: bool = True
    max_pairings: int = 10
    pairing_seconds: float = 200.0
    host_start_seconds: float = 30.0
    restart_first_seconds: float = 0.5
    session_retry_seconds: float = 10.0
    """How long a session rests that its host could not start."""
    restart_cap_seconds: float = 30.0
    keeping: Keeping | None = None
    """None: every session has its files in its folder."""
    timings: str = "{}"
    """Timings of the hosts, as JSON; tests shrink them."""

    @property
    def command(self) -> tuple[str, ...]:
        """The command that starts a host."""
        return self.host_command or (sys.executable, "-m", HOST_MODULE)
