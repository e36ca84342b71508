"""Whatever goes wrong with a file on either side of the bridge: its notice says so, and asking again brings it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientTimeout, web

from mautrix_whatsapp_py.bridge.files import Files
from mautrix_whatsapp_py.convert import file_words
from mautrix_whatsapp_py.matrix import files as matrix_files
from mautrix_whatsapp_py.matrix.files import HttpMatrixFiles
from mautrix_whatsapp_py.matrix.http import Patience, RetryingHttp
from mautrix_whatsapp_py.media import download
from mautrix_whatsapp_py.media.download import WaDownloads
from mautrix_whatsapp_py.model.content import MxEdit, MxMessageContent, MxMsgType
from mautrix_whatsapp_py.model.media import WaFile, WaMedia
from mautrix_whatsapp_py.model.wa_context import WaKind
from tests.fakes.files import FakeTools
from tests.flow.chat import Chat
from tests.flow.world import DEADLINE_SECONDS, World
from tests.simulator.media_crypto import encrypt_media

PHOTO = bytes(range(256)) * 400
LARGE_PHOTO = bytes(range(256)) * 4_000
"""Its upload begins while it comes."""
SHORT = ClientTimeout(total=10, sock_read=0.2)
NOT_FOUND, GONE, FORBIDDEN, BUSY, DOWN, LARGE = 404, 410, 403, 429, 503, 413


@dataclass(slots=True)
class Servers:
    """WhatsApp's media host and the homeserver's media store, each with what is wrong with it."""

    blob: bytes = b""
    wa_fault: int | str = 0
    mx_fault: int | str = 0
    errcode: str = ""
    stored: list[bytes] = field(default_factory=list)

    async def download(self, request: web.Request) -> web.StreamResponse:
        match self.wa_fault:
            case "truncated":
                return web.Response(body=self.blob[:1_000])
            case "cut off":
                return await self._cut_off(request)
            case "wrong hash":
                return web.Response(body=bytes(byte ^ 1 for byte in self.blob))
            case "hanging":
                return await self._hang(request)
            case int(status) if status:
                return web.Response(status=status)
            case _:
                return web.Response(body=self.blob)

    async def upload(self, request: web.Request) -> web.StreamResponse:
        data = await request.read()
        match self.mx_fault:
            case "hanging":
                return await self._hang(request)
            case int(status) if status:
                return web.json_response({"errcode": self.errcode}, status=status)
            case _:
                self.stored.append(data)
                return web.json_response({"content_uri": f"mxc://localhost/{len(self.stored)}"})

    async def limit(self, _request: web.Request) -> web.Response:
        return web.json_response({})

    async def _cut_off(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": str(len(self.blob))})
        await answer.prepare(request)
        await answer.write(self.blob[:1_000])
        assert request.transport is not None
        request.transport.close()
        return answer

    async def _hang(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await asyncio.Event().wait()
        return answer


@pytest.fixture
async def servers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Servers]:
    made = Servers()
    app = web.Application(client_max_size=1 << 24)
    app.router.add_get("/photo", made.download)
    app.router.add_post("/_matrix/media/v3/upload", made.upload)
    app.router.add_get("/_matrix/client/v1/media/config", made.limit)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setattr(download, "HOST", f"http://127.0.0.1:{runner.addresses[0][1]}")
    monkeypatch.setattr(download, "_TIMEOUT", SHORT)
    monkeypatch.setattr(matrix_files, "_TIMEOUT", SHORT)
    yield made
    await runner.cleanup()


@pytest.fixture
async def chat(world: World, servers: Servers, tmp_path: Path) -> AsyncIterator[Chat]:
    folder = tmp_path / "media"
    async with ClientSession() as session:
        http = RetryingHttp(download.HOST, "token", session=session, clock=world.clock, patience=Patience())
        store = HttpMatrixFiles(http, bot=world.matrix.bot)
        source = WaDownloads(session)
        world.files = Files(folder=folder, source=source, store=store, tools=FakeTools(), clock=world.clock)
        await world.restart()
        chat = await Chat.open(world)
        await chat.hear("hello")
        yield chat
        await world.bridge.stop(seconds=1)
    assert not list(folder.iterdir()), "a file was left behind"


def photo(servers: Servers, data: bytes) -> WaMedia:
    sealed = encrypt_media(data, "image")
    servers.blob = sealed.blob
    file = WaFile(
        direct_path="/photo",
        media_key=sealed.key,
        sha256=hashlib.sha256(data).digest(),
        enc_sha256=hashlib.sha256(sealed.blob).digest(),
        size_bytes=len(data),
    )
    return WaMedia(kind=WaKind.IMAGE, file=file, mime_type="image/jpeg", caption="look")


def newest(chat: Chat) -> MxMessageContent:
    content = chat.world.chats.said[-1].content
    assert isinstance(content, MxMessageContent)
    return content


async def settle(chat: Chat, work: asyncio.Future[None]) -> None:
    """Let time pass until something is done."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not work.done():
            chat.world.clock.advance(5)
            await asyncio.wait({work}, timeout=0.01)
    work.result()


