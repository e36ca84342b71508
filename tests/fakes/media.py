"""The port MatrixFiles in memory."""

from __future__ import annotations

from pathlib import Path

from mautrix_whatsapp_py.errors import MediaFailed
from mautrix_whatsapp_py.ids import MxUri
from mautrix_whatsapp_py.model.media import MxFile, MxStoredFile
from mautrix_whatsapp_py.ports import MatrixFiles
from mautrix_whatsapp_py.tasks import Growth


class FakeMatrixFiles:
    """A media store that refuses nothing."""

    def __init__(self) -> None:
        self.files: dict[MxUri, bytes] = {}

    async def upload_file(
        self, path: Path, *, mimetype: str, filename: str, is_encrypted: bool = False, growth: Growth | None = None
    ) -> MxStoredFile:
        uri = MxUri(f"mxc://localhost/{len(self.files)}")
        self.files[uri] = path.read_bytes()
        return MxStoredFile(uri=uri)

    async def fetch_limit(self) -> int:
        return 0

    async def download_file(self, file: MxFile, into: Path, *, max_bytes: int) -> None:
        if file.uri not in self.files:
            raise MediaFailed("it is gone.")
        into.write_bytes(self.files[file.uri][:max_bytes])


def _fits_the_port(files: FakeMatrixFiles) -> MatrixFiles:
    return files
