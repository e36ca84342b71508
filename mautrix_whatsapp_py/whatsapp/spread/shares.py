"""A worker's share of the logins: it takes what should be its own and lets go of what should be others'."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.ids import LoginId, login_tag
from mautrix_whatsapp_py.tasks import each, end_all, spawn
from mautrix_whatsapp_py.whatsapp.spread.keeper import Keeper
from mautrix_whatsapp_py.whatsapp.spread.rendezvous import Candidate, choose, eligible

log = logging.getLogger(__name__)

MOVES_AT_ONCE = 8
"""So that not too many of one worker's links are down at a time."""
_LAST_MOVES_AT_ONCE = 20


class Claimed(Protocol):
    """A login that is ours now."""

    @property
    def login(self) -> LoginId: ...

    @property
    def epoch(self) -> int: ...

    @property
    def former(self) -> str: ...


class ShareBook(Protocol):
    """What every worker says and asks about who holds what; see HoldingBook."""

    async def get_peers(self) -> Sequence[Candidate]: ...

    async def get_free(self) -> Sequence[LoginId]: ...

    async def get_unwanted(self, holder: str) -> Sequence[LoginId]: ...

    async def claim(self, logins: Sequence[LoginId], *, holder: str, lease: str) -> Sequence[Claimed]: ...

    async def release(self, login: LoginId, *, holder: str, epoch: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Self:
    """Who we are, and how long others have to have been there before they are given anything."""

    holder: str
    lease: str
    settled_seconds: float


class Shares:
    """Looks again and again; whatever went wrong is mended the next time."""

    def __init__(
        self, book: ShareBook, keeper: Keeper, me: Self, *, silence: Callable[[str], Awaitable[None]]
    ) -> None:
        """`silence` ends what a dead holder may have begun."""
        self._book = book
        self._keeper = keeper
        self._me = me
        self._silence = silence
        self._turns = asyncio.Semaphore(MOVES_AT_ONCE)
        self._going: dict[LoginId, int] = {}
        """On their way out, each with its epoch."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, wait: Callable[[], Awaitable[object]]) -> None:
        """Balance for ever; `wait` returns when there may be something to do."""
        while True:
            try:
                await self.balance()
            except StoreError as error:
                log.info("what is whose is not known: %s", type(error).__name__)
            await wait()

    async def balance(self) -> None:
        """Let go of what is not for us, take what is and nobody has."""
        peers = await self._book.get_peers()
        me = self._me.holder
        if not any(peer.holder == me for peer in peers):
            return
        chosen = eligible(peers, settled_seconds=self._me.settled_seconds)
        unwanted = set(await self._book.get_unwanted(me))
        for login in tuple(self._keeper.logins):
            if login in unwanted or choose(login, chosen) not in (me, None):
                self._let_go(login)
        free = [login for login in await self._book.get_free() if choose(login, chosen) == me]
        await self._take([login for login in free if login not in self._going])

    async def stop(self) -> None:
        """Let go of everything, for others to take."""
        await end_all(self._tasks)
        everything: Iterable[LoginId] = {**self._keeper.logins, **self._going}
        await each(everything, self._leave, at_once=_LAST_MOVES_AT_ONCE)

    async def _take(self, logins: Sequence[LoginId]) -> None:
        if not logins:
            return
        claimed = await self._book.claim(logins, holder=self._me.holder, lease=self._me.lease)
        for former in {one.former for one in claimed} - {""}:
            await self._silence(former)
        await each(claimed, self._begin, at_once=MOVES_AT_ONCE)

    async def _begin(self, one: Claimed) -> None:
        log.info("login %s is ours now, epoch %d", login_tag(one.login), one.epoch)
        await self._keeper.take(one.login, one.epoch)

    def _let_go(self, login: LoginId) -> None:
        if login not in self._going:
            self._going[login] = self._keeper.logins[login]
            spawn(self._leave_in_turn(login), name=f"let-go-{login_tag(login)}", tasks=self._tasks)

    async def _leave_in_turn(self, login: LoginId) -> None:
        async with self._turns:
            await self._leave(login)

    async def _leave(self, login: LoginId) -> None:
        epoch = self._going.get(login) or self._keeper.logins[login]
        self._going[login] = epoch
        if login in self._keeper.logins:
            await self._keeper.drop(login)
        while True:
            try:
                await self._book.release(login, holder=self._me.holder, epoch=epoch)
                break
            except StoreError as error:
                # Nobody else takes it before; without the database our own lease ends soon, and with it this.
                log.info("a login could not be let go yet: %s", type(error).__name__)
                await asyncio.sleep(1.0)
        del self._going[login]
        log.info("login %s is let go", login_tag(login))
