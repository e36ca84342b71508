"""Requests to the homeserver: deadlines, retries, and our errors instead of the library's."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import urlencode

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout
from mautrix.api import HTTPAPI, Method, PathBuilder
from mautrix.errors import MatrixConnectionError, MatrixRequestError, make_request_error
from yarl import URL

from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.tasks import Backoff

log = logging.getLogger(__name__)

Json = dict[str, Any]
OnTry: TypeAlias = Callable[[str, str, float], None]
"""Told of each try: its method, what came of it, how many seconds it took."""
_IDENTIFIER = re.compile(r"%21|%23|%24|%40|[!#$@]")
_RETRIED_STATUS = frozenset({429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 530})


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long one call may take and how often it is tried."""

    retry_limit: int = 4
    attempt_seconds: float = 20.0
    total_seconds: float = 60.0
    first_delay_seconds: float = 0.5
    cap_delay_seconds: float = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    data: Any
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    response: ClientResponse

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def fields(self) -> Json:
        return self.data if isinstance(self.data, dict) else {}

    @property
    def blamed_status(self) -> int:
        """The status that says whose fault it is: whatever refused the homeserver's ping will do so again."""
        told = self.fields.get("status") if self.fields.get("errcode") == "M_BAD_STATUS" else None
        return told if isinstance(told, int) and 400 <= told < 500 else self.status

    @property
    def retry_after_seconds(self) -> float:
        """What the server asks us to wait; 0 when it does not say."""
        after = self.fields.get("retry_after_ms")
        if isinstance(after, int | float) and not isinstance(after, bool):
            return max(0.0, after / 1000)
        header = self.headers.get("Retry-After", "")
        return float(header) if header.isdigit() else 0.0


