"""Numbers, folders, environments, logs: the small rules."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa_link import WaHostStats, WaPairingFailure
from mautrix_whatsapp_py.whatsapp.folders import DataFolder, FolderBusy, lock_file, socket_address
from mautrix_whatsapp_py.whatsapp.host.calls import classify, needed_exports
from mautrix_whatsapp_py.whatsapp.host.library import import_binding, missing_exports
from mautrix_whatsapp_py.whatsapp.host.library_log import scrub
from mautrix_whatsapp_py.whatsapp.host.pairing import phone_code_problem
from mautrix_whatsapp_py.whatsapp.host.protobuf import strip_wrapper
from mautrix_whatsapp_py.whatsapp.keeping import SCHEMA, Keeping, library_dsn
from mautrix_whatsapp_py.whatsapp.options import HostLimits
from mautrix_whatsapp_py.whatsapp.pairing import normalise_phone
from mautrix_whatsapp_py.whatsapp.process import host_environment, last_words, trim_log
from mautrix_whatsapp_py.whatsapp.slot import is_worn


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("+1 (415) 555-0001", "14155550001"),
        ("0049 170 1234567", "491701234567"),
        (" 14155550001 ", "14155550001"),
        ("49.170/1234567", "491701234567"),
        ("0170 1234567", WaPairingFailure.NUMBER_NOT_INTERNATIONAL),
        ("+12", WaPairingFailure.NUMBER_TOO_SHORT),
        ("1-800-FLOWERS", WaPairingFailure.NUMBER_INVALID),
        ("", WaPairingFailure.NUMBER_INVALID),
        ("++491701234567", WaPairingFailure.NUMBER_INVALID),
        ("٤٩١٧٠١٢٣٤٥٦٧", WaPairingFailure.NUMBER_INVALID),
        ("1" * 16, WaPairingFailure.NUMBER_INVALID),
    ],
)
def test_phone_numbers(text: str, result: str | WaPairingFailure) -> None:
    assert normalise_phone(text) == result


@pytest.mark.parametrize(
    ("error", "certain", "final", "code"),
    [
        ("websocket not connected", True, False, "not-connected"),
        (
            "failed to get device list: failed to send usync query: websocket disconnected",
            True,
            False,
            "not-connected",
        ),
        ("failed to get group members: driver: bad connection", True, False, "not-connected"),
        ("failed to get group members: sql: database is closed", True, False, "not-connected"),
        ("failed to encrypt: pq: the database system is shutting down", True, False, "not-connected"),
        ("failed to get device list: context canceled", True, False, "not-connected"),
        ("failed to store keys: unexpected EOF", False, False, "not-connected"),
        ("failed to get group members: you're not participating in that group", True, True, "not-a-member"),
        ("server returned error 479", True, True, "refused"),
        ("no LID found for 1 from server", True, True, "failed"),
        ("timed out waiting for message send response", False, False, "not-connected"),
        ("something new", False, False, "failed"),
    ],
)
def test_errors_of_a_send(error: str, certain: bool, final: bool, code: str) -> None:
    failure = classify(error)
    assert (failure.is_certain, failure.is_final, failure.code) == (certain, final, code)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ("phone number too short", "number-too-short"),
        ("international phone number required", "number-not-international"),
        ("info query returned status 429: rate-overlimit", "rate-limited"),
        ("info query returned status 400: bad-request", "number-invalid"),
        ("websocket not connected", "network"),
        ("something new", "refused"),
    ],
)
def test_errors_of_a_phone_code(error: str, word: str) -> None:
    assert phone_code_problem(error) == word


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Failed to handle 15550001111@s.whatsapp.net", "Failed to handle …@s.whatsapp.net"),
        ('Got "a secret" here', "Got … here"),
        ("Unexpected node <message from='1'>text</message>", "Unexpected node "),
        ("Message 3EB0A1B2C3D4E5F6 was not found", "Message … was not found"),
        ("x" * 23, "x" * 23),
    ],
)
def test_library_lines_lose_what_is_private(text: str, clean: str) -> None:
    assert scrub(text) == clean


@pytest.mark.parametrize(
    ("body", "result"),
    [
        (b"\x0a\x03abc", b"abc"),
        (b"\x0a\x00", b""),
        (b"\x0a\x80\x01" + b"x" * 128, b"x" * 128),
        (b"\x0a\x05abc", b"\x0a\x05abc"),
        (b"\x12\x03abc", b"\x12\x03abc"),
        (b"", b""),
        (b"\x0a\xff", b"\x0a\xff"),
    ],
)
def test_wrappers_are_taken_off_whole_or_not_at_all(body: bytes, result: bytes) -> None:
    assert strip_wrapper(body) == result


def test_the_library_has_every_export_we_call() -> None:
    assert (
        missing_exports(import_binding(), (*needed_exports(), "Neonize", "Disconnect", "Stop", "PairPhone")) == []
    )


def test_host_environment_is_ours_and_what_the_library_needs() -> None:
    environment = host_environment({"A": "b", "SSL_CERT_FILE": "/x"})
    assert environment["A"] == "b"
    assert environment["SSL_CERT_FILE"] == "/x"
    assert environment["NEONIZE_BOT_TAG"] == "off"


def test_the_library_gets_the_memory_its_sessions_need_and_what_the_operator_says() -> None:
    assert host_environment({}, sessions=20)["GOMEMLIMIT"] == "48MiB"
    assert host_environment({"GOMEMLIMIT": "1GiB"}, sessions=20)["GOMEMLIMIT"] == "1GiB"


def test_certificates_of_our_own_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mautrix_whatsapp_py.whatsapp.process._SYSTEM_ROOTS", ())
    monkeypatch.setattr(
        "mautrix_whatsapp_py.whatsapp.process.ssl.get_default_verify_paths",
        lambda: type("Paths", (), {"openssl_cafile": "/nowhere"})(),
    )
    assert Path(host_environment({})["SSL_CERT_FILE"]).exists()


def test_last_words(tmp_path: Path) -> None:
    assert last_words(tmp_path) == ""
    (tmp_path / "log").write_text("Press Ctrl+C\nfatal error: concurrent map writes\n\ngoroutine 1:\n")
    assert last_words(tmp_path) == "fatal error: concurrent map writes"
    trim_log(tmp_path)
    assert (tmp_path / "log").stat().st_size > 0
    (tmp_path / "log").write_bytes(b"x" * (1 << 21))
    trim_log(tmp_path)
    assert (tmp_path / "log").stat().st_size == 0


@pytest.mark.parametrize(
    ("field", "worn"),
    [
        ("", False),
        ("threads", True),
        ("descriptors", True),
        ("resident_bytes", True),
        ("leaked_threads", True),
    ],
)
def test_worn_hosts(field: str, worn: bool) -> None:
    limits = HostLimits(resident_bytes=10, threads=10, descriptors=10, leaked_threads=10)
    stats = WaHostStats(host="a", pid=1)
    assert is_worn(msgspec.structs.replace(stats, **({field: 11} if field else {})), limits) is worn


def test_a_lock_is_held_until_its_descriptor_closes(tmp_path: Path) -> None:
    import os

    descriptor = lock_file(tmp_path / "lock")
    with pytest.raises(FolderBusy):
        lock_file(tmp_path / "lock")
    os.close(descriptor)
    os.close(lock_file(tmp_path / "lock"))


def test_sockets_in_deep_folders(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        with socket_address(folder / "sock") as address:
            server.bind(address)
        server.listen()
        with socket_address(folder / "sock") as address:
            client.connect(address)
    assert (folder / "sock").exists()


@pytest.mark.parametrize("login", ["", "..", "1/2", "abc"])
def test_login_folders_are_digits(tmp_path: Path, login: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        DataFolder(path=tmp_path).get_session(LoginId(login))


def test_the_library_leaves_no_connections_behind_and_everything_else_is_as_the_address_says() -> None:
    keeping = Keeping(dsn="postgresql://u:p@h/d?sslmode=disable", holder="a b", lease="bridge", epoch=1)
    parts = urlsplit(library_dsn(keeping))
    assert (parts.scheme, parts.netloc, parts.path) == ("postgresql", "u:p@h", "/d")
    assert dict(parse_qsl(parts.query)) == {
        "sslmode": "disable",
        "search_path": SCHEMA,
        "application_name": "a b",
        "idle_session_timeout": "30000",
    }
