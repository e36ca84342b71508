"""Files that clients hand over, and files of items that they fetch."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from aiohttp import hdrs, web

from mautrix_whatsapp_py.channel.accounts import Account
from mautrix_whatsapp_py.channel.attachments import MEGABYTE, Attachment, guess_mime
from mautrix_whatsapp_py.channel.faults import ChannelFault, FaultKind, bad_request, not_allowed, unknown
from mautrix_whatsapp_py.channel.feed import Feed, read_cursor
from mautrix_whatsapp_py.channel.fetching import Fetcher
from mautrix_whatsapp_py.channel.service import Channel
from mautrix_whatsapp_py.channel.web import shapes
from mautrix_whatsapp_py.channel.web.answers import answer
from mautrix_whatsapp_py.errors import MediaFailed
from mautrix_whatsapp_py.ports import Clock, WaFileSource

UPLOAD_SECONDS = 3600.0
MAX_UPLOADS = 100
_INDEX = re.compile(r"0|[1-9][0-9]{0,2}")
_MIME = re.compile(r"[\w.+-]+/[\w.+-]+(?:; ?[\w=.+-]+)*", re.ASCII)
_CHUNK = 1 << 16
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\\"]+")


class MediaDesk:
    """The folder of uploads and the two ways for files."""

    def __init__(
        self,
        channel: Channel,
        *,
        folder: Path,
        roots: tuple[Path, ...],
        fetcher: Fetcher,
        source: WaFileSource,
        clock: Clock,
    ) -> None:
        self._channel = channel
        self._folder = folder
        self._roots = tuple(root.resolve() for root in roots)
        self._fetcher = fetcher
        self._source = source
        self._clock = clock
        self._uploads: dict[str, tuple[Path, str, float]] = {}

    # Out

    async def upload(self, request: web.Request) -> web.Response:
        """Take a file that is to be sent."""
        self._forget_old()
        if len(self._uploads) >= MAX_UPLOADS:
            raise ChannelFault(FaultKind.TOO_OFTEN, "Too many files wait to be sent. Send some of them first.")
        name = clean_name(request.query.get("name", ""))
        upload = secrets.token_hex(16)
        path = self._folder / f"upload-{upload}"
        limit = self._max_bytes()
        size = 0
        try:
            with path.open("xb") as out:
                path.chmod(0o600)
                async for chunk in request.content.iter_chunked(_CHUNK):
                    size += len(chunk)
                    if size > limit:
                        raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=size)
                    out.write(chunk)
            if not size:
                raise bad_request("The file is empty.")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._uploads[upload] = (path, name, self._clock.monotonic() + UPLOAD_SECONDS)
        return answer(shapes.Uploaded(upload=upload, size=size))

    @asynccontextmanager
    async def opened(self, media: shapes.MediaRef | None, account: Account) -> AsyncIterator[Attachment | None]:
        """The file that a request names, while it is sent; ChannelFault when there is none."""
        if media is None:
            yield None
            return
        if (media.upload is None) == (media.url is None):
            raise bad_request("Give the file as upload or as url, one of them.")
        path, name, is_ours = await self._find(media, account)
        name = clean_name(media.name) or name or "file"
        try:
            yield Attachment(
                path=path,
                mime=guess_mime(name, media.mime),
                name=name,
                plays_as_gif=media.gif_playback,
                is_document=media.as_document,
            )
        finally:
            if is_ours:
                path.unlink(missing_ok=True)

    async def _find(self, media: shapes.MediaRef, account: Account) -> tuple[Path, str, bool]:
        if media.upload is not None:
            self._forget_old()
            found = self._uploads.get(media.upload)
            if found is None:
                raise unknown("There is no such upload. Uploads are kept for an hour.")
            return found[0], found[1], False
        url = media.url or ""
        scheme = urlsplit(url).scheme.lower()
        if scheme == "file":
            path = self._require_inside(url)
            return path, path.name, False
        if scheme not in ("http", "https"):
            raise bad_request("The url must begin with https://, http:// or file://.")
        # A picture may be larger than what is sent: it is made to fit.
        limit = max(account.keys.outbound_media_max_mb, account.keys.media_max_mb) * MEGABYTE
        into = self._folder / f"fetched-{secrets.token_hex(16)}"
        try:
            await self._fetcher.fetch(url, into, max_bytes=limit)
        except BaseException:
            into.unlink(missing_ok=True)
            raise
        return into, clean_name(unquote(urlsplit(url).path.rpartition("/")[2])), True

    def _require_inside(self, url: str) -> Path:
        """A file below one of the allowed folders, links followed first."""
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost"):
            raise bad_request("A file:// address names a file of this machine: file:///folder/file.")
        try:
            path = Path(unquote(parts.path)).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            raise not_allowed("That file is not below one of media_roots.") from None
        if not path.is_file() or not any(path.is_relative_to(root) for root in self._roots):
            raise not_allowed("That file is not below one of media_roots.")
        return path

    def _forget_old(self) -> None:
        now = self._clock.monotonic()
        for upload in [one for one, (_, _, until) in self._uploads.items() if until <= now]:
            self._uploads.pop(upload)[0].unlink(missing_ok=True)

    def _max_bytes(self) -> int:
        accounts = self._channel.deps.accounts.all
        return max(max(one.keys.media_max_mb, one.keys.outbound_media_max_mb) for one in accounts) * MEGABYTE

    # In

    async def download(self, request: web.Request) -> web.StreamResponse:
        """A file of an item, fetched from WhatsApp."""
        feed: Feed = self._channel.deps.feed
        item = await feed.get(read_cursor(request.match_info["cursor"]))
        index = request.match_info["index"]
        files = () if item is None else item.body.files
        if item is None or not _INDEX.fullmatch(index) or int(index) >= len(files):
            raise unknown("There is no such file. Files can be fetched until their item is acknowledged.")
        file = files[int(index)]
        account = self._channel.require_account(item.account)
        if file.media is None:
            raise unknown("There is no such file.")
        if file.size > account.keys.media_max_mb * MEGABYTE:
            raise ChannelFault(FaultKind.TOO_LARGE, "The file is larger than the account's media_max_mb.")
        path = self._folder / f"download-{secrets.token_hex(16)}"
        try:
            await self._source.download_file(file.media.file, file.media.kind, path)
            return await _serve(request, path, file.mime)
        except MediaFailed as error:
            raise ChannelFault(FaultKind.AWAY, f"The file could not be fetched: {error.text}") from None
        finally:
            path.unlink(missing_ok=True)


async def _serve(request: web.Request, path: Path, mime: str) -> web.StreamResponse:
    headers = {
        hdrs.CONTENT_TYPE: mime if _MIME.fullmatch(mime) else "application/octet-stream",
        hdrs.CONTENT_DISPOSITION: "attachment",
        "X-Content-Type-Options": "nosniff",
    }
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            await response.write(chunk)
    await response.write_eof()
    return response


def clean_name(name: str) -> str:
    """A file's name that is no path."""
    return _UNSAFE.sub("_", name).strip(" .")[:200]
