"""What looks for leaks finds them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.homeserver.leaks import find_leaks
from tests.homeserver.registration import Registration

REGISTRATION = Registration(url="http://127.0.0.1:1")


@pytest.fixture
def homeserver(tmp_path: Path) -> Path:
    """One that knows Ben, alice's token and what she wrote."""
    path = tmp_path / "homeserver.db"
    event = {"type": "m.room.message", "content": {"body": "meet me at (noon)\nor later"}}
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE access_tokens (token TEXT)")
        connection.execute("CREATE TABLE users (name TEXT)")
        connection.execute("CREATE TABLE event_json (json TEXT)")
        connection.execute("INSERT INTO access_tokens VALUES ('syt_alice')")
        connection.execute("INSERT INTO users VALUES ('@whatsapp_15550002222:localhost')")
        connection.execute("INSERT INTO event_json VALUES (?)", (json.dumps(event),))
    return path


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("login …2222 is CONNECTED", []),
        ("GET /?access_token=syt_alice", ["token"]),
        (f"Bearer {REGISTRATION.as_token}", ["token"]),
        ("@whatsapp_15550002222:localhost may not", ["number"]),
        ("sent 'meet me at (noon)'", ["text"]),
    ],
)
def test_lines(homeserver: Path, tmp_path: Path, line: str, kinds: list[str]) -> None:
    folder = tmp_path / "bridge"
    (folder / "sessions" / "hosts" / "1").mkdir(parents=True)
    (folder / "sessions" / "hosts" / "1" / "log").write_text(f"well\n{line}\n")
    assert [leak.kind for leak in find_leaks(folder, REGISTRATION, [homeserver])] == kinds
