"""What encrypted rooms cost: an echo there and in a plain room in turn, and memory for rooms with keys."""

from __future__ import annotations

import asyncio
import logging
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bench.figures import Figure
from bench.talk.stage import Chat, Stage, cores, open_chats, stage
from tests.flow.encrypted_client import EncryptedClient
from tests.homeserver.synapse import PASSWORD

ROOMS = 300
"""Rooms of which the memory is measured; there is one more that stays plain."""
ECHOES = 60
WARM_UP = 5
MOST_TRIES = 20
SETTLE_SECONDS = 5.0
_BOT = "@whatsappbot:localhost"
_ALICE = "@alice:localhost"


async def measure() -> Sequence[Figure]:
    """Echoes of both kinds in turn, then a key for every room."""
    # It tells of every event it sees.
    logging.getLogger("nio").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder), more={"encryption": {"allow": True}}) as it:
            await open_chats(it, ROOMS + 1)
            plain, *others = it.chats
            alice = await EncryptedClient.log_in(it.synapse.url, _ALICE, PASSWORD, Path(folder) / "nio")
            try:
                plain_ms, secret_ms = await _measure_echoes(it, alice, plain, others[0])
                growth = await _measure_memory(it, alice, others)
            finally:
                await alice.aclose()
    difference = statistics.median(secret_ms) - statistics.median(plain_ms)
    machine = f"{len(secret_ms)} echoes, {cores()} cores"
    return (
        Figure(
            what=f"encrypted echo, Matrix to WhatsApp and back, p50 ({machine})",
            value=f"{statistics.median(secret_ms):.0f} ms; in a plain room {statistics.median(plain_ms):.0f} ms",
            target="within 25 ms of the plain one",
        ),
        Figure(what="encrypted echo less plain echo, p50", value=f"{difference:+.1f} ms", target="≤ 25 ms"),
        Figure(
            what=f"memory of 1,000 rooms with keys, beyond that of plain ones ({growth.rooms} rooms measured)",
            value=f"{growth.of_keys_mb * 1000 / growth.rooms:.1f} MB; another plain message in each: "
            f"{growth.of_messages_mb * 1000 / growth.rooms:.1f} MB",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """By how many megabytes the bridge grows."""

    rooms: int
    of_messages_mb: float
    """With one more plain message in each room: what any such round costs."""
    of_keys_mb: float
    """With a key for each room, and a message encrypted with it."""


async def _measure_echoes(
    it: Stage, alice: EncryptedClient, plain: Chat, secret: Chat
) -> tuple[list[float], list[float]]:
    await _encrypt(it, alice, secret)
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM_UP + ECHOES):
        for times, chat in zip(found, (plain, secret), strict=True):
            text = f"{number} in {chat.person.pn.user}"
            took = await _echo(it, alice, chat, text, is_secret=chat is secret)
            if number >= WARM_UP:
                times.append(took * 1000)
    return found


async def _echo(it: Stage, alice: EncryptedClient, chat: Chat, text: str, *, is_secret: bool) -> float:
    """Seconds from alice's writing to her reading the answer."""
    content = {"msgtype": "m.text", "body": text}
    started = time.perf_counter()
    await alice.client.room_send(chat.room, "m.room.message", content, ignore_unverified_devices=True)
    assert (await chat.person.phone.receive_next(timeout_seconds=60)).text == text
    await chat.person.phone.text(it.own.pn, f"echo of {text}")
    was_secret = await _hears(alice, f"echo of {text}")
    took = time.perf_counter() - started
    assert was_secret == is_secret
    return took


async def _measure_memory(it: Stage, alice: EncryptedClient, chats: Sequence[Chat]) -> Growth:
    """All but the first of these rooms get a key."""
    rest = chats[1:]
    await _write_to_all(it, alice, rest, "warm-up")
    start = await _settle(it)
    await _write_to_all(it, alice, rest, "plain")
    plain = await _settle(it)
    for chat in rest:
        await _send_encryption(it, chat)
    await asyncio.sleep(SETTLE_SECONDS)
    await _write_to_all(it, alice, rest, "secret", is_secret=True)
    secret = await _settle(it)
    return Growth(rooms=len(rest), of_messages_mb=(plain - start) / 1e6, of_keys_mb=(secret - plain) / 1e6)


async def _settle(it: Stage) -> int:
    await asyncio.sleep(SETTLE_SECONDS)
    return it.usage().bridge_bytes


async def _write_to_all(
    it: Stage, alice: EncryptedClient, chats: Sequence[Chat], word: str, *, is_secret: bool = False
) -> None:
    for chat in chats:
        text = f"{word} in {chat.person.pn.user}"
        await chat.person.phone.text(it.own.pn, text)
        assert await _hears(alice, text) == is_secret


async def _hears(alice: EncryptedClient, text: str) -> bool:
    """Wait for a message; whether it came encrypted."""

    def find() -> list[bool]:
        return [one.decrypted for one in alice.messages[-5:] if text in str(one.source["content"].get("body"))]

    await alice.until(find)
    return find()[-1]


async def _encrypt(it: Stage, alice: EncryptedClient, chat: Chat) -> None:
    """Have the bot encrypt a room, and wait until the bridge does what it says."""
    await _send_encryption(it, chat)
    for number in range(MOST_TRIES):
        await chat.person.phone.text(it.own.pn, f"is this room encrypted? {number}")
        if await _hears(alice, f"is this room encrypted? {number}"):
            return
    raise AssertionError("the bridge does not encrypt")


async def _send_encryption(it: Stage, chat: Chat) -> None:
    path = f"/_matrix/client/v3/rooms/{quote(chat.room)}/state/m.room.encryption/?user_id={quote(_BOT)}"
    headers = {"Authorization": f"Bearer {it.registration.as_token}"}
    content = {"algorithm": "m.megolm.v1.aes-sha2"}
    async with it.http.put(f"{it.synapse.url}{path}", json=content, headers=headers) as response:
        assert response.status == 200, await response.text()
