"""Linking accounts: one attempt per user, its codes shown in the management room and taken away at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from mautrix_whatsapp_py.bridge import link_texts as texts
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.resting import insist, rest
from mautrix_whatsapp_py.bridge.showcase import Showcase, Stand
from mautrix_whatsapp_py.bridge.welcoming import TooManyLogins, Welcoming
from mautrix_whatsapp_py.convert.bot_text import to_notice
from mautrix_whatsapp_py.errors import (
    CommandError,
    MatrixError,
    MatrixRefused,
    MatrixUnreachable,
    StoreUnavailable,
    WhatsAppError,
)
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.wa_link import (
    WaDevice,
    WaPaired,
    WaPairingFailed,
    WaPairingFailure,
    WaPhoneCode,
    WaQrCode,
)
from mautrix_whatsapp_py.ports import Clock, MatrixApi, WaPairing, WhatsAppNetwork
from mautrix_whatsapp_py.tasks import Backoff, end_all, spawn

log = logging.getLogger(__name__)

STOP_SECONDS = 10.0
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRequest:
    """Somebody wants to link an account; a phone number asks for a code to type instead of one to scan."""

    user: MxUserId
    room_id: MxRoomId
    event_id: MxEventId
    phone: str = ""
    is_again: bool = False
    """For an account that counts already."""


@dataclass(slots=True, kw_only=True)
class _Attempt:
    request: LinkRequest
    stand: Stand
    pairing: WaPairing | None = None
    is_cancelled: bool = False
    has_instructed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    """A sentence of the end of an attempt; for another user it goes to their management room."""

    text: str
    step: str
    user: MxUserId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkingDeps:
    """What linking works with."""

    matrix: MatrixApi
    network: WhatsAppNetwork
    logins: Logins
    users: Users
    showcase: Showcase
    clock: Clock
    welcoming: Welcoming


class Linking:
    """All attempts that are under way."""

    def __init__(self, deps: LinkingDeps) -> None:
        self._deps = deps
        self._attempts: dict[MxUserId, _Attempt] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def recover(self) -> None:
        """Begin to take away the codes that an earlier run of the bridge left on show, and to say why."""
        for stand in await self._deps.showcase.get_leftovers():
            log.info("the linking of %s was interrupted by a restart", stand.user)
            word = _Word(text=texts.INTERRUPTED, step="interrupted")
            spawn(self._conclude(stand, (word,)), name=f"linking:{stand.user}", tasks=self._tasks)

    async def start(self, request: LinkRequest) -> None:
        """Begin; CommandError when that cannot be. What follows is said in the room."""
        running = self._attempts.get(request.user)
        if running is not None:
            await self._join(running, request)
            return
        if not request.is_again:
            self._deps.welcoming.require_room(request.user)
        # The time makes it another attempt when a crash has the same command carried out again.
        key = f"{request.event_id}-{int(self._deps.clock.now().timestamp() * 1000)}"
        stand = Stand(key=key, user=request.user, room_id=request.room_id)
        attempt = self._attempts[request.user] = _Attempt(request=request, stand=stand)
        try:
            await self.require_private(request.room_id, request.user)
            attempt.pairing = await self._begin(request)
        except BaseException:
            del self._attempts[request.user]
            raise
        spawn(self._run(attempt, attempt.pairing), name=f"linking:{request.user}", tasks=self._tasks)
        if attempt.is_cancelled:
            await attempt.pairing.cancel()

    async def cancel(self, user: MxUserId) -> bool:
        """Stop a user's attempt; whether there was one. The attempt itself says that it ended."""
        attempt = self._attempts.get(user)
        if attempt is None:
            return False
        attempt.is_cancelled = True
        if attempt.pairing is not None:
            await attempt.pairing.cancel()
        return True

    async def stop(self) -> None:
        """End every attempt and take its code away."""
        self._stopping.set()
        await asyncio.gather(*(self.cancel(user) for user in list(self._attempts)))
        await end_all(self._tasks, grace_seconds=STOP_SECONDS)

    async def require_private(self, room_id: MxRoomId, user: MxUserId) -> None:
        """CommandError where a code must not be shown."""
        matrix = self._deps.matrix
        if await matrix.fetch_members(room_id) - {user, matrix.bot}:
            raise CommandError(texts.NOT_HERE)
        if not matrix.reads_encrypted and await matrix.fetch_is_encrypted(room_id):
            raise CommandError(texts.ENCRYPTED_ROOM)

    async def _begin(self, request: LinkRequest) -> WaPairing:
        try:
            return await self._deps.network.start_pairing(request.phone)
        except WhatsAppError as error:
            raise CommandError(texts.FAILURES[failure_of(error)]) from error

    async def _join(self, running: _Attempt, request: LinkRequest) -> None:
        """Another command of somebody whose attempt is under way: a new code for one that was mistyped."""
        if request.event_id == running.request.event_id:
            return
        asks_for_code = bool(request.phone and running.request.phone)
        if running.pairing is None or not asks_for_code or request.room_id != running.request.room_id:
            raise CommandError(texts.ALREADY_RUNNING)
        await self.require_private(request.room_id, request.user)
        try:
            code = await running.pairing.request_phone_code(request.phone)
        except WhatsAppError as error:
            raise CommandError(texts.FAILURES[failure_of(error)]) from error
        if self._attempts.get(request.user) is running:
            await self._deps.showcase.show_code(running.stand, code.code)

    async def _run(self, attempt: _Attempt, pairing: WaPairing) -> None:
        words: tuple[_Word, ...] = (_Word(text=texts.FAILURES[WaPairingFailure.HOST], step="failed"),)
        try:
            words = await self._walk(attempt, pairing)
        finally:
            self._attempts.pop(attempt.request.user, None)
            await pairing.cancel()
            await self._conclude(attempt.stand, words)

    async def _walk(self, attempt: _Attempt, pairing: WaPairing) -> tuple[_Word, ...]:
        """Show what there is to show until the attempt is over; what to say then."""
        fault = ""
        async for step in pairing.steps():
            if isinstance(step, WaPaired):
                return await self._welcome(attempt.request, step.device)
            if isinstance(step, WaPairingFailed):
                said = texts.INTERRUPTED if self._stopping.is_set() else texts.FAILURES[step.reason]
                return (_Word(text=fault or said, step="failed"),)
            if not fault and (fault := await self._show(attempt, step)):
                # It may have succeeded meanwhile: its last step tells.
                await pairing.cancel()
        return (_Word(text=fault or texts.FAILURES[WaPairingFailure.HOST], step="failed"),)

    async def _show(self, attempt: _Attempt, step: WaQrCode | WaPhoneCode) -> str:
        """Show a code; if that cannot be, the sentence that says why."""
        try:
            await self.require_private(attempt.request.room_id, attempt.request.user)
            if isinstance(step, WaPhoneCode):
                await self._deps.showcase.show_code(attempt.stand, step.code)
                return ""
            if not attempt.has_instructed:
                await self._send(attempt.stand.room_id, texts.QR_STEPS, attempt.stand.txn_id("steps"))
                attempt.has_instructed = True
            await self._deps.showcase.show_qr(attempt.stand, step.data)
        except CommandError as error:
            return error.text
        except MatrixError as error:
            log.warning("a code for %s cannot be shown: %s", attempt.request.user, error.errcode or error.status)
            return texts.HOMESERVER_FAULT
        except StoreUnavailable:
            log.warning("a code for %s cannot be shown: the database is away", attempt.request.user)
            return texts.DATABASE_FAULT
        return ""

    async def _welcome(self, request: LinkRequest, device: WaDevice) -> tuple[_Word, ...]:
        """The account is linked; remember whose it is before anything else."""
        number = f"+{device.login}"
        try:
            welcomed = await self._insist(lambda: self._deps.welcoming.welcome(request.user, device))
        except TooManyLogins as error:
            return (_Word(text=error.text, step="failed"),)
        success = _Word(text=texts.SUCCESS.format(number=number), step="success")
        if welcomed.former is None:
            return (success,)
        lost = _Word(text=texts.LOST_TO_OTHER.format(number=number), step="lost", user=welcomed.former)
        return (success, _Word(text=texts.TAKEN_OVER, step="taken-over"), lost)

    async def _conclude(self, stand: Stand, words: tuple[_Word, ...]) -> None:
        """Take away what is on show and say how it ended, however long the homeserver is away."""
        backoff = Backoff()
        while not await self._deps.showcase.take_away(stand) and not self._stopping.is_set():
            await rest(self._deps.clock, backoff.next_seconds(), self._stopping)
        for word in words:
            try:
                await self._say(stand, word)
            except MatrixRefused as error:
                log.warning("the end of linking could not be said: %s", error.errcode or error.status)
            except (MatrixUnreachable, StoreUnavailable) as error:
                log.warning("the end of linking could not be said: %s", type(error).__name__)

    async def _say(self, stand: Stand, word: _Word) -> None:
        user, room_id = word.user, stand.room_id
        if user is not None:
            found = await self._insist(lambda: self._deps.users.get_management_room(user))
            if found is None:
                return
            room_id = found
        await self._insist(lambda: self._send(room_id, word.text, stand.txn_id(word.step)))

    async def _insist(self, action: Callable[[], Awaitable[_Result]]) -> _Result:
        return await insist(action, self._deps.clock, self._stopping)

    async def _send(self, room_id: MxRoomId, text: str, txn_id: MxTxnId) -> None:
        matrix = self._deps.matrix
        await matrix.send_notice(room_id, to_notice(text), sender=matrix.bot, txn_id=txn_id)


def failure_of(error: WhatsAppError) -> WaPairingFailure:
    """Why an attempt could not begin, or gave no code."""
    if error.code == "not-connected":
        return WaPairingFailure.NETWORK
    try:
        return WaPairingFailure(error.code)
    except ValueError:
        return WaPairingFailure.HOST
