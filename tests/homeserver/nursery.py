"""A process that has loaded a program once and forks a child for each time it is to be run.

    python -u -P nursery.py PROGRAM <CONTROL

PROGRAM is what would stand behind `python -m`. The control socket brings orders: the words of the command line, a
folder and an environment, with two descriptors, one for the output, one to tell the process id and the exit code.
Its end is the end of the nursery and of all its children. Not part of a package, so that nothing else is loaded.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

Main = Callable[[], object]

_MAX_ORDER_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How a child is to be run."""

    words: tuple[str, ...]
    folder: str
    environment: dict[str, str]
    output: int
    report: int


def load(program: str) -> Main:
    """Import all that a program imports when it starts, and nothing that begins to work; what runs it."""
    if program == "synapse.app.homeserver":
        return _load_synapse()
    if program == "mautrix_whatsapp_py":
        # What a first start needs as well, but no part of the library for WhatsApp: it is not made for forks.
        for name in ("app", "store.migrate", "store.engine"):
            importlib.import_module(f"{program}.{name}")
        program = "mautrix_whatsapp_py.cli"
    main: Main = importlib.import_module(program).main
    return main


def _load_synapse() -> Main:
    """A reactor made before a fork does not work in the child; Synapse has a stand-in for such cases."""
    from synapse.app.complement_fork_proxied_reactor import ProxiedReactor
    from twisted.internet.main import installReactor

    # Neither of the two says of what types it is.
    stand_in = ProxiedReactor()
    installReactor(stand_in)  # type: ignore[no-untyped-call]
    homeserver = importlib.import_module("synapse.app.homeserver")

    def main() -> None:
        from twisted.internet.epollreactor import EPollReactor

        stand_in._install_real_reactor(EPollReactor())  # type: ignore[no-untyped-call]
        homeserver.main()

    return main


class Nursery:
    """Takes orders until nobody can give any more."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._reports: dict[int, int] = {}
        """Where the end of which child is to be told."""
        self._ended, wake = socket.socketpair()
        self._wake = wake
        wake.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)

    def serve(self) -> Order | None:
        """In the nursery: None, once it and all its children are over. In a child: its order."""
        poll = select.poll()
        for one in (self._control, self._ended):
            poll.register(one, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if self._ended.fileno() in ready:
                self._ended.recv(4096)
                self._tell_ends()
            if self._control.fileno() in ready:
                order = self._take()
                if order is None:
                    self._end_all()
                    return None
                if self._bear(order):
                    return order

    def _take(self) -> Order | None:
        body, descriptors, _, _ = socket.recv_fds(self._control, _MAX_ORDER_BYTES, 2)
        if not body:
            return None
        words, folder, environment = json.loads(body)
        output, report = descriptors
        return Order(words=tuple(words), folder=folder, environment=environment, output=output, report=report)

    def _bear(self, order: Order) -> bool:
        """Whether this is the child."""
        nursery = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._leave()
            _die_with(nursery)
            return True
        os.setpgid(pid, pid)
        os.close(order.output)
        self._reports[pid] = order.report
        _tell(order.report, pid)
        return False

    def _leave(self) -> None:
        """Forget in a child what belongs to the nursery; its descriptors are closed with all others."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for one in (self._control, self._ended, self._wake):
            one.detach()

    def _end_all(self) -> None:
        """Whoever would take over the children may not look after the dead."""
        for pid in self._reports:
            os.kill(pid, signal.SIGKILL)
        for pid in self._reports:
            os.waitpid(pid, 0)

    def _tell_ends(self) -> None:
        while self._reports:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            report = self._reports.pop(pid)
            _tell(report, os.waitstatus_to_exitcode(status))
            os.close(report)


def _tell(report: int, number: int) -> None:
    try:
        os.write(report, f"{number}\n".encode())
    except BrokenPipeError:
        # Who ordered it does not care any more.
        return


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def become(order: Order, program: str) -> None:
    """Be in a child what a command started like this would be."""
    # Whoever is second sets what is set already.
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, place in ((nothing, 0), (order.output, 1), (order.output, 2)):
        os.dup2(descriptor, place)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(order.environment)
    time.tzset()
    os.chdir(order.folder)
    sys.path.insert(0, order.folder)
    sys.argv = [program, *order.words]


def main() -> object:
    """Serve; in a child, run the program, whose end is that of the interpreter."""
    program = sys.argv[1]
    run = load(program)
    threads = os.listdir("/proc/self/task")  # noqa: PTH208 a listing is all we want
    assert len(threads) == 1, f"{program} starts threads when it is loaded, which a fork would lose"
    gc.collect()
    gc.freeze()
    order = Nursery(socket.socket(fileno=os.dup(0))).serve()
    if order is None:
        return None
    become(order, program)
    return run()


if __name__ == "__main__":
    # What a program's own main returns goes to its exit as it is.
    sys.exit(main())  # type: ignore[arg-type]
