"""Makes a new session: QR codes, or a code for the phone's owner to type."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa_link import WaDevice, WaPhoneCode, WaQrCode
from mautrix_whatsapp_py.whatsapp.folders import SessionFileError, SessionFolder, lock_file, require_session_jid
from mautrix_whatsapp_py.whatsapp.host.encode import encode_device_props
from mautrix_whatsapp_py.whatsapp.host.facts import LINK_CODES, decode_fact
from mautrix_whatsapp_py.whatsapp.host.failures import CallFailed
from mautrix_whatsapp_py.whatsapp.host.gate import Gate, SessionNotLive
from mautrix_whatsapp_py.whatsapp.host.incarnation import Hooks, Incarnation, wait_for
from mautrix_whatsapp_py.whatsapp.host.intake import Intake
from mautrix_whatsapp_py.whatsapp.host.library import ConnectSpec
from mautrix_whatsapp_py.whatsapp.host.library_log import log_library_line
from mautrix_whatsapp_py.whatsapp.host.protobuf import DEVICE_CODE, PAIR_CODE, get_jid
from mautrix_whatsapp_py.whatsapp.host.session import Surroundings
from mautrix_whatsapp_py.whatsapp.tables import Database, read_apart
from mautrix_whatsapp_py.whatsapp.wire import LinkOptions, PairingDone, PairingEnded, PairingStep

log = logging.getLogger(__name__)

_FIRST_CODE_SECONDS = 60.0
_NEXT_CODE_SECONDS = 20.0
_CONNECTED_SECONDS = 15.0
"""The library may miss its own reconnect; the session that is started next connects in any case."""
_PHONE_CODE_SECONDS = 30.0
_CHROME = 1
_DISPLAY_NAME = "Chrome (Linux)"
_SUCCESS = "success"


class Pairing:
    """One attempt. Its host ends afterwards, because an attempt that is given up leaves a thread behind."""

    def __init__(self, folder: SessionFolder, options: LinkOptions, phone: str, around: Surroundings) -> None:
        self._folder = folder.ensure()
        self._lock = lock_file(folder.lock)
        self._options = options
        self._phone = phone
        self._around = around
        self._journal = around.keep.open_journal(folder, None)
        self._intake = Intake(self._journal, on_stored=lambda: None, on_disk=lambda _: None)
        self._gate = Gate("pairing", around.turnstile)
        self._codes_shown = 0
        self._words: asyncio.Queue[str] = asyncio.Queue()
        self._connected = asyncio.Event()
        self._device: Any = None
        self._paired: Any = None
        self._code_task: asyncio.Task[None] | None = None
        self._incarnation: Incarnation | None = None

    async def run(self) -> None:
        """Work until paired or not, and tell the bridge."""
        spec = ConnectSpec(
            uuid="pairing",
            slot="pairing",
            database=self._around.keep.get_database(self._folder, None),
            device_props=encode_device_props(self._options, self._around.protobuf),
            proxy=self._options.proxy,
        )
        incarnation = self._incarnation = Incarnation(
            spec, self._hooks(), self._around.library, self._around.turnstile, self._gate
        )
        await incarnation.start()
        word = await self._outcome(incarnation)
        if word == _SUCCESS:
            await self._finish(incarnation)
        else:
            await incarnation.abandon()
            await self._tell(PairingEnded(word=word))

    async def _outcome(self, incarnation: Incarnation) -> str:
        """The library's word, or ours when it ended without one."""
        said = asyncio.create_task(self._words.get())
        ended = asyncio.create_task(incarnation.ended.wait())
        try:
            await asyncio.wait({said, ended}, return_when=asyncio.FIRST_COMPLETED)
            return said.result() if said.done() else "network"
        finally:
            said.cancel()
            ended.cancel()

    async def _finish(self, incarnation: Incarnation) -> None:
        """Let the first connection settle, then let go of the session file."""
        await wait_for(self._connected, _CONNECTED_SECONDS)
        timings = self._around.timings
        await incarnation.take_down(quiet_seconds=timings.quiet_seconds, drain_seconds=timings.drain_seconds)
        try:
            jid = await asyncio.to_thread(require_session_jid, self._database(), None, read_apart)
        except SessionFileError:
            await self._tell(PairingEnded(word="error"))
            return
        self._journal.close()
        device, paired = self._device, self._paired
        await self._tell(
            PairingDone(
                device=WaDevice(
                    login=LoginId(jid.user),
                    jid=jid,
                    lid=get_jid(device.LID) if device is not None and device.HasField("LID") else None,
                    push_name=device.PushName if device is not None else "",
                    business_name=paired.BusinessName if paired is not None else "",
                    platform=paired.Platform if paired is not None else "",
                )
            )
        )

    def _database(self) -> Database:
        jid = get_jid(self._paired.ID) if self._paired is not None else None
        return self._around.keep.get_database(self._folder, None, "" if jid is None else str(jid))

    async def _tell(self, frame: PairingDone | PairingEnded) -> None:
        self._around.outlet.put(frame)
        await self._around.outlet.drain()

    async def request_phone_code(self, phone: str) -> WaPhoneCode:
        """A code for this number; CallFailed with the reason when the library or the server refuses."""
        params = self._around.protobuf.messages.PairPhoneParams(
            phone=phone, showPushNotification=True, clientType=_CHROME, clientDisplayName=_DISPLAY_NAME
        ).SerializeToString()
        try:
            async with asyncio.timeout(_PHONE_CODE_SECONDS):
                body = await self._gate.call(
                    lambda: self._around.library.call("PairPhone", "pairing", params, len(params))
                )
        except SessionNotLive as error:
            raise CallFailed("not-connected") from error
        except TimeoutError as error:
            raise CallFailed("network") from error
        answer = self._around.protobuf.messages.PairPhoneReturnFunction.FromString(body)
        if answer.Error:
            raise CallFailed(phone_code_problem(answer.Error), is_final=True)
        return WaPhoneCode(code=answer.Code)

    def _hooks(self) -> Hooks:
        return Hooks(
            journal=self._intake.append,
            on_link=self._on_link,
            on_qr=self._on_qr,
            on_status=self._words.put_nowait,
            on_log=lambda line: _ignore(log_library_line(line, "pairing", self._around.protobuf)),
            link_codes=LINK_CODES,
        )

    def _on_qr(self, text: str) -> None:
        self._codes_shown += 1
        if not self._phone:
            seconds = _FIRST_CODE_SECONDS if self._codes_shown == 1 else _NEXT_CODE_SECONDS
            self._around.outlet.put(PairingStep(step=WaQrCode(data=text, expires_in_seconds=seconds)))
        elif self._code_task is None:
            self._code_task = asyncio.create_task(self._first_code(), name="pairing-code")

    async def _first_code(self) -> None:
        try:
            self._around.outlet.put(PairingStep(step=await self.request_phone_code(self._phone)))
        except CallFailed as error:
            self._words.put_nowait(error.code)

    def _on_link(self, code: int, body: bytes) -> None:
        protobuf = self._around.protobuf
        if code == DEVICE_CODE:
            self._device = protobuf.parse(code, body)
        elif code == PAIR_CODE:
            self._paired = protobuf.parse(code, body)
        else:
            fact = decode_fact(code, body, protobuf, datetime.now(UTC))
            if fact is not None and fact.kind == "connected":
                self._connected.set()


def phone_code_problem(error: str) -> str:
    """Our word for the library's complaint about a phone number."""
    text = error.lower()
    words: tuple[tuple[str, str], ...] = (
        ("too short", "number-too-short"),
        ("international", "number-not-international"),
        ("429", "rate-limited"),
        ("rate", "rate-limited"),
        ("400", "number-invalid"),
        ("bad-request", "number-invalid"),
        ("websocket", "network"),
        ("timed out", "network"),
    )
    return next((word for part, word in words if part in text), "refused")


def _ignore(_: bool) -> None:
    """A pairing has nothing to restart."""
