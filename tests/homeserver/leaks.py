"""Looks in what a bridge logged for what no log may hold: everything its homeserver and registration know."""

from __future__ import annotations

import base64
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
_MIN_KEY_LENGTH = 16
_QR_CODE = r"2@[A-Za-z0-9+/=]{20,}"
_CODE = re.compile(r"(?<=`)[A-Z0-9]{4}-[A-Z0-9]{4}(?=`)")
_SECRET_KEY = re.compile(r"\b(?:shared_secret|pickle_key)\W+([\w.+/=-]{8,})")
_KEYS = {
    "crypto.db": (
        "SELECT account FROM crypto_account",
        "SELECT session FROM crypto_olm_session",
        "SELECT session FROM crypto_megolm_inbound_session",
    ),
    "session.db": ("SELECT noise_key, identity_key, adv_key FROM whatsmeow_device",),
}
_TALKATIVE = re.compile(r"\bmin_level\W+debug\b")
_STARTED = "starting mautrix-whatsapp-py "
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
    secret.update(_read_keys(folder))
    pattern = re.compile("|".join([_QR_CODE, *(re.escape(one) for one in sorted(secret, key=len, reverse=True))]))
    return [
        Leak(kind=secret.get(found[0], "QR code"), line=line)
        for line in _lines(folder)
        if (found := pattern.search(line)) is not None
    ]


def tells_all(folder: Path) -> bool:
    """Whether there is a log in which a leak would be found: of a whole start, of the most talkative level."""
    is_talkative = _TALKATIVE.search((folder / "config.yaml").read_text()) is not None
    return is_talkative and any(_STARTED in line for line in _lines(folder))


def _lines(folder: Path) -> Iterator[str]:
    for pattern in _LOG_NAMES:
        for path in folder.rglob(pattern):
            yield from path.read_text(errors="replace").splitlines()


def _read_keys(folder: Path) -> dict[str, str]:
    """What lies in the files of a bridge: pickled keys and what opens them, keys of links, tokens, own numbers."""
    found = {path.read_text().strip(): "token" for path in folder.rglob("channel-token")}
    found.update((path.read_text().strip(), "key") for path in folder.rglob("crypto.key"))
    for name, queries in _KEYS.items():
        for path in folder.rglob(name):
            found.update((form, "key") for value in _values(path, queries) for form in _forms(value))
    numbers = (path.name for path in folder.glob("sessions/sessions/*") if path.name.isdigit())
    found.update((number, "number") for number in numbers)
    for path in folder.rglob("config.yaml"):
        said = path.read_text()
        found.update((word, "token") for word in _SECRET_KEY.findall(said) if word not in ("generate", "disable"))
    return found


def _values(path: Path, queries: tuple[str, ...]) -> Iterator[bytes]:
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
        for query in queries:
            try:
                rows = connection.execute(query).fetchall()
            except sqlite3.OperationalError:
                # A file whose tables were not made yet.
                continue
            yield from (
                value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row
            )


def _forms(value: bytes) -> tuple[str, ...]:
    """As it may be written."""
    if len(value) < _MIN_KEY_LENGTH:
        return ()
    written = value.decode() if value.isascii() else value.hex()
    return written, base64.b64encode(value).decode().rstrip("=")


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
            if isinstance(body, str):
                found.update((code, "code") for code in _CODE.findall(body))
            if isinstance(body, str) and len(body) >= _MIN_TEXT_LENGTH and " " in body:
                found[body.splitlines()[0]] = "text"
    return {secret: kind for secret, kind in found.items() if kind != "text" or len(secret) >= _MIN_TEXT_LENGTH}
