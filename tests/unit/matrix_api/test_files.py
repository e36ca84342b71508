"""The homeserver's media store: what is put there, what comes back, and what it says no to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from mautrix_whatsapp_py.errors import MatrixUnreachable, MediaFailed
from mautrix_whatsapp_py.ids import MxUri
from mautrix_whatsapp_py.matrix.files import HttpMatrixFiles
from mautrix_whatsapp_py.matrix.http import Patience, RetryingHttp
from mautrix_whatsapp_py.model.media import MxFile
from mautrix_whatsapp_py.tasks import Growth
from tests.unit.matrix_api.conftest import BOT, TOKEN, ImpatientClock

DATA = bytes(range(256)) * 1_000


class MediaServer:
    """Keeps what it is given, unless told otherwise."""

    def __init__(self) -> None:
        self.status = 200
        self.is_cut_short = False
        self.body = b""
        self.headers: dict[str, str] = {}
        self.query: dict[str, str] = {}

    async def put(self, request: web.Request) -> web.Response:
        self.body, self.headers, self.query = await request.read(), dict(request.headers), dict(request.query)
        return web.json_response({"content_uri": "mxc://localhost/one"}, status=self.status)

    async def get(self, request: web.Request) -> web.StreamResponse:
        if not self.is_cut_short:
            return web.Response(body=self.body, status=self.status)
        answer = web.StreamResponse(headers={"Content-Length": str(len(self.body))})
        await answer.prepare(request)
        await answer.write(self.body[:1_000])
        assert request.transport is not None
        request.transport.close()
        return answer

    async def config(self, request: web.Request) -> web.Response:
        return web.json_response({"m.upload.size": 1 << 20})


@pytest.fixture
def server() -> MediaServer:
    return MediaServer()


@pytest.fixture
async def files(server: MediaServer) -> AsyncIterator[HttpMatrixFiles]:
    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/_matrix/media/v3/upload", server.put)
    app.router.add_get("/_matrix/client/v1/media/config", server.config)
    app.router.add_get("/_matrix/client/v1/media/download/localhost/one", server.get)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with ClientSession() as session:
        http = RetryingHttp(
            f"http://127.0.0.1:{runner.addresses[0][1]}",
            TOKEN,
            session=session,
            clock=ImpatientClock(),
            patience=Patience(retry_limit=1, attempt_seconds=5, total_seconds=10),
        )
        yield HttpMatrixFiles(http, bot=BOT)
    await runner.cleanup()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(DATA)
    return path


async def test_a_file_goes_as_it_is(files: HttpMatrixFiles, server: MediaServer, source: Path) -> None:
    stored = await files.upload_file(source, mimetype="image/jpeg", filename="a.jpg")
    assert (stored.uri, stored.key, server.body) == ("mxc://localhost/one", None, DATA)
    assert server.headers["Content-Type"] == "image/jpeg"
    assert server.headers["Content-Length"] == str(len(DATA))
    assert server.query["filename"] == "a.jpg"


async def test_a_file_for_an_encrypted_room_says_nothing_of_itself(
    files: HttpMatrixFiles, server: MediaServer, source: Path, tmp_path: Path
) -> None:
    stored = await files.upload_file(source, mimetype="image/jpeg", filename="a.jpg", is_encrypted=True)
    assert server.body != DATA
    assert len(server.body) == len(DATA)
    assert server.headers["Content-Type"] == "application/octet-stream"
    assert "filename" not in server.query
    back = tmp_path / "back"
    await files.download_file(MxFile(uri=stored.uri, key=stored.key), back, max_bytes=1 << 20)
    assert back.read_bytes() == DATA
    server.body = bytes([server.body[0] ^ 1]) + server.body[1:]
    with pytest.raises(MediaFailed):
        await files.download_file(MxFile(uri=stored.uri, key=stored.key), back, max_bytes=1 << 20)


@pytest.mark.parametrize("is_encrypted", [False, True])
async def test_a_file_goes_while_it_grows(
    files: HttpMatrixFiles, server: MediaServer, tmp_path: Path, is_encrypted: bool
) -> None:
    path, growth = tmp_path / "growing", Growth(len(DATA))
    path.touch()
    uploading = asyncio.create_task(
        files.upload_file(path, mimetype="x/y", filename="a", is_encrypted=is_encrypted, growth=growth)
    )
    with path.open("wb", buffering=0) as out:
        for at in range(0, len(DATA), 10_000):
            out.write(DATA[at : at + 10_000])
            growth.grew(out.tell())
            await asyncio.sleep(0)
    assert not uploading.done()
    growth.end()
    stored = await uploading
    back = tmp_path / "back"
    await files.download_file(MxFile(uri=stored.uri, key=stored.key), back, max_bytes=1 << 20)
    assert back.read_bytes() == DATA
    assert (server.body == DATA) is not is_encrypted


@pytest.mark.parametrize("written", [0, 100, len(DATA) - 1, len(DATA) + 1])
async def test_a_file_that_never_becomes_whole_is_not_stored(
    files: HttpMatrixFiles, server: MediaServer, tmp_path: Path, written: int
) -> None:
    path, growth = tmp_path / "growing", Growth(len(DATA))
    path.write_bytes((DATA + DATA)[:written])
    growth.grew(written)
    growth.end()
    with pytest.raises(MatrixUnreachable):
        await files.upload_file(path, mimetype="x/y", filename="a", growth=growth)
    assert not server.body


async def test_limits_are_named(files: HttpMatrixFiles, server: MediaServer, tmp_path: Path, source: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(MediaFailed, match="1 MB"):
        await files.upload_file(large, mimetype="image/jpeg", filename="a.jpg")
    server.status = 413
    with pytest.raises(MediaFailed, match="larger than the homeserver allows"):
        await files.upload_file(source, mimetype="image/jpeg", filename="a.jpg")
    server.status, server.body = 200, DATA
    with pytest.raises(MediaFailed, match="100 kB"):
        await files.download_file(MxFile(uri=MxUri("mxc://localhost/one")), tmp_path / "x", max_bytes=100 * 1024)


async def test_what_may_heal_is_told_from_what_will_not(
    files: HttpMatrixFiles, server: MediaServer, source: Path, tmp_path: Path
) -> None:
    file = MxFile(uri=MxUri("mxc://localhost/one"))
    for status in (429, 500, 502):
        server.status = status
        with pytest.raises(MatrixUnreachable):
            await files.upload_file(source, mimetype="image/jpeg", filename="a.jpg")
        with pytest.raises(MatrixUnreachable):
            await files.download_file(file, tmp_path / "x", max_bytes=1 << 20)
    for status in (403, 404):
        server.status = status
        with pytest.raises(MediaFailed):
            await files.upload_file(source, mimetype="image/jpeg", filename="a.jpg")
        with pytest.raises(MediaFailed):
            await files.download_file(file, tmp_path / "x", max_bytes=1 << 20)
    server.status, server.body, server.is_cut_short = 200, DATA, True
    with pytest.raises(MatrixUnreachable):
        await files.download_file(file, tmp_path / "x", max_bytes=1 << 20)
