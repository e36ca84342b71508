"""What is said in an encrypted room is not lost because a key was given up before it was used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.crypto import KEYS_TRIED, Crypto
from mautrix_whatsapp_py.matrix.crypto_options import CryptoOptions

ROOM, BOT = MxRoomId("!room:x"), MxUserId("@bot:x")


class Http:
    """A homeserver with one encrypted room."""

    async def call(self, *_arguments: Any, **_named: Any) -> dict[str, Any]:
        member = {"state_key": "@alice:x", "content": {"membership": "join"}}
        return {"algorithm": "m.megolm.v1.aes-sha2", "chunk": [member]}


class Machine:
    """Gives up its key so many times after it was shared."""

    def __init__(self, losses: int) -> None:
        self.losses = losses
        self.shared: list[list[str]] = []

    async def encrypt(self, _room_id: str, _kind: str, content: dict[str, Any]) -> dict[str, Any] | None:
        if len(self.shared) <= self.losses:
            return None
        return {"ciphertext": content["body"]}

    async def share(self, _room_id: str, users: list[str]) -> None:
        self.shared.append(users)


def make_crypto(machine: Machine, folder: Path) -> Crypto:
    http: Any = Http()
    options = CryptoOptions(database="sqlite:///none", key_file=folder / "key")
    crypto = Crypto(http, options, bot=BOT, is_ours=lambda user: re.match("@bot", user) is not None)
    crypto._machine = machine  # type: ignore[assignment]
    return crypto


@pytest.mark.parametrize("losses", [0, 1, KEYS_TRIED - 1])
async def test_a_key_that_is_given_up_is_followed_by_another(losses: int, tmp_path: Path) -> None:
    machine = Machine(losses)
    sealed = await make_crypto(machine, tmp_path).encrypt(ROOM, "m.room.message", {"body": "hello"})
    assert sealed == {"ciphertext": "hello"}
    assert machine.shared == [["@alice:x"]] * (losses + 1)


async def test_it_is_not_tried_for_ever(tmp_path: Path) -> None:
    machine = Machine(KEYS_TRIED)
    with pytest.raises(MatrixRefused):
        await make_crypto(machine, tmp_path).encrypt(ROOM, "m.room.message", {"body": "hello"})
    assert len(machine.shared) == KEYS_TRIED
