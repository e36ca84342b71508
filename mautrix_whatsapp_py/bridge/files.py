"""Files on their way across, through a folder of our own."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from mautrix_whatsapp_py.convert.media import (
    MAX_UPLOAD_BYTES,
    Uploaded,
    bare_type,
    choose_kind,
    describe_file,
    name_file,
)
from mautrix_whatsapp_py.errors import MediaFailed
from mautrix_whatsapp_py.ids import MxRoomId
from mautrix_whatsapp_py.model.content import MxMessageContent
from mautrix_whatsapp_py.model.media import MediaUnavailable, MxFile, WaMedia
from mautrix_whatsapp_py.ports import Clock, MatrixFiles, WaFileSource, WhatsAppClient

log = logging.getLogger(__name__)

TRIES: Final = 3
_REST_SECONDS: Final = 2.0
_AT_ONCE: Final = 4
"""Files under way at the same time; more would only share the same line."""


class FileBearer(Protocol):
    """Takes files from one side to the other."""

    async def bring_to_matrix(self, media: WaMedia, room_id: MxRoomId | None = None) -> MxFile | MediaUnavailable:
        """A file of a message, in the homeserver's store, for a room that may yet be made. MatrixUnreachable."""

    async def bring_to_whatsapp(
        self, content: MxMessageContent, client: WhatsAppClient
    ) -> Uploaded | MediaUnavailable:
        """A file of an event, on WhatsApp's servers. Raises MatrixUnreachable and WhatsAppError."""


class Files:
    """Implements FileBearer; what lies in its folder when it is made is left over from another run."""

    def __init__(self, *, folder: Path, source: WaFileSource, store: MatrixFiles, clock: Clock) -> None:
        self._folder = folder
        self._source = source
        self._store = store
        self._clock = clock
        self._slots = asyncio.Semaphore(_AT_ONCE)
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():
            left.unlink(missing_ok=True)

    async def bring_to_matrix(self, media: WaMedia, room_id: MxRoomId | None = None) -> MxFile | MediaUnavailable:
        """See FileBearer."""
        async with self._slots:
            with self._place() as path:
                try:
                    await self._download(media, path)
                    described = describe_file(media)
                    if await self._store.seals_files(room_id):
                        sealed, size = await self._store.upload_sealed_file(path), path.stat().st_size
                        return replace(described, uri=sealed.uri, key=sealed.key, size_bytes=size)
                    uri = await self._store.upload_file(
                        path, mimetype=bare_type(described.mime_type), filename=name_file(media)
                    )
                except MediaFailed as error:
                    return MediaUnavailable(sentence=error.text)
                return replace(described, uri=uri, size_bytes=path.stat().st_size)

    async def bring_to_whatsapp(
        self, content: MxMessageContent, client: WhatsAppClient
    ) -> Uploaded | MediaUnavailable:
        """See FileBearer."""
        assert content.file is not None
        async with self._slots:
            with self._place() as path:
                try:
                    await self._store.download_file(content.file, path, max_bytes=MAX_UPLOAD_BYTES)
                except MediaFailed as error:
                    return MediaUnavailable(sentence=error.text)
                kind = choose_kind(content, path.stat().st_size)
                file = await client.upload_file(path, kind)
        mime_type = content.file.mime_type or "application/octet-stream"
        return Uploaded(kind=kind, mime_type=mime_type, file=file)

    async def _download(self, media: WaMedia, path: Path) -> None:
        for attempt in range(1, TRIES):
            try:
                await self._source.download_file(media.file, media.kind, path)
            except MediaFailed as error:
                if not error.is_passing:
                    raise
            else:
                return
            log.info("a download is tried again")
            await self._clock.sleep(_REST_SECONDS * attempt)
        await self._source.download_file(media.file, media.kind, path)

    @contextmanager
    def _place(self) -> Iterator[Path]:
        """A file that is gone afterwards."""
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as made:
            path = Path(made.name)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


class NoFiles:
    """Implements FileBearer where there is no way for files."""

    async def bring_to_matrix(self, media: WaMedia, room_id: MxRoomId | None = None) -> MxFile | MediaUnavailable:
        """See FileBearer."""
        return MediaUnavailable(sentence=f"files are not bridged here ({media.kind}).")

    async def bring_to_whatsapp(
        self, content: MxMessageContent, client: WhatsAppClient
    ) -> Uploaded | MediaUnavailable:
        """See FileBearer."""
        return MediaUnavailable(sentence=f"files are not bridged here ({content.msgtype} to {client.login}).")
