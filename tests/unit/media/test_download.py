"""Downloads that cannot be made end in a sentence."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mautrix_whatsapp_py.errors import MediaFailed
from mautrix_whatsapp_py.media.download import AWAY, WaDownloads
from mautrix_whatsapp_py.media.way import open_way
from mautrix_whatsapp_py.model.media import WaFile
from mautrix_whatsapp_py.model.wa_context import WaKind

FILE = WaFile(direct_path="/v/file", media_key=b"k" * 32, sha256=b"", enc_sha256=b"", size_bytes=5)


async def fail(proxy: str, into: Path) -> None:
    """The download ends, and may be tried again."""
    async with open_way(proxy) as session:
        with pytest.raises(MediaFailed) as failed:
            await WaDownloads(session).download_file(FILE, WaKind.IMAGE, into)
    assert failed.value.text == AWAY
    assert failed.value.is_passing


@pytest.mark.parametrize("scheme", ["socks5", "http"])
async def test_a_proxy_that_is_away(tmp_path: Path, scheme: str) -> None:
    await fail(f"{scheme}://127.0.0.1:9", tmp_path / "file")


async def test_a_socks_proxy_that_refuses(tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (b"\x05\x02", b"\x01\x00", b"\x05\x05\0\x01" + bytes(6)):
            asked.append(await reader.read(1_000))
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        await fail(f"socks5://us%40er:pw@127.0.0.1:{server.sockets[0].getsockname()[1]}", tmp_path / "file")
    assert asked[1] == b"\x01\x05us@er\x02pw"
    assert asked[2] == b"\x05\x01\x00\x03\x10mmg.whatsapp.net\x01\xbb"
