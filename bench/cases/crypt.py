"""What encrypted rooms cost: an echo there and in a plain room in turn, and memory for rooms with keys."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from bench.figures import Figure
from bench.talk.stage import Chat, Stage, cores, open_chats, stage
from tests.flow.encrypted_client import EncryptedClient
from tests.homeserver.synapse import PASSWORD

ROOMS = 60
"""Rooms of which the memory is measured; there is one more that stays plain."""
ECHOES = 60
WARM_UP = 5
SETTLE_SECONDS = 5.0
_BOT = "@whatsappbot:localhost"
_ALICE = "@alice:localhost"


async def measure() -> Sequence[Figure]:
    """Echoes of both kinds in turn, then a key for every room."""
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder), more={"encryption": {"allow": True}}) as it:
            await open_chats(it, ROOMS + 1)
            plain, *others = it.chats
            alice = await EncryptedClient.log_in(it.synapse.url, _ALICE, PASSWORD, Path(folder) / "nio")
            try:
                plain_ms, secret_ms = await _measure_echoes(it, alice, plain, others[0])
                grown_mb = await _measure_memory(it, alice, others)
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
            what=f"memory of 1,000 rooms with keys, beyond that of plain ones (from {ROOMS - 1} rooms)",
            value=f"{grown_mb * 1000 / (ROOMS - 1):.0f} MB",
        ),
    )


async def _measure_echoes(
    it: Stage, alice: EncryptedClient, plain: Chat, secret: Chat
) -> tuple[list[float], list[float]]:
    await _encrypt(it, secret)
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM_UP + ECHOES):
        for times, chat in zip(found, (plain, secret), strict=True):
            took = await _echo(it, alice, chat, f"{number} in {chat.person.pn.user}")
            if number >= WARM_UP:
                times.append(took * 1000)
    return found


async def _echo(it: Stage, alice: EncryptedClient, chat: Chat, text: str) -> float:
    """Seconds from alice's writing to her reading the answer."""
    content = {"msgtype": "m.text", "body": text}
    started = time.perf_counter()
    await alice.client.room_send(chat.room, "m.room.message", content, ignore_unverified_devices=True)
    assert (await chat.person.phone.receive_next(timeout_seconds=60)).text == text
    await chat.person.phone.text(it.own.pn, f"echo of {text}")
    await _hears(alice, f"echo of {text}")
    return time.perf_counter() - started


async def _measure_memory(it: Stage, alice: EncryptedClient, chats: Sequence[Chat]) -> float:
    """By how many megabytes the bridge grows when all but the first of these rooms get a key."""
    rest = chats[1:]
    for chat in rest:
        await chat.person.phone.text(it.own.pn, f"plain in {chat.person.pn.user}")
        await _hears(alice, f"plain in {chat.person.pn.user}")
    await asyncio.sleep(SETTLE_SECONDS)
    before = it.usage().bridge_bytes
    for chat in rest:
        await _encrypt(it, chat)
        await chat.person.phone.text(it.own.pn, f"secret in {chat.person.pn.user}")
        await _hears(alice, f"secret in {chat.person.pn.user}")
    await asyncio.sleep(SETTLE_SECONDS)
    return (it.usage().bridge_bytes - before) / 1e6


async def _hears(alice: EncryptedClient, text: str) -> None:
    await alice.until(lambda: any(text in str(one.source["content"].get("body")) for one in alice.messages[-5:]))


async def _encrypt(it: Stage, chat: Chat) -> None:
    """Have the bot encrypt a room, and wait until the bridge has seen it."""
    path = f"/_matrix/client/v3/rooms/{quote(chat.room)}/state/m.room.encryption/?user_id={quote(_BOT)}"
    headers = {"Authorization": f"Bearer {it.registration.as_token}"}
    content = {"algorithm": "m.megolm.v1.aes-sha2"}
    async with it.http.put(f"{it.synapse.url}{path}", json=content, headers=headers) as response:
        assert response.status == 200, await response.text()
    await asyncio.sleep(0.3)
