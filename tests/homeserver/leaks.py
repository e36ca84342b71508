"""Looks in what a bridge logged for what no log may hold: everything its homeserver and registration know."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.homeserver.registration import Registration

_GHOST = re.compile(r"@whatsapp_(?:lid-)?(?P<number>\d{7,}):")
_MIN_TEXT_LENGTH = 10
"""Shorter texts, and those of one word, may stand in a log for other reasons."""
_LOG_NAMES = ("*.out", "*.log", "log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Something secret and the line of a log that holds it."""

    kind: str
    line: str


def find_leaks(folder: Path, registration: Registration, homeservers: list[Path]) -> list[Leak]:
    """What the logs below a bridge's folder give away; the databases of its homeservers say what to look for."""
    secret = {registration.as_token: "token", registration.hs_token: "token"}
    for database in homeservers:
        secret.update(_read_secrets(database))
    pattern = re.compile("|".join(re.escape(one) for one in sorted(secret, key=len, reverse=True)))
    return [
        Leak(kind=secret[found[0]], line=line)
        for line in _lines(folder)
        if (found := pattern.search(line)) is not None
    ]


def _lines(folder: Path) -> Iterator[str]:
    for pattern in _LOG_NAMES:
        for path in folder.rglob(pattern):
            yield from path.read_text(errors="replace").splitlines()


def _read_secrets(database: Path) -> dict[str, str]:
    """Tokens, numbers of people and what they said."""
    found: dict[str, str] = {}
    with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)) as connection:
        found.update((str(token), "token") for (token,) in connection.execute("SELECT token FROM access_tokens"))
        for (name,) in connection.execute("SELECT name FROM users"):
            ghost = _GHOST.search(str(name))
            if ghost is not None:
                found[ghost["number"]] = "number"
        for (text,) in connection.execute("SELECT json FROM event_json"):
            event = json.loads(text)
            body = event.get("content", {}).get("body") if event.get("type") == "m.room.message" else None
            if isinstance(body, str) and len(body) >= _MIN_TEXT_LENGTH and " " in body:
                found[body.splitlines()[0]] = "text"
    return {secret: kind for secret, kind in found.items() if kind != "text" or len(secret) >= _MIN_TEXT_LENGTH}
