"""In-memory preparation of the loaded client library for a server on loopback; no file on disk changes.

Each place is found by its content and must be found exactly once, so a new wheel fails loudly here.
"""

from __future__ import annotations

import ctypes
import functools
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.simulator.preload import preload_library

_LIBRARY: Final = "neonize-linux"
_ROOT_KEY: Final = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")
_CA_BUNDLE: Final = b"/etc/ssl/certs/ca-certificates.crt"
_READ_WRITE: Final = 3
_READ_WRITE_EXECUTE: Final = 7
_NANOSECONDS: Final = 10**9


class UnknownLibraryError(Exception):
    """The loaded library does not look like the one this module knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAlive:
    """The client's keepalive timings; the defaults are those of the library."""

    response_seconds: float = 10
    interval_min_seconds: float = 20
    interval_max_seconds: float = 30
    max_silence_seconds: float = 180

    def encode(self) -> bytes:
        """The four adjacent Go durations."""
        timings = (
            self.response_seconds,
            self.interval_min_seconds,
            self.interval_max_seconds,
            self.max_silence_seconds,
        )
        return struct.pack("<4q", *(int(seconds * _NANOSECONDS) for seconds in timings))


@dataclass(frozen=True, slots=True, kw_only=True)
class QrTimings:
    """How long the client shows each QR code; the defaults are those of the library for six codes."""

    first_seconds: float = 60
    next_seconds: float = 20

    def encode(self) -> bytes:
        """The two instructions that load these constants (x86-64 only)."""
        following = struct.pack("<q", int(self.next_seconds * _NANOSECONDS))
        return b"\x48\xbe" + following + b"\x49\xb8" + struct.pack("<q", int(self.first_seconds * _NANOSECONDS))


class LoadedLibrary:
    """Addresses inside the client library of this process, found while they still hold their defaults."""

    def __init__(self) -> None:
        preload_library()
        self._root_key = _find_once(_ROOT_KEY, "root key")
        self._keepalive = _find_once(KeepAlive().encode(), "keepalive timings")
        self._qr_timings: int | None = None
        self._kept: list[ctypes.Array[ctypes.c_char]] = []

    def trust_root_key(self, public: bytes) -> None:
        """Replace the pinned root of the Noise certificates; read at each handshake."""
        ctypes.memmove(self._root_key, public, 32)

    def set_keepalive(self, timings: KeepAlive) -> None:
        """Change the keepalive timings."""
        ctypes.memmove(self._keepalive, timings.encode(), 32)

    def set_qr_timings(self, timings: QrTimings) -> None:
        """Change how long QR codes are shown."""
        if self._qr_timings is None:
            self._qr_timings = _find_once(QrTimings().encode(), "QR timings", is_writable=False)
        _write(self._qr_timings, timings.encode(), _READ_WRITE_EXECUTE)

    def trust_authority(self, ca_file: Path) -> None:
        """Make Go read its TLS roots from this file; only before the first TLS handshake of the process."""
        names = [struct.pack("<QQ", address, len(_CA_BUNDLE)) for address in _find(_CA_BUNDLE)]
        slots = [slot for name in names for slot in _find(name)]
        if len(slots) != 1:
            raise UnknownLibraryError(f"{len(slots)} candidates for the CA bundle path")
        raw = str(ca_file).encode()
        buffer = ctypes.create_string_buffer(raw, len(raw))
        # Go keeps pointing at it
        self._kept.append(buffer)
        _write(slots[0], struct.pack("<QQ", ctypes.addressof(buffer), len(raw)))
        # a variable inherited at exec time would win over the path
        for address in _find(b"SSL_CERT_FILE"):
            _write(address, b"SSL_CERT_NONE")


@functools.cache
def loaded_library() -> LoadedLibrary:
    """The client library of this process."""
    return LoadedLibrary()


def _find_once(needle: bytes, what: str, *, is_writable: bool = True) -> int:
    hits = list(_find(needle, is_writable_only=is_writable))
    if len(hits) != 1:
        raise UnknownLibraryError(f"{len(hits)} candidates for the {what}")
    return hits[0]


def _find(needle: bytes, *, is_writable_only: bool = False) -> Iterator[int]:
    for start, end, permissions in _segments():
        if "r" not in permissions or (is_writable_only and "w" not in permissions):
            continue
        # Looked at where it is: a copy would make the process larger than it is.
        memory = memoryview((ctypes.c_char * (end - start)).from_address(start)).cast("B")
        for found in re.finditer(re.escape(needle), memory):
            yield start + found.start()


def _segments() -> Iterator[tuple[int, int, str]]:
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split()
        if len(fields) >= 6 and _LIBRARY in fields[5]:
            start, end = (int(number, 16) for number in fields[0].split("-"))
            yield start, end, fields[1]


def _write(address: int, data: bytes, protection: int = _READ_WRITE) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    page = address & ~0xFFF
    size = (address + len(data) - page + 0xFFF) & ~0xFFF
    if libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(size), protection):
        raise OSError(ctypes.get_errno(), "mprotect")
    ctypes.memmove(address, data, len(data))
