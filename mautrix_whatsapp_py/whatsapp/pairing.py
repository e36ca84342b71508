"""Linking an account: an attempt has a host and a folder of its own, and leaves nothing behind when it fails."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from mautrix_whatsapp_py.errors import WhatsAppError, WhatsAppUnavailable
from mautrix_whatsapp_py.model.wa_link import (
    WaDevice,
    WaPaired,
    WaPairingFailed,
    WaPairingFailure,
    WaPairingStep,
    WaPhoneCode,
)
from mautrix_whatsapp_py.tasks import spawn
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.connection import HostConnection
from mautrix_whatsapp_py.whatsapp.folders import DataFolder, SessionFolder, ensure_private_folder
from mautrix_whatsapp_py.whatsapp.options import NetworkOptions
from mautrix_whatsapp_py.whatsapp.process import HostProcess, last_words, spawn_host
from mautrix_whatsapp_py.whatsapp.slot import await_host, tell_lease

log = logging.getLogger(__name__)

_WORDS = {
    "timeout": WaPairingFailure.TIMEOUT,
    "error": WaPairingFailure.REFUSED,
    "refused": WaPairingFailure.REFUSED,
    "err-client-outdated": WaPairingFailure.OUTDATED,
    "err-scanned-without-multidevice": WaPairingFailure.NO_MULTIDEVICE,
    "err-unexpected-state": WaPairingFailure.UNEXPECTED_STATE,
    "passkey-request": WaPairingFailure.PASSKEY,
    "passkey-confirmation": WaPairingFailure.PASSKEY,
    "number-invalid": WaPairingFailure.NUMBER_INVALID,
    "number-too-short": WaPairingFailure.NUMBER_TOO_SHORT,
    "number-not-international": WaPairingFailure.NUMBER_NOT_INTERNATIONAL,
    "rate-limited": WaPairingFailure.RATE_LIMITED,
    "network": WaPairingFailure.NETWORK,
    "not-connected": WaPairingFailure.NETWORK,
}
_SEPARATORS = re.compile(r"[\s().\-/]+")
_MIN_DIGITS = 7
_MAX_DIGITS = 15
_CODE_SECONDS = 35.0
_END_SECONDS = 10.0

Adopt = Callable[[WaDevice, SessionFolder], Awaitable[bool]]
"""Makes a login of a finished session; whether it took another's place."""


def normalise_phone(text: str) -> str | WaPairingFailure:
    """The digits of an international phone number, or what is wrong with it."""
    compact = _SEPARATORS.sub("", text.strip())
    digits = compact.removeprefix("+")
    if digits.startswith("00"):
        digits = digits[2:]
    if not digits.isascii() or not digits.isdigit():
        return WaPairingFailure.NUMBER_INVALID
    if digits.startswith("0"):
        return WaPairingFailure.NUMBER_NOT_INTERNATIONAL
    if len(digits) < _MIN_DIGITS:
        return WaPairingFailure.NUMBER_TOO_SHORT
    return digits if len(digits) <= _MAX_DIGITS else WaPairingFailure.NUMBER_INVALID


