"""Keys of rooms as their store takes them: who claims them, what is no key, and what was read before."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from mautrix_whatsapp_py.matrix.crypto_errors import is_of_data, is_of_database
from tests.postgres import Postgres

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning")]

ROOM, OTHER_ROOM = "!room:localhost", "!other:localhost"
ALICES, MALLORYS, BOBS = "A" * 43, "M" * 43, "B" * 43
ALICE = "@alice:localhost"


@pytest.fixture(params=["sqlite", "postgres"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'crypto.db'}"
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    name = f"test_{uuid4().hex}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture
async def keys(uri: str) -> AsyncIterator[Any]:
    from mautrix.crypto import PgCryptoStore
    from mautrix.util.async_db import Database

    database = Database.create(uri, upgrade_table=PgCryptoStore.upgrade_table, log=logging.getLogger("mau.test"))
    await database.start()
    yield make(database)
    await database.stop()


def make(database: Any) -> Any:
    from mautrix_whatsapp_py.matrix.crypto_store import KeyStore

    store = KeyStore("", "pickle", database)
    store.on_key = lambda _session: None
    return store


class Session:
    """What somebody writes a room with."""

    def __init__(self) -> None:
        import olm

        self._outbound = olm.OutboundGroupSession()
        self._key = self._outbound.session_key
        self.id = self._outbound.id

    def write(self, text: str) -> str:
        return str(self._outbound.encrypt(text))

    async def give(self, keys: Any, device: str, room: str = ROOM, **more: Any) -> None:
        """A device says that it is its own."""
        from mautrix.crypto import InboundGroupSession

        made = InboundGroupSession(self._key, signing_key=device, sender_key=device, room_id=room, **more)
        await keys.put_group_session(room, device, self.id, made)

    async def read(self, keys: Any, text: str) -> tuple[str, str]:
        """What it says, and whose device is said to have written it."""
        kept = await keys.get_group_session(ROOM, self.id)
        return kept.decrypt(text)[0], kept.sender_key


def of(*devices: str) -> Callable[[str], Awaitable[bool]]:
    async def is_of_writer(key: str) -> bool:
        return key in devices

    return is_of_writer


@pytest.mark.parametrize("order", [(ALICES, MALLORYS), (MALLORYS, ALICES)])
async def test_a_key_that_somebody_passes_on_as_their_own_is_still_its_makers(
    keys: Any, order: tuple[str, str]
) -> None:
    session = Session()
    for device in order:
        await session.give(keys, device)
    texts = [session.write(f"words {number}") for number in range(4)]
    for number, devices in enumerate([(ALICES,), (MALLORYS, BOBS), (ALICES,), (BOBS,)]):
        await keys.settle(ROOM, session.id, of(*devices))
        said, device = await session.read(keys, texts[number])
        assert said == f"words {number}"
        # whoever has no claim changes nothing
        assert device == (devices[0] if devices != (BOBS,) else ALICES)
    again = make(keys.db)
    await again.settle(ROOM, session.id, of(MALLORYS))
    assert (await session.read(again, texts[3]))[1] == MALLORYS


async def test_a_key_that_is_claimed_for_another_room_is_found(keys: Any) -> None:
    session = Session()
    await session.give(keys, MALLORYS, OTHER_ROOM)
    assert not await keys.has_group_session(ROOM, session.id)
    await session.give(keys, ALICES)
    assert await keys.has_group_session(ROOM, session.id)
    await keys.settle(ROOM, session.id, of(ALICES))
    assert await session.read(keys, session.write("here")) == ("here", ALICES)


async def test_what_others_pass_on_makes_way_for_what_its_maker_gives(keys: Any) -> None:
    session = Session()
    await session.give(keys, MALLORYS, forwarding_chain=[BOBS])
    await session.give(keys, ALICES)
    assert await session.read(keys, session.write("mine")) == ("mine", ALICES)
    assert len(await keys._find(session.id)) == 1


async def test_claims_are_forgotten_with_the_keys(keys: Any) -> None:
    session = Session()
    await session.give(keys, ALICES)
    await session.give(keys, MALLORYS)
    await keys.forget_asides()
    await keys.settle(ROOM, session.id, of(MALLORYS))
    assert await session.read(keys, session.write("mine")) == ("mine", ALICES)


async def test_a_copy_that_comes_first_does_not_use_up_what_it_copies(keys: Any) -> None:
    session = Session()
    await session.give(keys, ALICES)
    kept = await keys.get_group_session(ROOM, session.id)
    # the copy, whose writer turns out to be another one
    assert await keys.validate_message_index(ALICES, session.id, "$copy", 0, 1)
    assert await keys.note_index(kept, "$original", 0, 2)
    assert await keys.note_index(kept, "$original", 0, 2), "what is handled again after a crash"
    assert not await keys.note_index(kept, "$again", 0, 3)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("max_messages", 10**12),
        ("max_messages", {"a": 1}),
        ("max_messages", -1),
        ("max_age", timedelta(days=999_999_999)),
        ("is_scheduled", {"a": 1}),
    ],
)
async def test_odd_numbers_of_a_room_do_no_harm(keys: Any, field: str, bad: object) -> None:
    session = Session()
    await session.give(keys, ALICES, **{field: bad})
    assert await session.read(keys, session.write("read")) == ("read", ALICES)
    await keys.redact_expired_group_sessions()


@pytest.mark.parametrize(
    "room", ["", "room", "!\x00:localhost", "!" + "a" * 300, 5, {"a": 1}, "!\ud800:localhost"]
)
async def test_what_is_no_room_has_no_keys(keys: Any, room: Any) -> None:
    with pytest.raises(ValueError, match="not a key"):
        await Session().give(keys, ALICES, room)


@pytest.mark.parametrize("device", ["", "A" * 44, "\x00" * 43, 5])
async def test_what_is_no_device_has_no_keys(keys: Any, device: Any) -> None:
    with pytest.raises(ValueError, match="not a key"):
        await Session().give(keys, device)
    with pytest.raises(ValueError, match="not a key"):
        await Session().give(keys, ALICES, forwarding_chain=[device])


async def test_odd_devices_do_not_keep_others_from_being_known(keys: Any) -> None:
    from mautrix.types import CrossSigner, CrossSigningUsage, DeviceIdentity, TrustState

    def device(name: str, shown: Any = "Phone", key: str = ALICES) -> Any:
        return DeviceIdentity(
            user_id=ALICE,  # type: ignore[arg-type]
            device_id=name,  # type: ignore[arg-type]
            identity_key=key,  # type: ignore[arg-type]
            signing_key=key,  # type: ignore[arg-type]
            trust=TrustState.UNVERIFIED,
            deleted=False,
            name=shown,
        )

    devices = [
        device("GOOD"),
        device("ZERO", "a\x00b"),
        device("ODD", {"a": 1}),
        device("LONG", "a" * 5000),
        device("BAD\x00"),
        device("SHORT", key="A"),
    ]
    await keys.put_devices(ALICE, {one.device_id: one for one in devices})
    assert set(await keys.get_devices(ALICE)) == {"GOOD", "ZERO", "ODD", "LONG"}
    long, good = CrossSigner(ALICE, "A" * 99), CrossSigner(ALICE, ALICES)  # type: ignore[arg-type]
    async with keys.transaction():
        await keys.put_cross_signing_key(ALICE, CrossSigningUsage.MASTER, "A" * 99)
        for target, signature in ((long, "S" * 86), (good, "S" * 999), (good, "S" * 86)):
            await keys.put_signature(target, target, signature)
        assert await keys.get_cross_signing_keys(ALICE) == {}
    assert await keys.is_key_signed_by(good, good)


async def test_what_no_database_takes_is_told_from_a_database_that_is_away(keys: Any) -> None:
    """Anybody may write such things to the bridge; if they were tried again, no key would come any more."""
    query = "SELECT 1 FROM crypto_olm_session WHERE session_id=$1"
    with pytest.raises(Exception, match="dict") as odd:
        await keys.db.execute(query, {"a": 1})
    found = [odd.value]
    if keys.db.scheme.value == "postgres":
        with pytest.raises(Exception, match="0x00") as zero:
            await keys.db.execute(query, "a\x00")
        found.append(zero.value)
    assert all(is_of_database(error) and is_of_data(error) for error in found)
    with pytest.raises(Exception, match="nowhere") as lost:
        await keys.db.execute("SELECT 1 FROM nowhere")
    assert is_of_database(lost.value)
    assert not is_of_data(lost.value)
