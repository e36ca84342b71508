"""Encryption without a homeserver: what is loaded when, and what makes a room's key too old."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mautrix_whatsapp_py.app.crypto import crypto_options, new_room_encryption
from mautrix_whatsapp_py.config import Config, load
from mautrix_whatsapp_py.errors import ExitCode, MatrixRefused, StartupError
from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.crypto import Crypto, RecentNames
from mautrix_whatsapp_py.matrix.crypto_options import ALGORITHM, CryptoOptions
from mautrix_whatsapp_py.matrix.encode import encode_picture
from mautrix_whatsapp_py.model.media import MxFileKey
from mautrix_whatsapp_py.model.mx import MxPicture, MxStored
from mautrix_whatsapp_py.model.sealed import CannotOpen, KeyMissing, OpenFailure
from tests.unit.config.samples import SMALLEST

ROOM = MxRoomId("!room:localhost")
BOT = MxUserId("@whatsappbot:localhost")


class Homeserver:
    """Answers what rooms are encrypted."""

    def __init__(self) -> None:
        self.encrypted: set[str] = set()
        self.asked = 0

    async def call(self, _method: object, path: object, **_more: object) -> dict[str, object]:
        self.asked += 1
        if any(room in str(path) for room in self.encrypted):
            return {"algorithm": ALGORITHM}
        raise MatrixRefused(status=404)


class Machine:
    """Remembers which rooms get a new key."""

    def __init__(self) -> None:
        self.discarded: list[MxRoomId] = []

    async def discard(self, room_id: MxRoomId) -> None:
        self.discarded.append(room_id)

    async def has_key(self, _room_id: MxRoomId, _session: str) -> bool:
        return False

    async def wait_for_key(self, _room_id: MxRoomId, _session: str, _seconds: float) -> bool:
        raise AssertionError("nobody is to wait")


def make(tmp_path: Path) -> tuple[Crypto, Homeserver, Machine]:
    homeserver, machine = Homeserver(), Machine()
    options = CryptoOptions(database=f"sqlite:///{tmp_path}/crypto.db", key_file=tmp_path / "crypto.key")
    crypto = Crypto(homeserver, options, bot=BOT, is_ours=lambda user: "whatsapp" in user)  # type: ignore[arg-type]
    crypto._machine = machine  # type: ignore[assignment]
    return crypto, homeserver, machine


def state(kind: str, content: dict[str, object], *, key: str = "", before: str | None = None) -> MxStored:
    unsigned = {} if before is None else {"prev_content": {"membership": before}}
    body = {"type": kind, "state_key": key, "content": content, "unsigned": unsigned}
    return MxStored(
        seq=InboxSeq(0),
        event_id=MxEventId("$event"),
        room_id=ROOM,
        sender=MxUserId("@alice:localhost"),
        kind=kind,
        body=json.dumps(body),
    )


async def test_a_room_is_asked_about_once_until_it_changes(tmp_path: Path) -> None:
    crypto, homeserver, _ = make(tmp_path)
    assert not await crypto.is_encrypted(ROOM)
    assert not await crypto.is_encrypted(ROOM)
    assert homeserver.asked == 1
    homeserver.encrypted.add("room")
    await crypto.note([state("m.room.encryption", {"algorithm": ALGORITHM})])
    assert await crypto.is_encrypted(ROOM)
    assert homeserver.asked == 2


@pytest.mark.parametrize(
    ("user", "before", "now", "is_new_key"),
    [
        ("@bob:localhost", None, "join", True),
        ("@bob:localhost", "join", "leave", True),
        ("@bob:localhost", "join", "join", False),
        ("@whatsapp_1:localhost", None, "join", False),
    ],
)
async def test_who_comes_or_goes_gets_a_room_a_new_key(
    user: str, before: str | None, now: str, is_new_key: bool, tmp_path: Path
) -> None:
    crypto, _, machine = make(tmp_path)
    await crypto.note([state("m.room.member", {"membership": now}, key=user, before=before)])
    assert machine.discarded == ([ROOM] if is_new_key else [])


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"algorithm": "other"},
        {"algorithm": ALGORITHM, "session_id": 5},
        {"algorithm": ALGORITHM, "session_id": "a\x00"},
        {"algorithm": ALGORITHM, "session_id": "\ud800"},
    ],
)
async def test_an_odd_cipher_is_refused(content: dict[str, object], tmp_path: Path) -> None:
    crypto, _, _ = make(tmp_path)
    with pytest.raises(CannotOpen) as caught:
        await crypto.open_fields({"room_id": ROOM, "content": content}, patience_seconds=0)
    assert caught.value.failure is OpenFailure.UNKNOWN_KIND


async def test_who_refuses_a_key_is_not_waited_for(tmp_path: Path) -> None:
    crypto, _, _ = make(tmp_path)
    sealed = {"room_id": ROOM, "content": {"algorithm": ALGORITHM, "session_id": "s", "device_id": "D"}}
    crypto._refused.add("s")
    with pytest.raises(KeyMissing) as caught:
        await crypto.open_fields(sealed, patience_seconds=1000)
    assert caught.value.name.is_refused
    # it came after all, and then went
    crypto._on_key("s")
    with pytest.raises(KeyMissing) as caught:
        await crypto.open_fields(sealed, patience_seconds=0)
    assert not caught.value.name.is_refused


def test_refusals_are_not_remembered_for_ever() -> None:
    names = RecentNames(2)
    for name in "abc":
        names.add(name)
    assert [name in names for name in "abc"] == [False, True, True]


@pytest.mark.parametrize(
    ("rule", "is_kept"), [("", True), ("dont_store_outbound", False), ("periodically_delete_expired", False)]
)
def test_keys_that_are_to_go_are_not_kept_elsewhere(rule: str, is_kept: bool, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    rules = f"    delete_keys: {{{rule}: true}}\n" if rule else ""
    path.write_text(f"{SMALLEST}encryption:\n    allow: true\n    appservice: true\n{rules}")
    options = crypto_options(load(path, {}))
    assert options.backs_up_keys == is_kept
    assert not options.syncs


async def test_without_the_ciphers_the_start_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crypto, _, _ = make(tmp_path)
    monkeypatch.delitem(sys.modules, "mautrix_whatsapp_py.matrix.crypto_machine", raising=False)
    monkeypatch.setitem(sys.modules, "mautrix_whatsapp_py.matrix.crypto_store", None)
    with pytest.raises(StartupError, match="pip install") as caught:
        await crypto.start()
    assert caught.value.code is ExitCode.CONFIG_INVALID


def test_the_configuration_says_how_rooms_are_encrypted(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        SMALLEST + "encryption:\n    allow: true\n    default: true\n    pickle_key: mine\n"
        "    rotation: {enable_custom: true, milliseconds: 60000, messages: 5}\n"
    )
    config = load(path, {})
    assert new_room_encryption(config) == {
        "algorithm": ALGORITHM,
        "rotation_period_ms": 60000,
        "rotation_period_msgs": 5,
    }
    options = crypto_options(config)
    assert options.database == f"sqlite:///{tmp_path}/crypto.db"
    assert options.pickle_key == "mine"
    assert "mine" not in repr(options)
    assert new_room_encryption(Config()) is None


def test_an_encrypted_picture_names_its_key_instead_of_its_place() -> None:
    picture = MxPicture(
        uri="mxc://a/b", mimetype="image/png", filename="qr.png", width=1, height=1, size_bytes=1, caption="c"
    )  # type: ignore[arg-type]
    key = MxFileKey(key=b"k" * 32, iv=b"i" * 16, sha256=b"h" * 32)
    said = encode_picture(picture, key)
    assert "url" not in said
    assert said["file"]["url"] == "mxc://a/b"
    assert said["file"]["key"]["alg"] == "A256CTR"
