"""Logins of programs: each a process of steps, of which one is due."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from mautrix_whatsapp_py.bridge.attempts import LIFE_SECONDS, Attempt, Attempts, Linked, NotLinked
from mautrix_whatsapp_py.convert.phone import to_international
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import LoginId, MxUserId
from mautrix_whatsapp_py.model.wa_link import WaPairingFailure
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.provisioning.answers import ApiError, Json, bad_state, get_text, not_found
from mautrix_whatsapp_py.provisioning.failures import of_attempt
from mautrix_whatsapp_py.provisioning.steps import (
    DISPLAY,
    NUMBER_FIELD,
    NUMBER_STEP,
    PHONE_FLOW,
    QR_FLOW,
    USER_INPUT,
    complete_step,
    number_step,
    shown_step,
)

MAX_PROCESSES = 1000
_FINISHED = ApiError(410, "FI.MAU.BRIDGE.LOGIN_ALREADY_FINISHED", "Login process was already finished")


@dataclass(slots=True, kw_only=True)
class _Process:
    id: str
    user: MxUserId
    began_at: float
    replaces: LoginId | None
    step: Json
    count: int = 0
    attempt: Attempt | None = None
    is_complete: bool = False

    def due(self) -> Json:
        """The step that is due, with what names it."""
        return {"login_id": self.id, "txn_id": f"{self.id}.{self.count}", **self.step}

    def count_of(self, txn_id: str | None) -> int:
        """Behind which step somebody waits; one that was answered into the void is asked for again."""
        if txn_id is None:
            return self.count
        prefix, _, count = txn_id.rpartition(".")
        if prefix != self.id or not count.isascii() or not count.isdigit() or int(count) > self.count:
            raise bad_state("Transaction ID does not match")
        return int(count)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepName:
    """Which step a program says it has carried out."""

    process_id: str
    step_id: str
    type: str
    txn_id: str | None = None


class Processes:
    """All of them."""

    def __init__(self, attempts: Attempts, clock: Clock) -> None:
        self._attempts = attempts
        self._clock = clock
        self._processes: dict[str, _Process] = {}

    async def start(self, user: MxUserId, flow: str, *, replaces: LoginId | None = None) -> Json:
        """Begin; the first step."""
        if flow not in (QR_FLOW, PHONE_FLOW):
            raise not_found("Invalid login flow ID")
        self._forget_old()
        process = _Process(
            id=secrets.token_urlsafe(15),
            user=user,
            began_at=self._clock.monotonic(),
            replaces=replaces,
            step=number_step(),
        )
        if flow == QR_FLOW:
            await self._begin(process, phone="")
        elif replaces is not None:
            await self._begin(process, phone=replaces)
        self._processes[process.id] = process
        return process.due()

    async def submit(self, user: MxUserId, name: StepName, body: Json) -> Json:
        """A step is carried out; the next one."""
        process = self._require(user, name.process_id)
        if process.is_complete:
            raise _FINISHED
        if name.step_id != process.step["step_id"]:
            raise bad_state("Step ID does not match")
        if name.type != process.step["type"]:
            raise bad_state("Step type does not match")
        count = process.count_of(name.txn_id)
        try:
            if name.step_id == NUMBER_STEP and name.type == USER_INPUT:
                await self._begin(process, phone=_decode_number(body))
            else:
                assert name.type == DISPLAY
                await self._await_step(process, count)
        except Exception:
            # What was refused cannot be tried again: a new login begins with the first step.
            self._processes.pop(process.id, None)
            raise
        return process.due()

    async def cancel(self, user: MxUserId, process_id: str) -> None:
        """Give up."""
        process = self._require(user, process_id)
        del self._processes[process.id]
        if process.attempt is not None:
            await process.attempt.pairing.cancel()

    async def _begin(self, process: _Process, *, phone: str) -> None:
        process.attempt = await self._attempts.start(process.user, phone=phone, replaces=process.replaces)
        await self._await_step(process, 0)

    async def _await_step(self, process: _Process, after: int) -> None:
        assert process.attempt is not None
        count, step = await process.attempt.next_step(after)
        if isinstance(step, NotLinked):
            raise of_attempt(step)
        process.count = max(process.count, count)
        if isinstance(step, Linked):
            process.step, process.is_complete = complete_step(step.login), True
        else:
            process.step = shown_step(step)

    def _require(self, user: MxUserId, process_id: str) -> _Process:
        self._forget_old()
        process = self._processes.get(process_id)
        if process is None or process.user != user:
            raise not_found("Login not found")
        return process

    def _forget_old(self) -> None:
        horizon = self._clock.monotonic() - LIFE_SECONDS
        surplus = max(0, len(self._processes) - MAX_PROCESSES)
        old = [process.id for process in self._processes.values() if process.began_at < horizon]
        for process_id in {*old, *list(self._processes)[:surplus]}:
            del self._processes[process_id]


def _decode_number(body: Json) -> str:
    text = get_text(body, NUMBER_FIELD, is_required=True)
    try:
        return to_international(text)
    except CommandError as error:
        digits = sum(character.isdigit() for character in text)
        is_short = digits < 7 and not text.strip().startswith("0")
        reason = WaPairingFailure.NUMBER_TOO_SHORT if is_short else WaPairingFailure.NUMBER_NOT_INTERNATIONAL
        raise of_attempt(NotLinked(reason=reason)) from error
