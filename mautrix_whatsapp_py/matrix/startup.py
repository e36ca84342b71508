"""Questions to the homeserver before the bridge starts.

A homeserver that is away, slow or behind a proxy that says so is waited for. A refusal ends the start with one
sentence and its mend.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from mautrix_whatsapp_py.errors import ExitCode, MatrixError, MatrixRefused, MatrixUnreachable, StartupError
from mautrix_whatsapp_py.matrix.api import HttpMatrixApi
from mautrix_whatsapp_py.model.mx import MxServerInfo
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.tasks import Backoff

log = logging.getLogger(__name__)

OLDEST_SUPPORTED = (1, 4)
QUIET_SECONDS = 0.7
"""Shorter waits are not told: homeservers keep connections, and each to a bridge that was killed costs a ping."""
Result = TypeVar("Result")
_VERSION = re.compile(r"^v(\d+)\.(\d+)")
_BAD_STATUS = "M_BAD_STATUS"
_CANNOT_REACH = frozenset({"M_CONNECTION_FAILED", "M_CONNECTION_TIMEOUT", _BAD_STATUS})
_MEND_ADDRESS = (
    "make appservice.address an address that the homeserver can open, write the same into the url of"
    " registration.yaml, and restart the homeserver"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartupQuestions:
    """What the checks need to know to name things in their sentences."""

    homeserver_address: str
    bridge_address: str
    ignores_unsupported_server: bool = False


async def _tell_nobody() -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """How a start waits for the homeserver, and who is told each time."""

    clock: Clock
    on_wait: Callable[[], Awaitable[None]] = _tell_nobody


async def wait_for(
    ask: Callable[[], Awaitable[Result]],
    questions: StartupQuestions,
    patient: Patient,
    *,
    first_seconds: float = 1.0,
) -> Result:
    """Ask until the homeserver answers, for ever; what it refuses is raised."""
    backoff = Backoff(first_seconds=first_seconds, cap_seconds=10.0)
    while True:
        try:
            return await ask()
        except MatrixUnreachable as error:
            if error.status == 401:
                raise _unauthorized(questions, error) from error
            delay_seconds = backoff.next_seconds()
            if delay_seconds >= QUIET_SECONDS:
                log.warning("%s; trying again in %.0f s. %s", *_explain(questions, error, delay_seconds))
        await patient.on_wait()
        await patient.clock.sleep(delay_seconds)


def _explain(questions: StartupQuestions, error: MatrixError, delay_seconds: float) -> tuple[str, float, str]:
    """What is waited for, for how long, and what to do when it does not come."""
    homeserver = f"the homeserver at {questions.homeserver_address}"
    if error.errcode in _CANNOT_REACH:
        said = f"{homeserver} cannot reach the bridge at {questions.bridge_address}{_detail(error)}"
        return said, delay_seconds, f"If this goes on, {_MEND_ADDRESS}"
    mend = "If it runs there and is well, correct homeserver.address" if not error.status else "See its log"
    return f"{homeserver} does not answer{_detail(error)}", delay_seconds, mend


async def require_homeserver(api: HttpMatrixApi, questions: StartupQuestions, patient: Patient) -> MxServerInfo:
    """A homeserver that answers, is one, is new enough, and takes our token for our bot; or StartupError."""
    info = await _require_versions(api, questions, patient)
    newest = max((_parse_version(version) for version in info.versions), default=(0, 0))
    if newest < OLDEST_SUPPORTED:
        _refuse_old_server(info, ignored=questions.ignores_unsupported_server)
    await _require_bot(api, questions, patient)
    return info


async def require_ping(
    api: HttpMatrixApi, questions: StartupQuestions, patient: Patient, *, is_reached: Callable[[], bool]
) -> None:
    """A homeserver that reaches the bridge; or StartupError. `is_reached` says whether anything came from it."""

    async def ask() -> float:
        try:
            return await api.send_ping()
        except MatrixUnreachable as error:
            # Synapse answers that its ping failed for as long as it makes up for what it could not send before.
            if error.errcode in _CANNOT_REACH and is_reached():
                return 0.0
            raise

    try:
        seconds = await wait_for(ask, questions, patient, first_seconds=0.1)
    except MatrixRefused as error:
        if error.errcode == _BAD_STATUS:
            raise _turned_away(questions, error) from error
        if error.status != 404:
            raise _unreached(questions, error) from error
        log.warning("the homeserver cannot test the connection to the bridge; going on without")
    else:
        log.info("the homeserver reached the bridge in %.0f ms", seconds * 1000)


async def tell_ping(
    api: HttpMatrixApi, questions: StartupQuestions, patient: Patient, *, is_reached: Callable[[], bool]
) -> None:
    """The same for a bridge that goes on with what another process did, whom the homeserver reached: a line."""
    try:
        await require_ping(api, questions, patient, is_reached=is_reached)
    except StartupError as error:
        log.error("%s", error)


def _unreached(questions: StartupQuestions, error: MatrixError) -> StartupError:
    return StartupError(
        f"The homeserver at {questions.homeserver_address} does not reach the bridge"
        f" at {questions.bridge_address}{_detail(error)}",
        mend=_MEND_ADDRESS,
        code=ExitCode.PING_FAILED,
    )


def _turned_away(questions: StartupQuestions, error: MatrixError) -> StartupError:
    return StartupError(
        f"What answers the homeserver at {questions.bridge_address} is not this bridge, or does not know its token"
        f" ({error.status})",
        mend="make hs_token in registration.yaml that of the bridge's configuration and its url"
        " appservice.address, and restart the homeserver",
        code=ExitCode.PING_FAILED,
    )


def _unauthorized(questions: StartupQuestions, error: MatrixError) -> StartupError:
    return _turned_away(questions, error) if error.errcode == _BAD_STATUS else _token_refused()


async def _require_versions(api: HttpMatrixApi, questions: StartupQuestions, patient: Patient) -> MxServerInfo:
    try:
        return await wait_for(api.fetch_server_info, questions, patient)
    except MatrixRefused as error:
        raise StartupError(
            f"What answers at {questions.homeserver_address} is not a Matrix homeserver{_detail(error)}",
            mend="correct homeserver.address",
            code=ExitCode.SERVER_UNSUPPORTED,
        ) from error


def _refuse_old_server(info: MxServerInfo, *, ignored: bool) -> None:
    offered = info.versions[-1] if info.versions else "nothing"
    if ignored:
        log.warning("the homeserver speaks at most Matrix %s; going on as asked", offered)
        return
    wanted = "v{}.{}".format(*OLDEST_SUPPORTED)
    raise StartupError(
        f"The homeserver speaks at most Matrix {offered}, the bridge needs {wanted}",
        mend="upgrade the homeserver, or try --ignore-unsupported-server",
        code=ExitCode.SERVER_UNSUPPORTED,
    )


async def _require_bot(api: HttpMatrixApi, questions: StartupQuestions, patient: Patient) -> None:
    try:
        await wait_for(api.ensure_bot, questions, patient)
        told = await wait_for(api.fetch_whoami, questions, patient)
    except MatrixRefused as error:
        raise _wrong_user(f"The homeserver does not let the bridge be {api.bot}{_detail(error)}") from error
    if told != api.bot:
        raise _wrong_user(f"The homeserver takes the bridge for {told}, not for {api.bot}")


def _token_refused() -> StartupError:
    return StartupError(
        "The homeserver does not know appservice.as_token",
        mend="add registration.yaml to the homeserver's configuration and restart it; if it is there, its as_token"
        " must be that of the bridge's configuration",
        code=ExitCode.TOKEN_REFUSED,
    )


def _wrong_user(text: str) -> StartupError:
    return StartupError(
        text,
        mend="check homeserver.domain and appservice.bot.username, generate registration.yaml anew with -g, and"
        " restart the homeserver",
        code=ExitCode.WRONG_USER,
    )


def _detail(error: MatrixError) -> str:
    said = " ".join(part for part in (str(error.status or ""), error.errcode) if part)
    return f" ({said})" if said else ""


def _parse_version(text: str) -> tuple[int, int]:
    match = _VERSION.match(text)
    return (int(match[1]), int(match[2])) if match else (0, 0)
