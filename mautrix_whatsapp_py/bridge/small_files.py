"""Files of a few kilobytes that the bridge writes or reads itself, such as contacts."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mautrix_whatsapp_py.errors import MediaFailed
from mautrix_whatsapp_py.model.media import MediaUnavailable, MxFile
from mautrix_whatsapp_py.ports import MatrixFiles

NO_WAY = "files are not bridged here."


class SmallFiles:
    """Takes them to and from the homeserver's store, as the larger ones go; without a store they go nowhere."""

    def __init__(self, *, folder: Path | None = None, store: MatrixFiles | None = None) -> None:
        self._folder = folder
        self._store = store

    async def store(
        self, data: bytes, *, mime_type: str, name: str, is_encrypted: bool
    ) -> MxFile | MediaUnavailable:
        """Put a file into the homeserver's store. Raises MatrixUnreachable."""
        if self._store is None:
            return MediaUnavailable(sentence=NO_WAY)
        with self._place() as path:
            await asyncio.to_thread(path.write_bytes, data)
            try:
                stored = await self._store.upload_file(
                    path, mimetype=mime_type, filename=name, is_encrypted=is_encrypted
                )
            except MediaFailed as error:
                return MediaUnavailable(sentence=error.text)
        return MxFile(uri=stored.uri, key=stored.key, mime_type=mime_type, size_bytes=len(data))

    async def read(self, file: MxFile, *, max_bytes: int) -> bytes | MediaUnavailable:
        """What a file holds. Raises MatrixUnreachable."""
        if self._store is None:
            return MediaUnavailable(sentence=NO_WAY)
        with self._place() as path:
            try:
                await self._store.download_file(file, path, max_bytes=max_bytes)
            except MediaFailed as error:
                return MediaUnavailable(sentence=error.text)
            return await asyncio.to_thread(path.read_bytes)

    @contextmanager
    def _place(self) -> Iterator[Path]:
        """A file that is gone afterwards."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            yield Path(folder) / "file"