class RetryingHttp(HTTPAPI):
    """The library's request sender with retries beneath it, so that all built on it repeats the same request."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        session: ClientSession,
        clock: Clock,
        patience: Patience,
        on_try: OnTry | None = None,
    ) -> None:
        super().__init__(base_url, token, client_session=session, default_retry_count=0)
        self._root = f"{str(self.base_url).rstrip('/')}/"
        self._on_try = on_try
        self._clock = clock
        self._patience = patience

    def with_patience(self, patience: Patience) -> RetryingHttp:
        """The same connection with other deadlines."""
        return RetryingHttp(
            str(self.base_url),
            self.token,
            session=self.session,
            clock=self._clock,
            patience=patience,
            on_try=self._on_try,
        )

    def with_token(self, token: str, *, base_url: str) -> RetryingHttp:
        """The same manners towards this or another homeserver, for somebody else."""
        return RetryingHttp(base_url, token, session=self.session, clock=self._clock, patience=self._patience)

    async def call(
        self,
        method: Method,
        path: PathBuilder | str,
        content: Json | bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        mimetype: str | None = None,
    ) -> Json:
        """Make a request; a JSON object, MatrixUnreachable or MatrixRefused. `mimetype` is that of bytes."""
        try:
            if isinstance(content, bytes):
                answer = await self.request(
                    method,
                    path,
                    content,
                    headers={"Content-Type": mimetype} if mimetype else None,
                    query_params=dict(query or {}),
                    sensitive=True,
                    metrics_method=method.value,
                )
            else:
                answer, _ = await self._ask(method, path, content, query or {})
        except MatrixConnectionError as error:
            raise MatrixUnreachable from error
        except MatrixRequestError as error:
            raise _translate(error) from error
        if not isinstance(answer, dict):
            raise MatrixRefused("The homeserver's answer is not that of a Matrix homeserver.")
        return answer

    async def _ask(
        self, method: Method, path: PathBuilder | str, content: Json | None, query: Mapping[str, str]
    ) -> tuple[Any, ClientResponse]:
        """What the library's `request` does for JSON, without what it prepares for its log and counters."""
        question = f"?{urlencode(query)}" if query else ""
        url = URL(f"{self._root}{str(path).removeprefix('/')}{question}", encoded=True)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if method == Method.GET:
            return await self._send(method, url, None, {}, headers)
        headers["Content-Type"] = "application/json"
        return await self._send(method, url, json.dumps(content or {}), {}, headers)

    async def _send(
        self,
        method: Method,
        url: URL,
        content: Any,
        query_params: dict[str, str],
        headers: dict[str, str],
    ) -> tuple[Any, ClientResponse]:
        backoff = Backoff(
            first_seconds=self._patience.first_delay_seconds, cap_seconds=self._patience.cap_delay_seconds
        )
        deadline = self._clock.monotonic() + self._patience.total_seconds
        for attempt in range(self._patience.retry_limit + 1):
            answer = await self._attempt(method, url, content, query_params, headers, deadline)
            if answer is not None and answer.status not in _RETRIED_STATUS:
                break
            asked = answer.retry_after_seconds if answer is not None else 0.0
            delay = max(asked, backoff.next_seconds())
            if attempt == self._patience.retry_limit or self._clock.monotonic() + delay >= deadline:
                break
            log.info("%s %s will be tried again in %.1f s", method, _shape(url), delay)
            await self._clock.sleep(delay)
        return _unwrap(answer)

    async def _attempt(
        self,
        method: Method,
        url: URL,
        content: Any,
        query_params: dict[str, str],
        headers: dict[str, str],
        deadline: float,
    ) -> _Answer | None:
        """One try; None when the homeserver said nothing in time."""
        started = self._clock.monotonic()
        answer = await self._attempt_untimed(method, url, content, query_params, headers, deadline)
        if self._on_try is not None:
            outcome = "none" if answer is None else f"{answer.status // 100}xx"
            self._on_try(str(method), outcome, self._clock.monotonic() - started)
        return answer

    async def _attempt_untimed(
        self,
        method: Method,
        url: URL,
        content: Any,
        query_params: dict[str, str],
        headers: dict[str, str],
        deadline: float,
    ) -> _Answer | None:
        left = min(self._patience.attempt_seconds, max(0.1, deadline - self._clock.monotonic()))
        timeout = ClientTimeout(total=left)
        try:
            async with self.session.request(
                str(method), url, data=content, params=query_params, headers=headers, timeout=timeout
            ) as response:
                return await _read(response)
        except (ClientError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            log.debug("%s %s: %s", method, _shape(url), type(error).__name__)
            return None

    def _log_request(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing: the library would log what is said."""

    def _log_request_done(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing: the library would log in which room."""


async def _read(response: ClientResponse) -> _Answer:
    body = await response.read()
    try:
        data = json.loads(body) if body else None
    except ValueError:
        data = None
    return _Answer(
        status=response.status,
        data=data,
        text=body[:200].decode("utf-8", "replace"),
        headers=response.headers,
        response=response,
    )


def _unwrap(answer: _Answer | None) -> tuple[Any, ClientResponse]:
    if answer is None:
        raise MatrixConnectionError("no answer")
    if answer.is_ok and answer.data is not None:
        return answer.data, answer.response
    errcode, message = answer.fields.get("errcode"), answer.fields.get("error")
    raise make_request_error(
        http_status=answer.blamed_status,
        text=answer.text,
        errcode=errcode if isinstance(errcode, str) else None,
        message=message if isinstance(message, str) else "",
    )


def _translate(error: MatrixRequestError) -> MatrixUnreachable | MatrixRefused:
    status, errcode = error.http_status, error.errcode or ""
    # A token the homeserver does not know today is a matter for its administrator: what was asked is still wanted.
    if status in _RETRIED_STATUS or status >= 500 or status == 401:
        return MatrixUnreachable(errcode=errcode, status=status)
    return MatrixRefused(errcode=errcode, status=status)


def raise_passing(error: Exception) -> None:
    """Raise MatrixUnreachable for an error of the library that another try may not meet; others are let be."""
    if isinstance(error, MatrixConnectionError):
        raise MatrixUnreachable from error
    problem = _translate(error) if isinstance(error, MatrixRequestError) else None
    if isinstance(problem, MatrixUnreachable):
        raise problem from error


def _shape(url: URL) -> str:
    """A path without what identifies a room, a person or an event."""
    return "/".join("…" if _IDENTIFIER.match(part) else part for part in url.raw_path.split("/"))


def require_text(answer: Json, key: str) -> str:
    """A field that an answer must have."""
    value = answer.get(key)
    if not isinstance(value, str):
        raise MatrixRefused("The homeserver did as asked without telling what came of it.")
    return value
