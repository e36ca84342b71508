"""Places for sessions on all workers that share a database, as the one that leads sees them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa_link import WaHostStats
from mautrix_whatsapp_py.tasks import end_all, spawn
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.options import NetworkOptions
from mautrix_whatsapp_py.whatsapp.slot import SlotListener
from mautrix_whatsapp_py.whatsapp.spread import letters
from mautrix_whatsapp_py.whatsapp.spread.keeper import Keeper
from mautrix_whatsapp_py.whatsapp.spread.leader_end import FarEars, FarWorker
from mautrix_whatsapp_py.whatsapp.spread.letters import Cover, Send
from mautrix_whatsapp_py.whatsapp.spread.rendezvous import Candidate
from mautrix_whatsapp_py.whatsapp.way import Way

log = logging.getLogger(__name__)

FREE_SECONDS = 150.0
LOOK_SECONDS = 0.1


class LeaderBook(Protocol):
    """What the leader says and asks about who holds what; see HoldingBook."""

    async def get_peers(self) -> Sequence[Candidate]: ...

    async def want(self, logins: Sequence[LoginId]) -> None: ...

    async def want_no_more(self, login: LoginId) -> None: ...

    async def is_held(self, login: LoginId) -> bool: ...


class SpreadBerths:
    """Implements Berths: says which sessions are wanted; workers take them, and say so."""

    def __init__(
        self,
        listener: SlotListener,
        book: LeaderBook,
        own: Keeper,
        send: Send,
        *,
        holder: str,
        epoch: int,
        now: Callable[[], float],
    ) -> None:
        """`own` are the sessions that this process holds itself, as the others do theirs."""
        self._listener = listener
        self._book = book
        self._own = own
        self._send = send
        self._holder = holder
        self._epoch = epoch
        self._now = now
        self._wanted: set[LoginId] = set()
        self._places: dict[LoginId, tuple[str, int]] = {}
        self._far: dict[str, FarWorker] = {}
        self._changing: dict[LoginId, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ears = FarEars(
            on_held=self._on_held,
            on_let_go=self._on_let_go,
            on_frame=self._on_frame,
            on_lost=self._on_lost,
            on_broken=self._on_broken,
        )

    # Berths

    async def start(self) -> Collection[LoginId]:
        """See Berths."""
        await self._own.listen(_OwnEar(self._holder, self._ears))
        spawn(self._watch(), name="workers", tasks=self._tasks)
        return ()

    async def stop(self) -> None:
        """See Berths: all sessions stay where they are."""
        await end_all(self._tasks)
        self._own.deafen_all()
        await asyncio.gather(*(far.detach() for far in self._far.values()))

    def hold(self, options: NetworkOptions) -> None:
        """See Berths; whoever holds them does it."""

    def has(self, login: LoginId) -> bool:
        """See Berths."""
        return login in self._wanted

    async def place(self, logins: Sequence[LoginId]) -> None:
        """See Berths."""
        self._wanted.update(logins)
        await self._book.want(logins)

    async def displace(self, login: LoginId) -> None:
        """See Berths."""
        if login not in self._wanted:
            return
        await self._book.want_no_more(login)
        self._wanted.discard(login)
        deadline = self._now() + FREE_SECONDS
        while await self._book.is_held(login):
            if self._now() > deadline:
                log.error("a session that should go is still held by another worker")
                return
            await asyncio.sleep(LOOK_SECONDS)  # Another process lets go of it.

    def way_to(self, login: LoginId) -> Way | None:
        """See Berths."""
        holder, _ = self._places.get(login, ("", 0))
        return self._own.way_to(login) if holder == self._holder else self._far.get(holder)

    def stats(self) -> Sequence[WaHostStats]:
        """See Berths."""
        return (*self._own.berths.stats(), *(stats for far in self._far.values() for stats in far.stats))

    def exclusively(self, login: LoginId) -> asyncio.Lock:
        """See Berths."""
        return self._changing.setdefault(login, asyncio.Lock())

    def forget(self, login: LoginId) -> None:
        """See Berths."""
        self._changing.pop(login, None)

    # Other workers

    def on_letter(self, sender: str, cover: Cover) -> None:
        """Another worker says something."""
        if (far := self._far.get(sender)) is not None:
            far.on_letter(cover)

    async def _watch(self) -> None:
        while True:
            try:
                peers = await self._book.get_peers()
            except StoreError as error:
                log.info("who else works is not known: %s", type(error).__name__)
            else:
                self._meet({peer.holder for peer in peers} - {self._holder})
            for far in self._far.values():
                far.beat()
            await asyncio.sleep(letters.BEAT_SECONDS / 2)

    def _meet(self, holders: set[str]) -> None:
        for gone in self._far.keys() - holders:
            self._far.pop(gone).close()
        for holder in holders - self._far.keys():
            self._far[holder] = FarWorker(holder, self._send, self._ears, epoch=self._epoch, now=self._now)

    def _on_held(self, holder: str, logins: dict[LoginId, int]) -> None:
        for login, epoch in logins.items():
            _, known = self._places.get(login, ("", 0))
            if epoch >= known:
                self._places[login] = holder, epoch

    def _on_let_go(self, holder: str, login: LoginId, epoch: int) -> None:
        if self._places.get(login) == (holder, epoch):
            # The epoch stays known: what an earlier holder says late counts for nothing.
            self._places[login] = "", epoch
            self._tell_lost((login,))

    def _on_frame(self, holder: str, frame: wire.FromHost) -> None:
        if isinstance(frame, wire.Event | wire.LinkChanged) and self._has(holder, frame.login):
            self._listener.on_frame(frame)

    def _on_lost(self, holder: str, logins: tuple[LoginId, ...]) -> None:
        self._tell_lost(tuple(login for login in logins if self._has(holder, login)))

    def _has(self, holder: str, login: LoginId) -> bool:
        return self._places.get(login, ("", 0))[0] == holder

    def _on_broken(self, holder: str) -> None:
        logins = tuple(login for login, (where, _) in self._places.items() if where == holder)
        for login in logins:
            self._places[login] = "", self._places[login][1]
        self._tell_lost(logins)

    def _tell_lost(self, logins: tuple[LoginId, ...]) -> None:
        if wanted := tuple(login for login in logins if login in self._wanted):
            self._listener.on_lost(wanted)


class _OwnEar:
    """Implements Ear for the sessions of this process."""

    def __init__(self, holder: str, ears: FarEars) -> None:
        self._holder = holder
        self._ears = ears

    def on_held(self, logins: dict[LoginId, int]) -> None:
        """See Ear."""
        self._ears.on_held(self._holder, logins)

    def on_let_go(self, login: LoginId, epoch: int) -> None:
        """See Ear."""
        self._ears.on_let_go(self._holder, login, epoch)

    def on_frame(self, frame: wire.FromHost) -> None:
        """See Ear."""
        self._ears.on_frame(self._holder, frame)

    def on_lost(self, logins: tuple[LoginId, ...]) -> None:
        """See Ear."""
        self._ears.on_lost(self._holder, logins)
