"""What a conversion may not do: take more than its share, reach the network, run programs.

The files come from strangers and the libraries that open them are written in C. Should one of them be taken over,
it is alone in a process that can read, compute, and write files of a bounded size.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
from typing import Final

from mautrix_whatsapp_py.media.jobs import Bounds

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2
_ALLOW: Final = 0x7FFF0000
_DENY: Final = 0x00050000 | 1
"""SECCOMP_RET_ERRNO with EPERM."""
_MOST_FILES: Final = 64
_X32_CALLS: Final = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_SYSTEM_CALLS: Final = {
    # socket, connect, bind, listen, sendto, sendmsg, socketpair, execve, ptrace, process_vm_readv/writev,
    # execveat, io_uring_setup, kill, tkill, mount, setns, unshare, bpf
    "x86_64": (
        0xC000003E,
        (41, 42, 49, 50, 44, 46, 53, 59, 101, 310, 311, 322, 425, 62, 200, 165, 308, 272, 321),
    ),
    "aarch64": (
        0xC00000B7,
        (198, 203, 200, 201, 206, 211, 199, 221, 117, 270, 271, 281, 425, 129, 130, 40, 268, 97, 280),
    ),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def confine(bounds: Bounds) -> None:
    """Hold this process to its bounds; OSError when the system does not let us."""
    libc = ctypes.CDLL(None, use_errno=True)
    _prctl(libc, _PR_SET_PDEATHSIG, signal.SIGKILL)
    _limit(resource.RLIMIT_AS, _address_space() + bounds.memory_bytes)
    _limit(resource.RLIMIT_FSIZE, bounds.output_bytes)
    # Processor time counts for all threads together; the wall clock is the caller's business.
    _limit(resource.RLIMIT_CPU, max(int(bounds.seconds * 2), 1))
    _limit(resource.RLIMIT_NOFILE, _MOST_FILES)
    _limit(resource.RLIMIT_CORE, 0)
    _deny_calls(libc)


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def _address_space() -> int:
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123  (no pathlib in a process this small)
        return int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _deny_calls(libc: ctypes.CDLL) -> None:
    known = _SYSTEM_CALLS.get(platform.machine())
    if known is None:
        # Nobody has looked up the numbers there; the limits above hold all the same.
        return
    code = _filter(*known)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    _prctl(libc, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))


def _filter(architecture: int, denied: tuple[int, ...]) -> bytes:
    """A program for the kernel's packet filter that looks at the number of each system call."""
    last = len(denied) + 5

    def or_deny(at: int) -> int:
        return last - at - 1

    steps = [
        _step(_LOAD, 4),
        # Another architecture's calls have other numbers: none of them.
        _step(_EQUAL, architecture, 0, or_deny(1)),
        _step(_LOAD, 0),
        _step(_AT_LEAST, _X32_CALLS, or_deny(3), 0),
        *(_step(_EQUAL, number, or_deny(at), 0) for at, number in enumerate(denied, 4)),
        _step(_RETURN, _ALLOW),
        _step(_RETURN, _DENY),
    ]
    return b"".join(steps)


def _step(code: int, value: int, on_true: int = 0, on_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, on_true, on_false, value)


def _prctl(libc: ctypes.CDLL, *arguments: object) -> None:
    if libc.prctl(*arguments, *(0,) * (5 - len(arguments))):
        raise OSError(ctypes.get_errno(), "prctl")