async def fail_and_mend(
    chat: Chat, servers: Servers, sentence: str, *, is_passing: bool, data: bytes = PHOTO
) -> None:
    """The notice is right; once all is well, asking for the file edits the notice into it."""
    stored = len(servers.stored)
    event = chat.message(photo(servers, data))
    chat.world.bridge.on_wa_event(chat.client.login, chat._ids.__next__(), event)  # type: ignore[arg-type]
    await chat.let_time_pass()
    notice = chat.world.chats.said[-1].event_id
    said = newest(chat)
    assert said.msgtype is MxMsgType.NOTICE
    assert sentence in said.body
    assert said.body.endswith("look")
    assert (file_words.GOES_ON in said.body) is is_passing
    assert file_words.HOW_TO_RETRY in said.body
    assert len(servers.stored) == stored
    servers.wa_fault = servers.mx_fault = 0
    chat.world.chats.written[notice] = said
    await chat.react("🔁", notice)
    missing = chat.world.bridge.missing_files
    await missing.try_due()
    await settle(chat, asyncio.ensure_future(missing.idle()))
    shown = newest(chat)
    assert (shown.msgtype, shown.relation, shown.body) == (MxMsgType.IMAGE, MxEdit(event_id=notice), "look")
    assert servers.stored[stored:] == [data]


async def test_what_whatsapp_does_not_give(chat: Chat, servers: Servers) -> None:
    faults: tuple[tuple[int | str, str, bool], ...] = (
        (NOT_FOUND, download.GONE, False),
        (GONE, download.GONE, False),
        (FORBIDDEN, download.GONE, False),
        (BUSY, download.AWAY, True),
        (DOWN, download.AWAY, True),
        ("hanging", download.AWAY, True),
        ("cut off", download.AWAY, True),
        ("truncated", download.BROKEN, True),
        ("wrong hash", download.BROKEN, True),
    )
    for data, (fault, sentence, is_passing) in product((PHOTO, LARGE_PHOTO), faults):
        servers.wa_fault = fault
        await fail_and_mend(chat, servers, sentence, is_passing=is_passing, data=data)


async def test_what_the_homeserver_does_not_take(chat: Chat, servers: Servers) -> None:
    faults: tuple[tuple[int | str, str, str, bool], ...] = (
        (LARGE, "M_TOO_LARGE", "it is larger than the homeserver allows", False),
        (BUSY, "M_LIMIT_EXCEEDED", file_words.NOT_STORED, True),
        (FORBIDDEN, "M_USER_LIMIT_EXCEEDED", matrix_files.FULL, True),
        (FORBIDDEN, "M_RESOURCE_LIMIT_EXCEEDED", matrix_files.FULL, True),
        (FORBIDDEN, "M_FORBIDDEN", matrix_files.REFUSED, False),
        (DOWN, "", file_words.NOT_STORED, True),
        ("hanging", "", file_words.NOT_STORED, True),
    )
    for data, (fault, errcode, sentence, is_passing) in product((PHOTO, LARGE_PHOTO), faults):
        servers.mx_fault, servers.errcode = fault, errcode
        await fail_and_mend(chat, servers, sentence, is_passing=is_passing, data=data)
