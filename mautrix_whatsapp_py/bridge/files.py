"""Files on their way across, through a folder of our own."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol, TypeAlias, TypeVar

from mautrix_whatsapp_py.bridge.file_slots import ByteBudget
from mautrix_whatsapp_py.convert import file_words
from mautrix_whatsapp_py.convert.media import (
    MAX_BYTES,
    MAX_UPLOAD_BYTES,
    Uploaded,
    as_document,
    bare_type,
    complete_file,
    describe_file,
    mime_type_of,
    name_file,
    wanted_kind,
)
from mautrix_whatsapp_py.errors import ConversionFailed, MatrixUnreachable, MediaFailed
from mautrix_whatsapp_py.model.content import MxMessageContent, WaKind
from mautrix_whatsapp_py.model.media import MediaUnavailable, MxFile, MxStoredFile, MxThumbnail, WaMedia
from mautrix_whatsapp_py.model.media_ready import ReadyFile, ReadyThumbnail, UnreadyReason
from mautrix_whatsapp_py.ports import Clock, MatrixFiles, MediaTools, WaFileSource, WhatsAppClient
from mautrix_whatsapp_py.tasks import Growth, Unfinished

log = logging.getLogger(__name__)

Result = TypeVar("Result")
TRIES: Final = 3
_REST_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 120.0
"""How long a chat waits for a file; what takes longer is put in its place afterwards."""
_PREVIEW_SECONDS: Final = 5.0
"""How long a reply waits for what is nice to have."""
_PREVIEWED_BYTES: Final = 8 << 20
_UPLOADED_BYTES: Final = 2 * MAX_UPLOAD_BYTES
"""What session hosts hold in memory at the same time for uploads; the library needs several times as much."""
_LOTTIE: Final = "application/was"
_EARLY_BYTES: Final = 256 << 10
"""Smaller files are there before anything could be begun with them."""

_Early: TypeAlias = asyncio.Future[MxStoredFile | None] | None


class FileBearer(Protocol):
    """Takes files from one side to the other."""

    async def bring_to_matrix(
        self, media: WaMedia, *, is_encrypted: bool = False, is_patient: bool = False
    ) -> MxFile | MediaUnavailable:
        """A file of a message, in the homeserver's store; whoever is patient waits for a slow one."""

    async def bring_to_whatsapp(
        self, content: MxMessageContent, client: WhatsAppClient
    ) -> Uploaded | MediaUnavailable:
        """A file of an event, on WhatsApp's servers. Raises MatrixUnreachable and WhatsAppError."""

    async def fetch_preview(self, picture: MxFile) -> bytes | None:
        """The tiny JPEG by which phones show a picture; None where that cannot be had soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What was seen in a file."""

    ready: ReadyFile | None = None
    thumbnail: MxThumbnail | None = None
    is_dangerous: bool = False

    def complete(self, file: MxFile) -> MxFile:
        if self.ready is None:
            return replace(file, is_bare=self.is_dangerous)
        return replace(complete_file(file, self.ready), thumbnail=self.thumbnail)


