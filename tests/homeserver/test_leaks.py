"""What looks for leaks finds them."""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.homeserver.leaks import find_leaks, tells_all
from tests.homeserver.registration import Registration

REGISTRATION = Registration(url="http://127.0.0.1:1")
NOISE = bytes(range(200, 232))


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
        code = {"type": "m.room.message", "content": {"body": "Your code is `WXYZ-1234`."}}
        connection.execute("INSERT INTO event_json VALUES (?)", (json.dumps(code),))
    return path


def fill(folder: Path) -> None:
    """The files of a bridge with a link and encrypted rooms."""
    (folder / "crypto.key").write_text("0123456789abcdef0123\n")
    (folder / "channel-token").write_text("a-token-of-the-channel\n")
    (folder / "config.yaml").write_text('{"provisioning": {"shared_secret": "a-secret-of-operators"}}')
    session = folder / "sessions" / "sessions" / "15550001111"
    session.mkdir(parents=True)
    with closing(sqlite3.connect(session / "session.db")) as connection, connection:
        connection.execute("CREATE TABLE whatsmeow_device (noise_key BLOB, identity_key BLOB, adv_key BLOB)")
        connection.execute("INSERT INTO whatsmeow_device VALUES (?, ?, ?)", (NOISE, NOISE, NOISE))
    with closing(sqlite3.connect(folder / "crypto.db")) as connection, connection:
        connection.execute("CREATE TABLE crypto_account (account BLOB)")
        connection.execute("INSERT INTO crypto_account VALUES (?)", (b"PICKLEPICKLEPICKLEPICKLE",))


@pytest.mark.parametrize(
    ("level", "line", "tells"),
    [
        ("debug", "2026-11-21T08:00:00.000Z INFO    app.main: starting mautrix-whatsapp-py 0.1.0", True),
        ("debug", '{"level": "info", "message": "starting mautrix-whatsapp-py 0.1.0"}', True),
        ("info", "2026-11-21T08:00:00.000Z INFO    app.main: starting mautrix-whatsapp-py 0.1.0", False),
        ("debug", "", False),
    ],
)
def test_a_log_that_says_too_little_is_noticed(tmp_path: Path, level: str, line: str, tells: bool) -> None:
    (tmp_path / "config.yaml").write_text(json.dumps({"logging": {"min_level": level}}))
    (tmp_path / "bridge.out").write_text(f"{line}\n")
    assert tells_all(tmp_path) == tells


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("login …2222 is CONNECTED", []),
        ("GET /?access_token=syt_alice", ["token"]),
        (f"Bearer {REGISTRATION.as_token}", ["token"]),
        ("@whatsapp_15550002222:localhost may not", ["number"]),
        ("sent 'meet me at (noon)'", ["text"]),
        ("the code is WXYZ-1234", ["code"]),
        ("scan 2@AbCdEfGhIjKlMnOpQrStUvWx,next", ["QR code"]),
        ("login 15550001111 is up", ["number"]),
        ("opened with 0123456789abcdef0123", ["key"]),
        ("pickle PICKLEPICKLEPICKLEPICKLE", ["key"]),
        (f"noise {NOISE.hex()}", ["key"]),
        (f"noise {base64.b64encode(NOISE).decode()}", ["key"]),
        ("asked with a-secret-of-operators", ["token"]),
        ("asked with a-token-of-the-channel", ["token"]),
    ],
)
def test_lines(homeserver: Path, tmp_path: Path, line: str, kinds: list[str]) -> None:
    folder = tmp_path / "bridge"
    (folder / "sessions" / "hosts" / "1").mkdir(parents=True)
    (folder / "sessions" / "hosts" / "1" / "log").write_text(f"well\n{line}\n")
    fill(folder)
    assert [leak.kind for leak in find_leaks(folder, REGISTRATION, [homeserver])] == kinds
