"""Logging: lines of text or JSON, from which secrets are scrubbed before any handler writes them."""

from __future__ import annotations

import json
import logging
import logging.handlers
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

MAX_FILE_BYTES = 20 * 1024 * 1024
KEPT_FILES = 5
HIDDEN = "[hidden]"
_SECRETS = re.compile(
    r"(?P<before>(?:access_token|as_token|hs_token|token|password|secret)[\"']?\s*[=:]\s*[\"']?"
    r"|\bBearer\s+)"
    r"(?P<secret>[^\s\"'&,;@}]+)",
    re.IGNORECASE,
)
_URL_PASSWORDS = re.compile(r"(?P<before>://[^/\s:@]*:)[^/\s@]+(?=@)")
_NOISY = ("aiosqlite", "alembic", "asyncio", "mau", "sqlalchemy", "aiohttp.access")
_MIN_SECRET_LENGTH = 6


_EVENT: Final[ContextVar[str]] = ContextVar("event", default="")


@contextmanager
def about(event: str) -> Iterator[None]:
    """Let every line that is logged in this block, and by what it calls, name the event it is about."""
    token = _EVENT.set(event)
    try:
        yield
    finally:
        _EVENT.reset(token)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What is logged, how and where."""

    level: int = logging.INFO
    is_json: bool = False
    file: Path | None = None
    secrets: frozenset[str] = frozenset()
    """Values that no line may hold."""


def setup_logging(options: LogOptions) -> None:
    """Make the root logger write as asked; OSError when the file cannot be written."""
    handler = _make_handler(options.file)
    handler.setFormatter(ScrubbingFormatter(_make_formatter(is_json=options.is_json), options.secrets))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(options.level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, options.level))


class ScrubbingFormatter(logging.Formatter):
    """Formats like another formatter and hides secrets in all of it, traceback included."""

    def __init__(self, inner: logging.Formatter, secrets: Iterable[str]) -> None:
        super().__init__()
        self._inner = inner
        known = sorted((one for one in secrets if len(one) >= _MIN_SECRET_LENGTH), key=len, reverse=True)
        self._known = re.compile("|".join(re.escape(one) for one in known)) if known else None

    def format(self, record: logging.LogRecord) -> str:
        """The line, safe to keep."""
        line = self._inner.format(record)
        if self._known is not None:
            line = self._known.sub(HIDDEN, line)
        line = _URL_PASSWORDS.sub(rf"\g<before>{HIDDEN}", line)
        return _SECRETS.sub(rf"\g<before>{HIDDEN}", line)


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields: dict[str, object] = {
            "time": _moment(record).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if event := _EVENT.get():
            fields["event"] = event
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """Lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and a traceback below it."""
        moment = _moment(record).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        # A line break in a message must not look like another line of the log.
        message = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        line = f"{moment}Z {record.levelname:<7} {record.name.removeprefix('mautrix_whatsapp_py.')}: {message}"
        if event := _EVENT.get():
            line = f"{line} [{event}]"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _make_formatter(*, is_json: bool) -> logging.Formatter:
    return JsonFormatter() if is_json else TextFormatter()


def _make_handler(file: Path | None) -> logging.Handler:
    if file is None:
        return logging.StreamHandler(sys.stdout)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600, exist_ok=True)
    return logging.handlers.RotatingFileHandler(
        file, maxBytes=MAX_FILE_BYTES, backupCount=KEPT_FILES, encoding="utf-8"
    )
