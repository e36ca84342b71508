"""Questions to the homeserver before the bridge starts; each failure is one sentence with its mend."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

from mautrix_whatsapp_py.errors import ExitCode, MatrixError, MatrixRefused, MatrixUnreachable, StartupError
from mautrix_whatsapp_py.matrix.api import HttpMatrixApi
from mautrix_whatsapp_py.model.mx import MxServerInfo
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.tasks import Backoff

log = logging.getLogger(__name__)

OLDEST_SUPPORTED = (1, 4)
PING_TRIES = 12
"""Homeservers keep connections: each to a bridge that was killed costs a try."""
_VERSION = re.compile(r"^v(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class StartupQuestions:
    """What the checks need to know to name things in their sentences."""

    homeserver_address: str
    bridge_address: str
    ignores_unsupported_server: bool = False
    tries: int = 10


async def require_homeserver(api: HttpMatrixApi, questions: StartupQuestions, clock: Clock) -> MxServerInfo:
    """A homeserver that answers, is one, is new enough, and takes our token for our bot; or StartupError."""
    info = await _require_versions(api, questions, clock)
    newest = max((_parse_version(version) for version in info.versions), default=(0, 0))
    if newest < OLDEST_SUPPORTED:
        _refuse_old_server(info, ignored=questions.ignores_unsupported_server)
    await _require_bot(api, questions)
    return info


async def require_ping(api: HttpMatrixApi, questions: StartupQuestions, clock: Clock) -> None:
    """A homeserver that reaches the bridge; or StartupError."""
    backoff = Backoff(first_seconds=0.1, cap_seconds=1.0)
    for attempt in range(1, PING_TRIES + 1):
        try:
            seconds = await api.send_ping()
        except MatrixUnreachable as error:
            if attempt == PING_TRIES:
                raise _unreached(questions, error) from error
            await clock.sleep(backoff.next_seconds())
        except MatrixRefused as error:
            if error.status != 404:
                raise _unreached(questions, error) from error
            log.warning("the homeserver cannot test the connection to the bridge; going on without")
            return
        else:
            log.info("the homeserver reached the bridge in %.0f ms", seconds * 1000)
            return


def _unreached(questions: StartupQuestions, error: MatrixError) -> StartupError:
    return StartupError(
        f"The homeserver at {questions.homeserver_address} cannot reach the bridge"
        f" at {questions.bridge_address}{_detail(error)}",
        mend="make appservice.address an address that the homeserver can open, write the same into the url of"
        " registration.yaml, and restart the homeserver",
        code=ExitCode.PING_FAILED,
    )


async def _require_versions(api: HttpMatrixApi, questions: StartupQuestions, clock: Clock) -> MxServerInfo:
    backoff = Backoff(first_seconds=1.0, cap_seconds=10.0)
    for attempt in range(1, questions.tries + 1):
        try:
            return await api.fetch_server_info()
        except MatrixUnreachable as error:
            if error.status == 401:
                raise _token_refused() from error
            log.warning(
                "the homeserver at %s does not answer (try %d of %d)",
                questions.homeserver_address, attempt, questions.tries,
            )  # fmt: skip
        except MatrixRefused as error:
            raise StartupError(
                f"What answers at {questions.homeserver_address} is not a Matrix homeserver{_detail(error)}",
                mend="correct homeserver.address",
                code=ExitCode.SERVER_UNSUPPORTED,
            ) from error
        if attempt < questions.tries:
            await clock.sleep(backoff.next_seconds())
    raise StartupError(
        f"The homeserver at {questions.homeserver_address} did not answer in {questions.tries} tries",
        mend="start it, or correct homeserver.address",
        code=ExitCode.HOMESERVER_UNREACHABLE,
    )


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


async def _require_bot(api: HttpMatrixApi, questions: StartupQuestions) -> None:
    try:
        await api.ensure_bot()
        told = await api.fetch_whoami()
    except MatrixUnreachable as error:
        if error.status == 401:
            raise _token_refused() from error
        raise StartupError(
            f"The homeserver at {questions.homeserver_address} stopped answering{_detail(error)}",
            mend="see its log, then start the bridge again",
            code=ExitCode.HOMESERVER_UNREACHABLE,
        ) from error
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
