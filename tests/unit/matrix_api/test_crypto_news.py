"""What the bot's device is told is in the store before it is acknowledged; what is strange harms nobody."""

from __future__ import annotations

import json
import sqlite3
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import pytest
from mautrix.errors import MatrixConnectionError, MNotFound

from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.transaction import MxKeyCount, MxKeyNews, MxToDevice

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

BOT, DEVICE, ALICE = MxUserId("@whatsappbot:localhost"), "DEVICE", MxUserId("@alice:localhost")
OLM = {
    "algorithm": "m.olm.v1.curve25519-aes-sha2",
    "sender_key": "a",
    "ciphertext": {"b": {"type": 0, "body": "c"}},
}


class Library:
    """Stands for the library's machine."""

    def __init__(self) -> None:
        self.client = SimpleNamespace(mxid=BOT, device_id=DEVICE)
        self.taken: list[str] = []
        self.error: Exception | None = None
        self.list_error: Exception | None = None

    async def handle_to_device_event(self, event: Any) -> None:
        if self.error is not None:
            raise self.error
        self.taken.append(str(event.type))

    async def handle_room_key_request(self, event: Any) -> None:
        self.taken.append(str(event.type))

    async def handle_device_lists(self, lists: Any) -> None:
        if self.list_error is not None:
            raise self.list_error
        self.taken.append(f"changed {', '.join(lists.changed)}")

    async def handle_otk_count(self, count: Any) -> None:
        self.taken.append(f"left {count.signed_curve25519}")


def message(kind: str, content: dict[str, object], *, device: str = DEVICE) -> MxToDevice:
    body = json.dumps({"type": kind, "sender": ALICE, "content": content})
    return MxToDevice(sender=ALICE, to_user=BOT, to_device=device, kind=kind, body=body)


def make() -> tuple[Any, Library, list[str]]:
    from mautrix_whatsapp_py.matrix.crypto_news import KeyDesk

    library, refused = Library(), list[str]()
    return KeyDesk(cast(Any, library), refused.append), library, refused


async def test_devices_come_before_messages() -> None:
    desk, library, _ = make()
    counts = (
        MxKeyCount(user=BOT, device=DEVICE, left=3),
        MxKeyCount(user=BOT, device="OLD", left=0),
        MxKeyCount(user=ALICE, device=DEVICE, left=1),
    )
    messages = (message("m.room.encrypted", OLM), message("m.room.encrypted", OLM, device="OLD"))
    await desk.take(MxKeyNews(messages=messages, changed=(ALICE,), counts=counts))
    assert library.taken == [f"changed {ALICE}", "left 3", "m.room.encrypted"]


async def test_what_cannot_be_stored_has_to_be_told_again() -> None:
    desk, library, _ = make()
    library.error = OSError("disk full")
    with pytest.raises(OSError, match="disk full"):
        await desk.take(MxKeyNews(messages=(message("m.room.encrypted", OLM),)))


@pytest.mark.parametrize(
    "error",
    [asyncpg.CharacterNotInRepertoireError("0x00"), sqlite3.ProgrammingError("Error binding parameter 1: 'dict'")],
)
async def test_what_no_database_takes_does_not_keep_keys_from_coming(error: Exception) -> None:
    desk, library, _ = make()
    library.error = error
    await desk.take(MxKeyNews(messages=(message("m.room.encrypted", OLM),)))
    library.error = sqlite3.OperationalError("database is locked")
    with pytest.raises(sqlite3.OperationalError):
        await desk.take(MxKeyNews(messages=(message("m.room.encrypted", OLM),)))


async def test_what_cannot_be_read_is_left_aside() -> None:
    desk, library, _ = make()
    library.error = RuntimeError("of some library")
    strange = (message("m.room.encrypted", {}), message("m.room.encrypted", OLM), message("m.dummy", {}))
    await desk.take(MxKeyNews(messages=strange))
    library.error = None
    await desk.take(MxKeyNews(messages=(message("m.room.encrypted", OLM),)))
    assert library.taken == ["m.room.encrypted"]


async def test_changes_of_devices_are_not_forgotten_while_the_homeserver_is_away() -> None:
    desk, library, _ = make()
    library.list_error = MatrixConnectionError()
    with pytest.raises(MatrixConnectionError):
        await desk.take(MxKeyNews(changed=(ALICE,), messages=(message("m.room.encrypted", OLM),)))
    assert library.taken == []
    # what it refuses for good does not keep keys from coming
    library.list_error = MNotFound(404, "")
    await desk.take(MxKeyNews(changed=(ALICE,), messages=(message("m.room.encrypted", OLM),)))
    assert library.taken == ["m.room.encrypted"]


@pytest.mark.parametrize("kind", ["m.room_key.withheld", "org.matrix.room_key.withheld"])
async def test_who_will_not_give_a_key_is_noted(kind: str) -> None:
    desk, _, refused = make()
    for code in ("m.unverified", "m.blacklisted", "m.no_olm", "m.unavailable"):
        await desk.take(MxKeyNews(messages=(message(kind, {"code": code, "session_id": code}),)))
    await desk.take(MxKeyNews(messages=(message(kind, {"code": "m.unverified", "session_id": 5}),)))
    assert refused == ["m.unverified", "m.blacklisted"]


def test_a_sync_is_read_whatever_is_in_it() -> None:
    from mautrix_whatsapp_py.matrix.crypto_news import decode_synced

    data = {
        "to_device": {"events": [{"type": "m.room.encrypted", "sender": ALICE, "content": OLM}, 5]},
        "device_lists": {"changed": [ALICE], "left": []},
        "device_one_time_keys_count": {"signed_curve25519": 7},
    }
    news = decode_synced(data, BOT, DEVICE)
    assert [(one.kind, one.to_device, json.loads(one.body)["content"]) for one in news.messages] == [
        ("m.room.encrypted", DEVICE, OLM)
    ]
    assert news.changed == (ALICE,)
    assert news.counts == (MxKeyCount(user=BOT, device=DEVICE, left=7),)
    odd = {
        "to_device": [],
        "device_lists": {"changed": 5},
        "device_one_time_keys_count": {"signed_curve25519": "a"},
    }
    assert decode_synced(odd, BOT, DEVICE).is_empty
