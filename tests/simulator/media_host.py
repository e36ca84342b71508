"""The media hosts: upload, download, and everything that can go wrong there."""

from __future__ import annotations

import asyncio
import base64
import enum
import fnmatch
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from tests.simulator.crypto import sha256
from tests.simulator.trace import Trace
from tests.simulator.violations import ProtocolViolationError, ViolationKind

_QUERY: Final = "ccb=11-4&oh=01_simulator&oe=7FFFFFFF&_nc_sid=5e03e0"
_HOST: Final = "mmg.whatsapp.net"
_SLOW_CHUNK_BYTES: Final = 16 << 10


class MediaFault(enum.Enum):
    """What is wrong with downloads."""

    NOT_FOUND = 404
    GONE = 410
    FORBIDDEN = 403
    TRUNCATED = "truncated"
    WRONG_HASH = "wrong hash"
    SLOW = "slow"
    HANGING = "hanging"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMedia:
    """Where a client finds an uploaded blob."""

    url: str
    direct_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRequest:
    """One request to a media host."""

    method: str
    host: str
    path: str


class MediaHost:
    """Keeps blobs by path; faults apply to paths that match a pattern."""

    def __init__(self, trace: Trace) -> None:
        self.blobs: dict[str, bytes] = {}
        self.requests: list[MediaRequest] = []
        self.client_revision = 1047769893
        self.upload_status = 200
        self._faults: dict[str, MediaFault] = {}
        self._trace = trace

    def store(self, blob: bytes) -> StoredMedia:
        """Put an encrypted blob on the host."""
        path = f"/v/t62.7118-24/{sha256(blob).hex()[:24]}_n.enc"
        self.blobs[path] = blob
        direct = f"{path}?{_QUERY}"
        return StoredMedia(url=f"https://{_HOST}{direct}&mms3=true", direct_path=direct)

    def break_downloads(self, fault: MediaFault, pattern: str = "*") -> None:
        """From now on downloads of matching paths fail this way."""
        self._faults[pattern] = fault

    def repair(self) -> None:
        """All downloads work again."""
        self._faults.clear()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request to any media host."""
        self.requests.append(MediaRequest(method=request.method, host=request.host, path=request.path))
        match request.method:
            case "POST" if "/mms/" in request.path or "/newsletter/" in request.path:
                return await self._upload(request)
            case "DELETE":
                return web.Response(status=200)
            case "GET" if request.path == "/":
                return self.version_page()
            case "GET":
                return await self._download(request)
            case _:
                return web.Response(status=405)

    async def _upload(self, request: web.Request) -> web.Response:
        body, token = await request.read(), request.path.rsplit("/", 1)[1]
        if self.upload_status != 200:
            return web.Response(status=self.upload_status)
        expected = base64.urlsafe_b64encode(sha256(body)).decode().rstrip("=")
        # some clients pad the token, others do not
        if expected != token.rstrip("="):
            error = ProtocolViolationError(ViolationKind.BAD_UPLOAD, request.path)
            self._trace.violate(error, peer="media upload")
            return web.Response(status=400, text="hash mismatch")
        stored = self.store(body)
        return web.json_response({"url": stored.url, "direct_path": stored.direct_path, "handle": "simulator"})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        blob = self.blobs.get(request.path)
        fault = next((f for p, f in self._faults.items() if fnmatch.fnmatch(request.path, p)), None)
        match fault:
            case _ if blob is None:
                return web.Response(status=404)
            case None:
                return web.Response(body=blob)
            case MediaFault.NOT_FOUND | MediaFault.GONE | MediaFault.FORBIDDEN:
                return web.Response(status=int(fault.value))
            case MediaFault.TRUNCATED:
                return web.Response(body=blob[: len(blob) // 2])
            case MediaFault.WRONG_HASH:
                return web.Response(body=bytes(b ^ 1 for b in blob))
            case MediaFault.SLOW | MediaFault.HANGING:
                return await self._trickle(request, blob, is_hanging=fault is MediaFault.HANGING)

    async def _trickle(self, request: web.Request, blob: bytes, *, is_hanging: bool) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(blob))})
        await response.prepare(request)
        for start in range(0, len(blob), _SLOW_CHUNK_BYTES):
            await response.write(blob[start : start + _SLOW_CHUNK_BYTES])
            # the delay is the fault being simulated
            await asyncio.sleep(3600 if is_hanging else 0.02)
        await response.write_eof()
        return response

    def version_page(self) -> web.Response:
        """The page clients read the newest revision from."""
        revision = self.client_revision
        values = f'"server_revision":{revision},"client_revision":{revision},"push_phase":"C3"'
        return web.Response(text=f"<script>{{{values}}}</script>")
