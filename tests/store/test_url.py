"""Address forms of a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from mautrix_whatsapp_py.store.url import PostgresAddress, SqliteAddress, decode_database_url


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:///bridge.db", "bridge.db"),
        ("sqlite:///data/bridge.db", "data/bridge.db"),
        ("sqlite:////data/bridge.db", "/data/bridge.db"),
        ("SQLITE:////data/my%20bridge.db", "/data/my bridge.db"),
        ("sqlite:bridge.db", "bridge.db"),
        ("sqlite:/data/bridge.db", "/data/bridge.db"),
        ("file:bridge.db?_txlock=immediate", "bridge.db"),
        ("file:/data/bridge.db?_txlock=immediate", "/data/bridge.db"),
        ("file:///data/bridge.db", "/data/bridge.db"),
    ],
)
def test_a_file(text: str, path: str) -> None:
    assert decode_database_url(text) == SqliteAddress(path=Path(path))


@pytest.mark.parametrize(
    ("text", "dsn", "name"),
    [
        ("postgresql://u:p@host/db", "postgresql://u:p@host/db", "db on host"),
        ("postgres://u:p@host:5433/db", "postgresql://u:p@host:5433/db", "db on host:5433"),
        ("postgresql://u@/db?host=/run/pg", "postgresql://u@/db?host=/run/pg", "db on /run/pg"),
        ("postgresql://u@h/db?sslmode=require", "postgresql://u@h/db?sslmode=require", "db on h"),
        ("postgresql://u@h", "postgresql://u@h", "of its user on h"),
    ],
)
def test_a_server(text: str, dsn: str, name: str) -> None:
    address = decode_database_url(text)
    assert address == PostgresAddress(dsn=dsn, name=name)
    assert ":p@" not in repr(address) + str(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bridge.db",
        "mysql://host/db",
        "sqlite://host/path",
        "sqlite:",
        "sqlite:///",
        "sqlite:///:memory:",
        "postgresql:db",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"SQLite|sqlite:///"):
        decode_database_url(text)
