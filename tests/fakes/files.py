"""Files in memory: WhatsApp's media hosts, the homeserver's store, and a converter that changes nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path

from mautrix_whatsapp_py.errors import ConversionFailed, MatrixUnreachable, MediaFailed
from mautrix_whatsapp_py.ids import MxUri
from mautrix_whatsapp_py.matrix.attachment_crypto import MxEncryptor
from mautrix_whatsapp_py.model.media import MxFile, MxStoredFile, WaFile
from mautrix_whatsapp_py.model.media_ready import ReadyFile
from mautrix_whatsapp_py.model.wa_context import WaKind
from mautrix_whatsapp_py.ports import MatrixFiles, MediaTools, WaFileSource
from mautrix_whatsapp_py.tasks import Growth


class FakeWaFiles:
    """The port WaFileSource: what is there by path, and what the next downloads end in."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: deque[MediaFailed] = deque()
        self.asked: list[str] = []
        """Paths, in order."""
        self.held: dict[str, asyncio.Event] = {}
        """Paths whose download ends when the event is set."""

    async def download_file(self, file: WaFile, kind: WaKind, into: Path, growth: Growth | None = None) -> None:
        self.asked.append(file.direct_path)
        if file.direct_path in self.held:
            await self.held[file.direct_path].wait()
        if self.faults:
            raise self.faults.popleft()
        into.write_bytes(self.files[file.direct_path])


class FakeMatrixFiles:
    """The port MatrixFiles."""

    def __init__(self) -> None:
        self.files: dict[MxUri, bytes] = {}
        self.types: dict[MxUri, str] = {}
        self.faults: deque[MediaFailed | MatrixUnreachable] = deque()
        self.held: dict[MxUri, asyncio.Event] = {}
        self.limit_bytes = 0

    def put(self, data: bytes, mime_type: str = "application/octet-stream") -> MxUri:
        """A file that a client has uploaded."""
        uri = MxUri(f"mxc://localhost/{len(self.files)}")
        self.files[uri], self.types[uri] = data, mime_type
        return uri

    async def fetch_limit(self) -> int:
        return self.limit_bytes

    async def upload_file(
        self, path: Path, *, mimetype: str, filename: str, is_encrypted: bool = False, growth: Growth | None = None
    ) -> MxStoredFile:
        if self.faults:
            raise self.faults.popleft()
        data = path.read_bytes()
        if not is_encrypted:
            return MxStoredFile(uri=self.put(data, mimetype))
        encryptor = MxEncryptor()
        uri = self.put(encryptor.update(data))
        return MxStoredFile(uri=uri, key=encryptor.key)

    async def download_file(self, file: MxFile, into: Path, *, max_bytes: int) -> None:
        if file.uri in self.held:
            await self.held[file.uri].wait()
        into.write_bytes(self.files[file.uri])


class FakeTools:
    """The port MediaTools: every file is what it is said to be."""

    def __init__(self) -> None:
        self.faults: deque[ConversionFailed] = deque()
        self.found = ReadyFile(kind=WaKind.IMAGE, mime_type="image/jpeg", width=40, height=30, blurhash="LK")

    async def prepare_for_matrix(
        self, source: Path, kind: WaKind, into: Path, *, with_waveform: bool = False
    ) -> ReadyFile:
        if self.faults:
            raise self.faults.popleft()
        return self.found

    async def prepare_for_whatsapp(self, source: Path, kind: WaKind, into: Path, *, max_bytes: int) -> ReadyFile:
        if self.faults:
            raise self.faults.popleft()
        path = ""
        if source.stat().st_size > max_bytes:
            made = into / "small"
            made.write_bytes(source.read_bytes()[:max_bytes])
            path = str(made)
        return ReadyFile(kind=kind, path=path, mime_type="image/jpeg", width=40, height=30, preview=b"jpeg")


def _fit_the_ports(source: FakeWaFiles, store: FakeMatrixFiles, tools: FakeTools) -> None:
    _a: WaFileSource = source
    _b: MatrixFiles = store
    _c: MediaTools = tools
