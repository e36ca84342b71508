"""Linking attempts whose codes are shown outside of rooms: by a program, or on the login page."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass, field
from typing import TypeAlias

from mautrix_whatsapp_py.bridge import link_texts as texts
from mautrix_whatsapp_py.bridge.linking import failure_of
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.resting import insist
from mautrix_whatsapp_py.bridge.welcoming import TooManyLogins, Welcoming
from mautrix_whatsapp_py.convert.bot_text import to_notice
from mautrix_whatsapp_py.errors import BridgeError, MatrixError, StoreError, WhatsAppError
from mautrix_whatsapp_py.ids import LoginId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.wa_link import (
    WaDevice,
    WaPaired,
    WaPairingFailed,
    WaPairingFailure,
    WaPhoneCode,
    WaQrCode,
)
from mautrix_whatsapp_py.ports import Clock, MatrixApi, WaPairing, WhatsAppNetwork
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

LIFE_SECONDS = 30 * 60.0
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """The account counts from now on."""

    login: LoginId


@dataclass(frozen=True, slots=True, kw_only=True)
class NotLinked:
    """The attempt is over and left nothing behind; without a reason the user has as many accounts as they may."""

    reason: WaPairingFailure | None


AttemptStep: TypeAlias = WaQrCode | WaPhoneCode | Linked | NotLinked


class PairingRefused(BridgeError):
    """The attempt could not begin."""

    def __init__(self, reason: WaPairingFailure) -> None:
        super().__init__()
        self.reason = reason


@dataclass(slots=True, kw_only=True, eq=False)
class Attempt:
    """One attempt: its newest step, and how many there were."""

    id: str
    user: MxUserId
    pairing: WaPairing
    began_at: float
    """By the clock that only moves forwards."""
    replaces: LoginId | None = None
    """The account this one is to take the place of."""
    step: AttemptStep | None = None
    count: int = 0
    shown_at: float = 0.0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return isinstance(self.step, Linked | NotLinked)

    async def end(self) -> None:
        """Wait until it is over."""
        async with self.news:
            await self.news.wait_for(lambda: self.is_over)

    async def next_step(self, after: int) -> tuple[int, AttemptStep]:
        """The newest step that came behind `after` of them, as soon as there is one; the last one for ever."""
        async with self.news:
            await self.news.wait_for(lambda: self.count > after or self.is_over)
            assert self.step is not None
            return self.count, self.step


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptDeps:
    """What attempts work with."""

    network: WhatsAppNetwork
    logins: Logins
    users: Users
    matrix: MatrixApi
    clock: Clock
    welcoming: Welcoming


class Attempts:
    """All attempts of this kind, one per user."""

    def __init__(self, deps: AttemptDeps) -> None:
        self._deps = deps
        self._attempts: dict[MxUserId, Attempt] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def start(self, user: MxUserId, *, phone: str = "", replaces: LoginId | None = None) -> Attempt:
        """Begin, in place of an earlier attempt of the same user; TooManyLogins or PairingRefused."""
        await self.cancel(user)
        if replaces is None:
            self._deps.welcoming.require_room(user)
        try:
            pairing = await self._deps.network.start_pairing(phone)
        except WhatsAppError as error:
            raise PairingRefused(failure_of(error)) from error
        attempt = Attempt(
            id=secrets.token_urlsafe(16),
            user=user,
            pairing=pairing,
            began_at=self._deps.clock.monotonic(),
            replaces=replaces,
        )
        self._forget_old()
        former = self._attempts.get(user)
        self._attempts[user] = attempt
        spawn(self._run(attempt), name=f"attempt:{user}", tasks=self._tasks)
        if former is not None:
            await former.pairing.cancel()
        return attempt

    def get(self, user: MxUserId) -> Attempt | None:
        """A user's attempt, also one that is over."""
        self._forget_old()
        return self._attempts.get(user)

    async def cancel(self, user: MxUserId) -> bool:
        """Stop a user's attempt; whether one was under way."""
        attempt = self._attempts.get(user)
        if attempt is None or attempt.is_over:
            return False
        await attempt.pairing.cancel()
        return True

    async def stop(self) -> None:
        """End every attempt."""
        self._stopping.set()
        await asyncio.gather(*(self.cancel(user) for user in list(self._attempts)))
        await end_all(self._tasks, grace_seconds=STOP_SECONDS)

    def _forget_old(self) -> None:
        horizon = self._deps.clock.monotonic() - LIFE_SECONDS
        for user, attempt in list(self._attempts.items()):
            if attempt.is_over and attempt.began_at < horizon:
                del self._attempts[user]

    async def _run(self, attempt: Attempt) -> None:
        last: AttemptStep = NotLinked(reason=WaPairingFailure.HOST)
        try:
            last = await self._walk(attempt)
        finally:
            await attempt.pairing.cancel()
            await self._publish(attempt, last)

    async def _walk(self, attempt: Attempt) -> AttemptStep:
        async for step in attempt.pairing.steps():
            if isinstance(step, WaPaired):
                return await self._welcome(attempt, step.device)
            if isinstance(step, WaPairingFailed):
                return NotLinked(reason=step.reason)
            await self._publish(attempt, step)
        return NotLinked(reason=WaPairingFailure.HOST)

    async def _welcome(self, attempt: Attempt, device: WaDevice) -> AttemptStep:
        clock, welcoming = self._deps.clock, self._deps.welcoming
        try:
            welcomed = await insist(lambda: welcoming.welcome(attempt.user, device), clock, self._stopping)
        except TooManyLogins:
            return NotLinked(reason=None)
        if welcomed.former is not None:
            spawn(self._tell_former(welcomed.former, device, attempt.id), name="attempt:lost", tasks=self._tasks)
        await self._drop_replaced(attempt, device.login)
        return Linked(login=device.login)

    async def _drop_replaced(self, attempt: Attempt, linked: LoginId) -> None:
        """Unlink the account whose place was meant, when another one was linked."""
        if attempt.replaces in (None, linked):
            return
        for login in self._deps.logins.of_user(attempt.user):
            if login.id == attempt.replaces:
                try:
                    await self._deps.logins.logout(login)
                except (WhatsAppError, StoreError) as error:
                    log.warning("a replaced login stays for now: %s", type(error).__name__)

    async def _tell_former(self, user: MxUserId, device: WaDevice, attempt_id: str) -> None:
        matrix, text = self._deps.matrix, texts.LOST_TO_OTHER.format(number=f"+{device.login}")
        room_id = await self._deps.users.get_management_room(user)
        if room_id is None:
            return
        txn_id = MxTxnId(f"login-{attempt_id}-lost")

        async def send() -> None:
            await matrix.send_notice(room_id, to_notice(text), sender=matrix.bot, txn_id=txn_id)

        try:
            await insist(send, self._deps.clock, self._stopping)
        except (MatrixError, StoreError) as error:
            log.warning("the end of a link could not be said: %s", type(error).__name__)

    async def _publish(self, attempt: Attempt, step: AttemptStep) -> None:
        async with attempt.news:
            attempt.step = step
            attempt.count += 1
            attempt.shown_at = self._deps.clock.monotonic()
            attempt.news.notify_all()
