"""Linking accounts: one attempt per user, its codes shown in the management room and taken away at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from mautrix_whatsapp_py.bridge import link_texts as texts
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.showcase import Showcase
from mautrix_whatsapp_py.convert.bot_text import to_notice
from mautrix_whatsapp_py.errors import CommandError, MatrixError, StoreUnavailable, WhatsAppError
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.wa_link import (
    WaDevice,
    WaPaired,
    WaPairingFailed,
    WaPairingFailure,
    WaPairingStep,
    WaPhoneCode,
    WaQrCode,
)
from mautrix_whatsapp_py.ports import MatrixApi, WaPairing, WhatsAppNetwork
from mautrix_whatsapp_py.tasks import spawn

log = logging.getLogger(__name__)

STOP_SECONDS = 10.0


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
    pairing: WaPairing | None = None
    task: asyncio.Task[None] | None = None
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkingDeps:
    """What linking works with."""

    matrix: MatrixApi
    network: WhatsAppNetwork
    logins: Logins
    users: Users
    showcase: Showcase
    max_logins: Callable[[MxUserId], int | None]


class Linking:
    """All attempts that are under way."""

    def __init__(self, deps: LinkingDeps) -> None:
        self._deps = deps
        self._attempts: dict[MxUserId, _Attempt] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def recover(self) -> None:
        """Take away the codes that an earlier run of the bridge left on show, and say why."""
        for code in await self._deps.showcase.clear_leftovers():
            await self._say(code.room_id, texts.INTERRUPTED, MxTxnId(f"interrupted-{code.event_id}"))
            log.info("the linking of %s was interrupted by a restart", code.user)

    async def start(self, request: LinkRequest) -> None:
        """Begin; CommandError when that cannot be. What follows is said in the room."""
        if request.user in self._attempts:
            raise CommandError(texts.ALREADY_RUNNING)
        limit = self._deps.max_logins(request.user)
        has_room = limit is None or len(self._deps.logins.of_user(request.user)) < limit
        if limit is not None and not has_room and not request.is_again:
            count = "one account" if limit == 1 else f"{limit} accounts"
            raise CommandError(texts.TOO_MANY.format(count=count))
        attempt = _Attempt(request=request)
        self._attempts[request.user] = attempt
        try:
            if await self._deps.matrix.fetch_is_encrypted(request.room_id):
                raise CommandError(texts.ENCRYPTED_ROOM)
            attempt.pairing = await self._begin(request)
        except BaseException:
            del self._attempts[request.user]
            raise
        attempt.task = spawn(self._run(attempt), name=f"linking:{request.user}", tasks=self._tasks)

    async def cancel(self, user: MxUserId) -> bool:
        """Stop a user's attempt; whether there was one. The attempt itself says that it ended."""
        attempt = self._attempts.get(user)
        if attempt is None or attempt.pairing is None:
            return False
        attempt.is_cancelled = True
        await attempt.pairing.cancel()
        return True

    async def stop(self) -> None:
        """End every attempt and take its code away."""
        for user in list(self._attempts):
            await self.cancel(user)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin(self, request: LinkRequest) -> WaPairing:
        try:
            return await self._deps.network.start_pairing(request.phone)
        except WhatsAppError as error:
            reason = WaPairingFailure.BUSY if error.code == "busy" else WaPairingFailure.HOST
            raise CommandError(texts.FAILURES[reason]) from error

    async def _run(self, attempt: _Attempt) -> None:
        assert attempt.pairing is not None
        request, is_over = attempt.request, False
        try:
            async for step in attempt.pairing.steps():
                await self._show(request, step)
                is_over = isinstance(step, WaPaired | WaPairingFailed)
        except (MatrixError, StoreUnavailable) as error:
            log.warning("linking for %s ended because of %s", request.user, type(error).__name__)
            if not is_over:
                await self._say(request.room_id, texts.HOMESERVER_FAULT, self._txn(request, "fault"))
        finally:
            if not is_over:
                await attempt.pairing.cancel()
            await self._deps.showcase.take_away(request.event_id)
            self._attempts.pop(request.user, None)

    async def _show(self, request: LinkRequest, step: WaPairingStep) -> None:
        match step:
            case WaQrCode():
                is_first = not self._deps.showcase.is_open(request.event_id)
                if is_first:
                    await self._say(request.room_id, texts.QR_STEPS, self._txn(request, "steps"))
                await self._deps.showcase.show(request.event_id, request.user, request.room_id, step.data)
            case WaPhoneCode():
                said = texts.CODE_STEPS.format(code=step.code)
                await self._say(request.room_id, said, self._txn(request, "code"))
            case WaPaired():
                await self._deps.showcase.take_away(request.event_id)
                await self._welcome(request, step.device)
            case WaPairingFailed():
                await self._deps.showcase.take_away(request.event_id)
                said = texts.FAILURES[step.reason]
                await self._say(request.room_id, said, self._txn(request, "failed"))
            case _:
                assert_never(step)

    async def _welcome(self, request: LinkRequest, device: WaDevice) -> None:
        before = await self._deps.logins.add(request.user, device)
        number = f"+{device.login}"
        await self._say(request.room_id, texts.SUCCESS.format(number=number), self._txn(request, "success"))
        if before is None:
            return
        await self._say(request.room_id, texts.TAKEN_OVER, self._txn(request, "taken-over"))
        room_id = await self._deps.users.get_management_room(before.user)
        if room_id is not None:
            said = texts.LOST_TO_OTHER.format(number=number)
            await self._say(room_id, said, self._txn(request, "lost"))

    async def _say(self, room_id: MxRoomId, text: str, txn_id: MxTxnId) -> None:
        matrix = self._deps.matrix
        try:
            await matrix.send_notice(room_id, to_notice(text), sender=matrix.bot, txn_id=txn_id)
        except MatrixError as error:
            log.warning("a step of linking could not be said: %s", error.errcode or type(error).__name__)

    def _txn(self, request: LinkRequest, step: str) -> MxTxnId:
        return MxTxnId(f"login-{request.event_id}-{step}")
