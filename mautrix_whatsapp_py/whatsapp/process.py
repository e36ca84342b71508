"""Starting and ending the process of a session host."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import certifi
import msgspec

from mautrix_whatsapp_py.whatsapp.folders import PRIVATE_FILE
from mautrix_whatsapp_py.whatsapp.keeping import ENVIRONMENT, Keeping
from mautrix_whatsapp_py.whatsapp.options import NetworkOptions

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.02
_LOG_BYTES = 1 << 20
_TAIL_BYTES = 8192
_LIBRARY_MB, _SESSION_MB = 28, 1
"""What the library's runtime is to make do with; above it, it tidies up more often and refuses nothing."""
_FATAL = ("panic:", "fatal error:", "SIGSEGV", "SIGABRT", "Traceback", "Error:")


@dataclass(slots=True)
class HostProcess:
    """A child we started, or one an earlier bridge did and we found again.

    Not a subprocess of asyncio's: those are killed when our event loop ends, and a host has to live on.
    """

    pid: int
    child: subprocess.Popen[bytes] | None = None

    @property
    def has_ended(self) -> bool:
        if self.child is not None:
            return self.child.poll() is not None
        try:
            # One we had let go may still be ours to reap.
            if os.waitpid(self.pid, os.WNOHANG)[0] == self.pid:
                return True
        except ChildProcessError:
            return self._is_gone()
        return False

    def _is_gone(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the host and whatever wraps it; a process that is gone is no error."""
        if self.pid <= 1 or self.has_ended:
            return
        try:
            if self.child is not None:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    async def ended(self, timeout_seconds: float) -> bool:
        """Wait for the end."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while not self.has_ended and loop.time() < deadline:  # noqa: ASYNC110 a process ends without telling
            await asyncio.sleep(_POLL_SECONDS)
        return self.has_ended

    def let_go(self) -> None:
        """Leave the process to itself, and to the next bridge."""
        if self.child is not None and self.child.poll() is None:
            # Without this its object would complain, when it is collected, that the process still runs.
            self.child.returncode = 0

    async def end(self, *, patience_seconds: float) -> None:
        """Ask, wait, insist."""
        self.signal(signal.SIGTERM)
        if not await self.ended(patience_seconds):
            log.warning("a session host did not end in %.0f s and is killed", patience_seconds)
            self.signal(signal.SIGKILL)
            await self.ended(10)


async def spawn_host(name: str, folder: Path, options: NetworkOptions, *, is_pairing: bool = False) -> HostProcess:
    """Start a host; its socket will be `folder/sock`. It lives on when we do not."""
    arguments = ["--name", name, "--socket", str(folder / "sock"), "--orphan-seconds", str(options.orphan_seconds)]
    if options.timings != "{}":
        arguments += ["--timings", options.timings]
    if is_pairing:
        arguments.append("--pairing")
    # A file outlives us, a pipe does not; the library's runtime would die of writing into a broken one.
    stderr = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        child = await asyncio.to_thread(
            subprocess.Popen,
            (*options.command, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=host_environment(os.environ, options.keeping, sessions=options.sessions_per_host),
            start_new_session=True,
        )
    finally:
        os.close(stderr)
    return HostProcess(pid=child.pid, child=child)


def host_environment(
    ours: Mapping[str, str], keeping: Keeping | None = None, *, sessions: int = 1
) -> dict[str, str]:
    """Our environment, and what the library's runtime reads from that of its exec alone."""
    # Left alone, the runtime lets what one chunk of history leaves behind grow to more than all else takes.
    limit = f"{_LIBRARY_MB + _SESSION_MB * sessions}MiB"
    environment = {"GOMEMLIMIT": limit, **ours, "NEONIZE_BOT_TAG": "off", "PYTHONUNBUFFERED": "1"}
    if keeping is not None:
        environment[ENVIRONMENT] = msgspec.json.encode(keeping).decode()
    root = str(Path(__file__).resolve().parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, ours.get("PYTHONPATH", ""))))
    paths = ssl.get_default_verify_paths()
    has_roots = any(Path(path).exists() for path in (*_SYSTEM_ROOTS, paths.openssl_cafile))
    if "SSL_CERT_FILE" not in ours and not has_roots:
        environment["SSL_CERT_FILE"] = certifi.where()
    return environment


_SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def last_words(folder: Path) -> str:
    """Why a host died, from what its runtime wrote to standard error: kind only, its text may quote anything."""
    try:
        with (folder / "log").open("rb") as file:
            file.seek(max(0, (folder / "log").stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    fatal = [line.strip()[:120] for line in lines if any(word in line for word in _FATAL)]
    return fatal[-1] if fatal else ""


def trim_log(folder: Path) -> None:
    """Keep a host's file of last words small."""
    path = folder / "log"
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        os.truncate(path, 0)


def peer_pid(connection: socket.socket) -> int:
    """Process at the other end of a Unix socket, 0 when the system does not say."""
    if sys.platform != "linux":
        return 0
    size = struct.calcsize("3i")
    pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(pid)
