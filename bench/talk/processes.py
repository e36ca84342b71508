"""What the bridge and its session host cost: processor time and memory, as the kernel counts them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Seconds of processor time since their start, and resident bytes now."""

    bridge_cpu_seconds: float
    host_cpu_seconds: float
    bridge_bytes: int
    host_bytes: int
    proportional_bytes: int
    """Of both, with pages that several processes share by their share."""

    @property
    def cpu_seconds(self) -> float:
        """Both together."""
        return self.bridge_cpu_seconds + self.host_cpu_seconds

    @property
    def resident_mb(self) -> float:
        """Both together."""
        return (self.bridge_bytes + self.host_bytes) / 1e6

    @property
    def proportional_mb(self) -> float:
        """Both together, shared pages by their share."""
        return self.proportional_bytes / 1e6


def look(bridge: int, hosts: Sequence[int]) -> Usage:
    """Read /proc."""
    return Usage(
        bridge_cpu_seconds=_cpu_seconds(bridge),
        host_cpu_seconds=sum(map(_cpu_seconds, hosts)),
        bridge_bytes=_resident_bytes(bridge),
        host_bytes=sum(map(_resident_bytes, hosts)),
        proportional_bytes=sum(map(_proportional_bytes, (bridge, *hosts))),
    )


def _cpu_seconds(pid: int) -> float:
    # The name of a process may hold blanks and brackets; what follows it may not.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def _proportional_bytes(pid: int) -> int:
    (line,) = (
        line for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:")
    )
    return int(line.split()[1]) * 1024
