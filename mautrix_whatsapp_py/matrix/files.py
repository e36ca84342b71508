"""The homeserver's media store, straight from and to files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

from aiohttp import ClientError, ClientResponse, ClientTimeout
from mautrix.api import Method

from mautrix_whatsapp_py.errors import MatrixError, MatrixUnreachable, MediaFailed
from mautrix_whatsapp_py.ids import MxUri, MxUserId
from mautrix_whatsapp_py.matrix.attachment_crypto import MxDecryptor, MxEncryptor
from mautrix_whatsapp_py.matrix.http import RetryingHttp
from mautrix_whatsapp_py.model.media import MxFile, MxStoredFile
from mautrix_whatsapp_py.tasks import Growth, Unfinished

TOO_LARGE: Final = "it is larger than the homeserver allows ({limit}). Ask its administrator to raise the limit."
OVER_LIMIT: Final = "it is larger than the {limit} that the bridge can send to WhatsApp. Send a smaller file."
REFUSED: Final = "the homeserver would not store it. Open WhatsApp on your phone to see it."
FULL: Final = "the homeserver takes no more files of the bridge for now. Ask its administrator for more room."
MISSING: Final = "the homeserver does not have it. Send it again."
_FULL_CODES: Final = frozenset({"M_USER_LIMIT_EXCEEDED", "M_RESOURCE_LIMIT_EXCEEDED"})
_CHUNK_BYTES: Final = 65_536
_SEALED_TYPE: Final = "application/octet-stream"
_TIMEOUT: Final = ClientTimeout(total=1_800, sock_connect=20, sock_read=60)


class HttpMatrixFiles:
    """Implements MatrixFiles."""

    def __init__(self, http: RetryingHttp, *, bot: MxUserId) -> None:
        self._http = http
        self._bot = bot
        self._limit_bytes: int | None = None

    async def upload_file(
        self, path: Path, *, mimetype: str, filename: str, is_encrypted: bool = False, growth: Growth | None = None
    ) -> MxStoredFile:
        """See MatrixFiles."""
        size = path.stat().st_size if growth is None else growth.whole_bytes  # noqa: ASYNC240  (our own)
        limit = await self.fetch_limit()
        if limit and size > limit:
            raise MediaFailed(TOO_LARGE.format(limit=name_size(limit)))
        url = self._http.base_url / "_matrix/media/v3/upload"
        encryptor = MxEncryptor() if is_encrypted else None
        headers = {
            "Authorization": f"Bearer {self._http.token}",
            "Content-Type": _SEALED_TYPE if is_encrypted else mimetype,
            "Content-Length": str(size),
        }
        query = {"user_id": self._bot} | ({} if is_encrypted else {"filename": filename})
        try:
            with path.open("rb") as file:
                data = _read(file, encryptor) if growth is None else _read_growing(file, encryptor, growth)
                async with self._http.session.post(
                    url, data=data, params=query, headers=headers, timeout=_TIMEOUT
                ) as response:
                    uri = await self._read_uri(response)
            return MxStoredFile(uri=uri, key=None if encryptor is None else encryptor.key)
        except (ClientError, OSError, TimeoutError, asyncio.IncompleteReadError, Unfinished) as error:
            raise MatrixUnreachable from error

    async def download_file(self, file: MxFile, into: Path, *, max_bytes: int) -> None:
        """See MatrixFiles."""
        server, _, media_id = file.uri.removeprefix("mxc://").partition("/")
        if not server or not media_id or "/" in media_id:
            raise MediaFailed(MISSING)
        url = self._http.base_url / "_matrix/client/v1/media/download" / server / media_id
        headers = {"Authorization": f"Bearer {self._http.token}"}
        try:
            async with self._http.session.get(
                url, params={"user_id": self._bot}, headers=headers, timeout=_TIMEOUT
            ) as response:
                _check_download(response.status)
                await _save(response, file, into, max_bytes=max_bytes)
        except (ClientError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise MatrixUnreachable from error

    async def fetch_limit(self) -> int:
        """See MatrixFiles."""
        if self._limit_bytes is None:
            try:
                answer = await self._http.call(Method.GET, "/_matrix/client/v1/media/config")
            except MatrixUnreachable:
                raise
            except MatrixError:
                answer = {}
            limit = answer.get("m.upload.size")
            self._limit_bytes = limit if isinstance(limit, int) else 0
        return self._limit_bytes

    async def _read_uri(self, response: ClientResponse) -> MxUri:
        if response.status == 413:
            self._limit_bytes = None
            raise MediaFailed(TOO_LARGE.format(limit="its limit for files"))
        if response.status in (401, 429) or response.status >= 500:
            raise MatrixUnreachable(status=response.status)
        if response.status != 200:
            raise await _refusal(response)
        answer = await response.json()
        uri = answer.get("content_uri") if isinstance(answer, dict) else None
        if not isinstance(uri, str):
            raise MediaFailed(REFUSED)
        return MxUri(uri)


def name_size(size_bytes: int) -> str:
    """A size as people say it."""
    return f"{size_bytes / (1 << 20):.0f} MB" if size_bytes >= 1 << 20 else f"{size_bytes / 1024:.0f} kB"


async def _refusal(response: ClientResponse) -> MediaFailed:
    """Why a homeserver takes no file; a quota may have room again."""
    try:
        answer = await response.json(content_type=None)
    except ValueError:
        answer = None
    code = answer.get("errcode") if isinstance(answer, dict) else None
    return MediaFailed(FULL, is_passing=True) if code in _FULL_CODES else MediaFailed(REFUSED)


def _check_download(status: int) -> None:
    if status == 200:
        return
    if status in (401, 429) or status >= 500:
        raise MatrixUnreachable(status=status)
    raise MediaFailed(MISSING)


async def _read(file: BinaryIO, encryptor: MxEncryptor | None) -> AsyncIterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield encryptor.update(chunk) if encryptor else chunk


async def _read_growing(file: BinaryIO, encryptor: MxEncryptor | None, growth: Growth) -> AsyncIterator[bytes]:
    position = 0
    while position < growth.whole_bytes:
        readable = await growth.wait_beyond(position)
        chunk = file.read(min(readable - position, _CHUNK_BYTES))
        position += len(chunk)
        yield encryptor.update(chunk) if encryptor else chunk


async def _save(response: ClientResponse, file: MxFile, into: Path, *, max_bytes: int) -> None:
    decryptor = MxDecryptor(file.key) if file.key is not None else None
    left = max_bytes
    with into.open("wb") as out:
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise MediaFailed(OVER_LIMIT.format(limit=name_size(max_bytes)))
            out.write(decryptor.update(chunk) if decryptor else chunk)
    if decryptor is not None:
        decryptor.finish()
