"""Keys of encrypted rooms go from one kind of database to the other and open there what they opened."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from mautrix.crypto import InboundGroupSession, OlmAccount, OutboundGroupSession
from mautrix.types import CrossSigningUsage, DeviceIdentity, TrustState
from mautrix.util.async_db import Database

from mautrix_whatsapp_py.app.postgres_parts import KeysInTheWay, PostgresParts
from mautrix_whatsapp_py.matrix.crypto_store import KeyStore
from mautrix_whatsapp_py.matrix.key_tables import KEY_TABLES, ensure_facts
from mautrix_whatsapp_py.store.url import DatabaseAddress, SqliteAddress, decode_database_url
from tests.postgres import Postgres

ROOM, ALICE = "!room:x", "@alice:x"
PICKLE_KEY = "what opens them"


@pytest.fixture
def postgres_address(postgres: Postgres) -> Iterator[DatabaseAddress]:
    name = f"test_{uuid4().hex}"
    yield decode_database_url(postgres.create_database(name))
    postgres.drop_database(name)


@asynccontextmanager
async def opened(address: DatabaseAddress) -> AsyncIterator[KeyStore]:
    url = f"sqlite:///{address.path}" if isinstance(address, SqliteAddress) else address.dsn
    database = Database.create(url, upgrade_table=KeyStore.upgrade_table)
    await database.start()
    await ensure_facts(database)
    store = KeyStore("", PICKLE_KEY, database)
    store.on_key = lambda _session: None
    await store.open()
    yield store
    await database.stop()


async def fill(address: DatabaseAddress) -> str:
    """A store with something in every table; a ciphertext that only its keys open."""
    async with opened(address) as store:
        account: Any = OlmAccount()
        account.generate_one_time_keys(1)
        await store.put_account(account)
        await store.put_device_id("DEVICE")
        await store.put_next_batch("s1")
        other: Any = OlmAccount()
        (one_time_key,) = account.one_time_keys["curve25519"].values()
        session = other.new_outbound_session(account.identity_key, one_time_key)
        await store.add_session(account.identity_key, session)
        out: Any = OutboundGroupSession(ROOM)
        out.shared = True
        await store.add_outbound_group_session(out)
        key = InboundGroupSession(
            out.session_key,
            account.signing_key,
            account.identity_key,
            ROOM,
            received_at=datetime(2026, 11, 21, 13, 5, 1, 250000),  # noqa: DTZ001  as the library keeps it
            max_age=timedelta(days=7),
            max_messages=100,
        )
        await store.put_group_session(ROOM, account.identity_key, out.id, key)
        device = DeviceIdentity(
            user_id=ALICE,
            device_id="PHONE",
            identity_key=account.identity_key,
            signing_key=account.signing_key,
            trust=TrustState.VERIFIED,
            deleted=True,
            name="Alice's 📱 ",
        )
        await store.put_devices(ALICE, {"PHONE": device})
        await store.put_cross_signing_key(ALICE, CrossSigningUsage.MASTER, account.signing_key)
        await store.put_signature(
            _signer(ALICE, account.identity_key), _signer(ALICE, account.signing_key), "s" * 86
        )
        assert await store.note_index(key, "$event", 0, 1)
        await store.db.execute("INSERT INTO bridge_crypto (key, value) VALUES ('mark', 'm')")
        return str(out.encrypt("hello"))


def _signer(user: str, key: str) -> Any:
    from mautrix.types import CrossSigner

    return CrossSigner(user, key)


async def what_is_there(address: DatabaseAddress) -> dict[str, list[dict[str, Any]]]:
    async with opened(address) as store:
        found = {}
        for table in KEY_TABLES:
            rows = await store.db.fetch(f"SELECT * FROM {table}")
            found[table] = [{name: _plain(row[name]) for name in row.keys()} for row in rows]  # noqa: SIM118
        return found


def _plain(value: Any) -> Any:
    """SQLite knows no booleans; Postgres fills up with blanks, and writes JSON its own way."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.startswith("{"):
        return json.loads(value)
    return value.ljust(88) if isinstance(value, str) and set(value.strip()) == {"s"} else value


async def test_there_and_back(tmp_path: Path, postgres_address: DatabaseAddress) -> None:
    first, last = SqliteAddress(path=tmp_path / "first.db"), SqliteAddress(path=tmp_path / "last.db")
    sealed = await fill(first)
    parts = PostgresParts()
    before = await what_is_there(first)
    assert all(before[table] for table in KEY_TABLES if table != "crypto_tracked_user")
    count = await parts.copy_keys(first, postgres_address)
    assert count == sum(len(rows) for rows in before.values())
    assert await what_is_there(postgres_address) == before
    assert await parts.copy_keys(postgres_address, last) == count
    assert await what_is_there(last) == before
    for address in (postgres_address, last):
        async with opened(address) as store:
            account: Any = await store.get_account()
            assert not account.shared
            assert await store.get_device_id() == "DEVICE"
            (session_id,) = [row["session_id"] for row in before["crypto_megolm_inbound_session"]]
            key: Any = await store.get_group_session(ROOM, session_id)
            assert key.decrypt(sealed)[0] == "hello"
            assert key.max_age == timedelta(days=7)
            assert await store.has_session(account.identity_key)
            device: Any = await store.get_device(ALICE, "PHONE")
            assert (device.name, device.deleted) == ("Alice's 📱 ", True)
    for source, target in ((first, postgres_address), (postgres_address, last)):
        with pytest.raises(KeysInTheWay, match="already"):
            await parts.copy_keys(source, target)
    # The source stays what it was.
    assert await what_is_there(first) == before


async def test_where_nothing_is_encrypted_nothing_is_made(
    tmp_path: Path, postgres_address: DatabaseAddress
) -> None:
    target = SqliteAddress(path=tmp_path / "keys.db")
    assert await PostgresParts().copy_keys(postgres_address, target) == 0
    assert not target.path.exists()


async def test_keys_of_another_version_are_left_alone(tmp_path: Path, postgres_address: DatabaseAddress) -> None:
    source = SqliteAddress(path=tmp_path / "keys.db")
    await fill(source)
    with closing(sqlite3.connect(source.path)) as connection, connection:
        connection.execute("UPDATE crypto_version SET version = 9")
    shutil.copy(source.path, tmp_path / "before.db")
    with pytest.raises(KeysInTheWay, match="another version"):
        await PostgresParts().copy_keys(source, postgres_address)
    with closing(sqlite3.connect(source.path)) as connection:
        assert connection.execute("SELECT version FROM crypto_version").fetchone() == (9,)