class Files:
    """Implements FileBearer; what lies in its folder when it is made is left over from another run.

    Every chat has one file under way at a time in each direction, by the order of its queue: no chat can take the
    line from the others.
    """

    def __init__(
        self, *, folder: Path, source: WaFileSource, store: MatrixFiles, tools: MediaTools, clock: Clock
    ) -> None:
        self._folder = folder
        self._source = source
        self._store = store
        self._tools = tools
        self._clock = clock
        self._uploads = ByteBudget(_UPLOADED_BYTES)
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():
            _remove(left)

    async def bring_to_matrix(
        self, media: WaMedia, *, is_encrypted: bool = False, is_patient: bool = False
    ) -> MxFile | MediaUnavailable:
        """See FileBearer."""
        try:
            with self._place() as folder:
                async with asyncio.timeout(None if is_patient else _PATIENCE_SECONDS):
                    path = folder / "source"
                    async with self._downloaded(media, path, is_encrypted=is_encrypted) as early:
                        return await self._store_file(media, path, folder, early, is_encrypted=is_encrypted)
        except MediaFailed as error:
            return MediaUnavailable(sentence=error.text, is_passing=error.is_passing)
        except TimeoutError:
            return MediaUnavailable(sentence=file_words.TOO_SLOW, is_passing=True)

    @asynccontextmanager
    async def _downloaded(self, media: WaMedia, path: Path, *, is_encrypted: bool) -> AsyncIterator[_Early]:
        """Have the file; and its upload under way, which may begin while the file comes."""
        early: _Early = None
        if await self._may_begin_early(media):
            growth = Growth(media.file.size_bytes)
            path.touch()  # noqa: ASYNC240  (a file of our own)
            early = asyncio.ensure_future(self._store_early(media, path, growth, is_encrypted=is_encrypted))
            try:
                await self._source.download_file(media.file, media.kind, path, growth)
            except BaseException as error:
                await _end(early)
                if not isinstance(error, MediaFailed) or not error.is_passing:
                    raise
                early = None
        if early is None:
            await self._retrying(lambda: self._source.download_file(media.file, media.kind, path))
        try:
            yield early
        finally:
            if early is not None:
                await _end(early)

    async def _may_begin_early(self, media: WaMedia) -> bool:
        """Whether a file goes into the store as it is, and is worth the trouble."""
        size = media.file.size_bytes
        if size < _EARLY_BYTES or media.kind is WaKind.GIF or bare_type(media.mime_type) == _LOTTIE:
            return False
        try:
            limit = await self._store.fetch_limit()
        except MatrixUnreachable:
            return False
        return not limit or size <= limit

    async def _store_early(
        self, media: WaMedia, path: Path, growth: Growth, *, is_encrypted: bool
    ) -> MxStoredFile | None:
        """None when it must be stored once more, as a whole."""
        try:
            await growth.wait_beyond(0)
            mime_type = mime_type_of(media)
            return await self._store.upload_file(
                path,
                mimetype=bare_type(mime_type),
                filename=name_file(media, mime_type),
                is_encrypted=is_encrypted,
                growth=growth,
            )
        except (MatrixUnreachable, MediaFailed, Unfinished) as error:
            log.info("a file is stored once more: %s", type(error).__name__)
            return None

    async def _store_file(
        self, media: WaMedia, path: Path, folder: Path, early: _Early, *, is_encrypted: bool
    ) -> MxFile:
        described = describe_file(media)
        if media.kind is WaKind.GIF or bare_type(media.mime_type) == _LOTTIE:
            # What it is made into is what is stored.
            found = await self._look(media, path, folder, is_encrypted=is_encrypted)
            made = Path(found.ready.path) if found.ready is not None and found.ready.path else path
            described = found.complete(described)
            return await self._store_whole(media, described, made, is_encrypted=is_encrypted)
        async with _beside(self._look(media, path, folder, is_encrypted=is_encrypted)) as looking:
            if early is not None and (there := await early) is not None:
                whole = replace(described, uri=there.uri, key=there.key, size_bytes=_size(path))
                return (await looking).complete(whole)
            described, fitting = await self._fit(described, path, folder, media.kind)
            stored = await self._store_whole(media, described, fitting, is_encrypted=is_encrypted)
            shown = (await looking).complete(stored)
            return shown if fitting == path else replace(shown, width=described.width, height=described.height)

    async def _fit(self, file: MxFile, path: Path, folder: Path, kind: WaKind) -> tuple[MxFile, Path]:
        """A picture that the homeserver has room for; what cannot be made smaller it will refuse."""
        try:
            limit = await self._store.fetch_limit()
            if kind is not WaKind.IMAGE or not 0 < limit < _size(path):
                return file, path
            place = folder / "smaller"
            place.mkdir()
            ready = await self._tools.prepare_for_whatsapp(path, kind, place, max_bytes=limit)
        except (ConversionFailed, MatrixUnreachable):
            return file, path
        if ready.kind is not kind or not ready.path:
            return file, path
        smaller = replace(file, mime_type=ready.mime_type, width=ready.width, height=ready.height)
        return smaller, Path(ready.path)

    async def _store_whole(self, media: WaMedia, file: MxFile, path: Path, *, is_encrypted: bool) -> MxFile:
        name = name_file(media, file.mime_type)
        stored = await self._upload(path, file.mime_type, name, is_encrypted=is_encrypted)
        return replace(file, uri=stored.uri, key=stored.key, size_bytes=_size(path))

    async def _look(self, media: WaMedia, path: Path, folder: Path, *, is_encrypted: bool) -> _Found:
        """What is in a file; why nobody should look is no reason not to pass it on."""
        with_waveform = media.kind is WaKind.VOICE and not any(media.waveform)
        try:
            ready = await self._tools.prepare_for_matrix(path, media.kind, folder, with_waveform=with_waveform)
        except ConversionFailed as error:
            return _Found(is_dangerous=UnreadyReason(error.code).is_dangerous)
        thumbnail: MxThumbnail | None = None
        if ready.thumbnail is not None:
            thumbnail = await self._store_thumbnail(ready.thumbnail, is_encrypted=is_encrypted)
        return _Found(ready=ready, thumbnail=thumbnail)

    async def _store_thumbnail(self, made: ReadyThumbnail, *, is_encrypted: bool) -> MxThumbnail | None:
        path = Path(made.path)
        try:
            stored = await self._upload(path, made.mime_type, path.name, is_encrypted=is_encrypted)
        except MediaFailed:
            return None
        return MxThumbnail(
            stored=stored,
            mime_type=made.mime_type,
            size_bytes=made.size_bytes,
            width=made.width,
            height=made.height,
        )

    async def _upload(self, path: Path, mime_type: str, name: str, *, is_encrypted: bool) -> MxStoredFile:
        """MatrixUnreachable becomes a failure that passes: the homeserver may take messages all the same."""

        async def upload() -> MxStoredFile:
            try:
                return await self._store.upload_file(
                    path, mimetype=bare_type(mime_type), filename=name, is_encrypted=is_encrypted
                )
            except MatrixUnreachable as error:
                raise MediaFailed(file_words.NOT_STORED, is_passing=True) from error

        return await self._retrying(upload)

    async def bring_to_whatsapp(
        self, content: MxMessageContent, client: WhatsAppClient
    ) -> Uploaded | MediaUnavailable:
        """See FileBearer."""
        assert content.file is not None
        with self._place() as folder:
            path = folder / "source"
            try:
                await self._store.download_file(content.file, path, max_bytes=MAX_UPLOAD_BYTES)
            except MediaFailed as error:
                return MediaUnavailable(sentence=error.text)
            try:
                ready, note = await self._make_ready(content, path, folder), ""
            except ConversionFailed as error:
                reason = UnreadyReason(error.code)
                if reason.is_dangerous:
                    return MediaUnavailable(sentence=file_words.refuse_file(reason))
                kind = wanted_kind(content)
                ready, note = as_document(content), file_words.tell_document(kind, reason, MAX_BYTES[kind])
            made = Path(ready.path) if ready.path else path
            async with self._uploads.taken(_size(made)):
                file = await client.upload_file(made, ready.kind)
        return Uploaded(ready=ready, file=file, note=note)

    async def fetch_preview(self, picture: MxFile) -> bytes | None:
        """See FileBearer."""
        with self._place() as folder:
            path = folder / "source"
            try:
                async with asyncio.timeout(_PREVIEW_SECONDS):
                    await self._store.download_file(picture, path, max_bytes=_PREVIEWED_BYTES)
                    ready = await self._tools.prepare_for_whatsapp(
                        path, WaKind.IMAGE, folder, max_bytes=_PREVIEWED_BYTES
                    )
            except (MediaFailed, MatrixUnreachable, ConversionFailed, TimeoutError):
                return None
        return ready.preview or None

    async def _make_ready(self, content: MxMessageContent, path: Path, folder: Path) -> ReadyFile:
        kind = wanted_kind(content)
        if kind is WaKind.DOCUMENT:
            return as_document(content)
        limit = MAX_BYTES[kind]
        ready = await self._tools.prepare_for_whatsapp(path, kind, folder, max_bytes=limit)
        made = Path(ready.path) if ready.path else path
        if _size(made) > limit:
            raise ConversionFailed(UnreadyReason.TOO_LARGE)
        return ready

    async def _retrying(self, act: Callable[[], Awaitable[Result]]) -> Result:
        """Do something that may fail in passing, a few times."""
        for attempt in range(1, TRIES):
            try:
                return await act()
            except MediaFailed as error:
                if not error.is_passing:
                    raise
            log.info("a file is tried again")
            await self._clock.sleep(_REST_SECONDS * attempt)
        return await act()

    @contextmanager
    def _place(self) -> Iterator[Path]:
        """A folder that is gone afterwards."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            yield folder
        finally:
            _remove(folder)


@asynccontextmanager
async def _beside(work: Awaitable[Result]) -> AsyncIterator[Awaitable[Result]]:
    """Something that goes on beside the block, and not after it."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        await _end(task)


async def _end(task: asyncio.Future[Result]) -> None:
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _size(path: Path) -> int:
    return path.stat().st_size


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


class NoFiles:
    """Implements FileBearer where there is no way for files."""

    async def bring_to_matrix(
        self, media: WaMedia, *, is_encrypted: bool = False, is_patient: bool = False
    ) -> MxFile | MediaUnavailable:
        """See FileBearer."""
        return MediaUnavailable(sentence=f"files are not bridged here ({media.kind}).", may_be_retried=False)

    async def bring_to_whatsapp(
        self, content: MxMessageContent, client: WhatsAppClient
    ) -> Uploaded | MediaUnavailable:
        """See FileBearer."""
        return MediaUnavailable(sentence=f"files are not bridged here ({content.msgtype} to {client.login}).")

    async def fetch_preview(self, picture: MxFile) -> bytes | None:
        """See FileBearer."""