class PairingAttempt:
    """Implements WaPairing."""

    def __init__(self, phone: str, data: DataFolder, options: NetworkOptions, adopt: Adopt) -> None:
        self._phone = phone
        self._options = options
        self._adopt = adopt
        self._name = uuid.uuid4().hex[:8]
        self._folder = data.pairings / self._name
        self._steps: asyncio.Queue[WaPairingStep] = asyncio.Queue()
        self._ending: asyncio.Queue[wire.PairingDone | WaPairingFailure] = asyncio.Queue()
        self._connection: HostConnection | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        return self._runner is not None and self._runner.done()

    def start(self) -> None:
        """Begin; the steps follow."""
        self._runner = spawn(self._run(), name="pairing", tasks=self._tasks)

    def hold(self, options: NetworkOptions) -> None:
        """Tell the host for how long sessions are ours."""
        self._options = options
        tell_lease(self._connection, options)

    async def steps(self) -> AsyncIterator[WaPairingStep]:
        """See WaPairing."""
        while True:
            step = await self._steps.get()
            yield step
            if isinstance(step, WaPaired | WaPairingFailed):
                return

    async def request_phone_code(self, phone: str) -> WaPhoneCode:
        """See WaPairing."""
        if self._connection is None:
            raise WhatsAppUnavailable(code="host-lost")
        digits = normalise_phone(phone)
        if isinstance(digits, WaPairingFailure):
            raise WhatsAppUnavailable(code=digits)
        result = await self._connection.request(
            wire.RequestPhoneCode(phone=digits), deadline_seconds=_CODE_SECONDS
        )
        assert isinstance(result, WaPhoneCode)
        return result

    async def cancel(self) -> None:
        """See WaPairing."""
        self._ending.put_nowait(WaPairingFailure.CANCELLED)
        if self._runner is not None:
            await asyncio.wait({self._runner})

    async def _run(self) -> None:
        try:
            step = await self._attempt()
        except OSError as error:
            log.error("pairing failed: %s", error.strerror)
            step = WaPairingFailed(reason=WaPairingFailure.HOST)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._steps.put_nowait(step)

    async def _attempt(self) -> WaPaired | WaPairingFailed:
        phone = ""
        if self._phone:
            digits = normalise_phone(self._phone)
            if isinstance(digits, WaPairingFailure):
                return WaPairingFailed(reason=digits)
            phone = digits
        ensure_private_folder(self._folder)
        process = await spawn_host(self._name, self._folder, self._options, is_pairing=True)
        session = SessionFolder(path=self._folder / "session").ensure()
        try:
            ending = await self._pair(process, session, phone)
        finally:
            await self._end_host(process)
        if isinstance(ending, WaPairingFailure):
            return WaPairingFailed(reason=ending)
        # Shielded: from here on the account is linked, and the login must come to be.
        has_replaced = await asyncio.shield(asyncio.ensure_future(self._adopt(ending.device, session)))
        return WaPaired(device=ending.device, has_replaced=has_replaced)

    async def _pair(
        self, process: HostProcess, session: SessionFolder, phone: str
    ) -> wire.PairingDone | WaPairingFailure:
        connection = await await_host(
            self._folder, process, self._on_frame, seconds=self._options.host_start_seconds
        )
        if connection is None:
            log.error("pairing host did not come up: %s", last_words(self._folder) or "no reason given")
            return WaPairingFailure.HOST
        self._connection = connection
        connection.start()
        tell_lease(connection, self._options)
        try:
            await connection.request(
                wire.StartPairing(folder=str(session.path), options=self._options.link, phone=phone),
                deadline_seconds=self._options.host_start_seconds,
            )
        except WhatsAppError as error:
            log.error("pairing did not start: %s", error.code)
            return WaPairingFailure.HOST
        return await self._await_end(connection)

    async def _await_end(self, connection: HostConnection) -> wire.PairingDone | WaPairingFailure:
        ending = asyncio.create_task(self._ending.get())
        lost = asyncio.create_task(connection.lost.wait())
        try:
            await asyncio.wait(
                {ending, lost},
                timeout=self._options.pairing_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if ending.done():
                return ending.result()
            return WaPairingFailure.HOST if lost.done() else WaPairingFailure.TIMEOUT
        finally:
            ending.cancel()
            lost.cancel()

    def _on_frame(self, frame: wire.FromHost) -> None:
        match frame:
            case wire.PairingStep():
                self._steps.put_nowait(frame.step)
            case wire.PairingDone():
                self._ending.put_nowait(frame)
            case wire.PairingEnded():
                self._ending.put_nowait(_WORDS.get(frame.word, WaPairingFailure.REFUSED))
            case _:
                return

    async def _end_host(self, process: HostProcess) -> None:
        if self._connection is not None:
            self._connection.put(wire.Shutdown())
            await self._connection.close()
            self._connection = None
        if not await process.ended(_END_SECONDS):
            process.signal(signal.SIGKILL)
            await process.ended(_END_SECONDS)


def clear_leftovers(pairings: Path) -> None:
    """Delete what attempts of an earlier bridge left; their hosts ended with it."""
    for entry in pairings.iterdir():
        shutil.rmtree(entry, ignore_errors=True)
