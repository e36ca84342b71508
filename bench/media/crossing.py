"""One file at a time across the bridge, and the same bytes to and from the homeserver alone."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.talk.homeserver import Watcher
from bench.talk.stage import Chat, Stage
from tests.homeserver.hosts import host_pids
from tests.simulator.api import kinds

PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A file and how it is sent either way."""

    data: bytes
    mime_type: str
    name: str
    msgtype: str
    kind: str
    more: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Seconds, and bytes of memory above idle at the worst moment."""

    seconds: float
    bridge_bytes: int = 0
    host_bytes: int = 0


class Peak:
    """The most that a process has held since this was made, above what it held then."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        # 5 resets the kernel's own record of the peak.
        Path(f"/proc/{pid}/clear_refs").write_text("5")
        self._before = self._read("VmRSS")

    def above(self) -> int:
        """Bytes."""
        return max(self._read("VmHWM") - self._before, 0)

    def _read(self, name: str) -> int:
        lines = Path(f"/proc/{self._pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


class Crossings:
    """Measures on a stage with one open chat."""

    def __init__(self, it: Stage, watcher: Watcher) -> None:
        self._it = it
        self._watcher = watcher
        self._numbers = itertools.count()

    @property
    def chat(self) -> Chat:
        return self._it.chats[0]

    async def bare_upload(self, payload: Payload) -> float:
        """Seconds to put the bytes into the homeserver's store."""
        began = time.perf_counter()
        await self._upload(payload)
        return time.perf_counter() - began

    async def bare_download(self, payload: Payload) -> float:
        """Seconds to fetch them from there."""
        server, media_id = (await self._upload(payload)).removeprefix("mxc://").split("/")
        url = f"{self._it.synapse.url}/_matrix/client/v1/media/download/{server}/{media_id}"
        headers = {"Authorization": f"Bearer {self._it.registration.as_token}"}
        began = time.perf_counter()
        async with self._it.http.get(url, headers=headers) as answer:
            answer.raise_for_status()
            async for _ in answer.content.iter_chunked(65_536):
                pass
        return time.perf_counter() - began

    async def to_matrix(self, payload: Payload, count: int = 1) -> Crossing:
        """From WhatsApp's servers into the room, as a client sees it; so many at once."""
        uploads = [kinds.upload(self._it.wa.media, payload.data, payload.kind) for _ in range(count)]
        bridge, host = self._peaks()
        marks: list[str] = []
        began = time.perf_counter()
        for file in uploads:
            marks.append(f"f{next(self._numbers):06}")
            if payload.kind == "image":
                outgoing = kinds.image(file, caption=marks[-1])
            else:
                outgoing = kinds.document(file, payload.name, caption=marks[-1], mime=payload.mime_type)
            await self.chat.person.phone.send(self._it.own.pn, outgoing)
        async with asyncio.timeout(PATIENCE_SECONDS):
            seen = [await self._watcher.saw(mark) for mark in marks]
        self._it.wa.media.blobs.clear()
        return Crossing(seconds=max(seen) - began, bridge_bytes=bridge.above(), host_bytes=host.above())

    async def to_whatsapp(self, payload: Payload, count: int = 1) -> Crossing:
        """From alice's client, which has uploaded them, to the phone; so many at once."""
        uris = [await self._upload(payload) for _ in range(count)]
        bridge, host = self._peaks()
        began = time.perf_counter()
        for uri in uris:
            content = {
                "msgtype": payload.msgtype,
                "body": payload.name,
                "url": uri,
                "info": {"mimetype": payload.mime_type, "size": len(payload.data)},
                **dict(payload.more),
            }
            await self._send(content)
        for _ in uris:
            await self.chat.person.phone.receive_next(timeout_seconds=PATIENCE_SECONDS)
        seconds = time.perf_counter() - began
        self._it.wa.media.blobs.clear()
        return Crossing(seconds=seconds, bridge_bytes=bridge.above(), host_bytes=host.above())

    async def _send(self, content: dict[str, Any]) -> None:
        """An event of alice's."""
        room, txn_id = quote(self.chat.room), f"file-{next(self._numbers)}"
        url = f"{self._it.synapse.url}/_matrix/client/v3/rooms/{room}/send/m.room.message/{txn_id}"
        headers = {"Authorization": f"Bearer {self._it.alice.access_token}"}
        async with self._it.http.put(url, json=content, headers=headers) as answer:
            answer.raise_for_status()

    async def _upload(self, payload: Payload) -> str:
        url = f"{self._it.synapse.url}/_matrix/media/v3/upload"
        headers = {
            "Authorization": f"Bearer {self._it.registration.as_token}",
            "Content-Type": payload.mime_type,
        }
        async with self._it.http.post(url, data=payload.data, headers=headers) as answer:
            answer.raise_for_status()
            return str((await answer.json())["content_uri"])

    def _peaks(self) -> tuple[Peak, Peak]:
        (host,) = host_pids(self._it.bridge.folder)
        return Peak(self._it.bridge.process.pid), Peak(host)
