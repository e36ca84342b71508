"""The media hosts, both ways and broken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from neonize.proto.waE2E import WAWebProtobufsE2E_pb2 as e2e
from neonize.utils.enum import MediaType
from neonize.utils.jid import build_jid

from tests.simulator.api import MediaFault, kinds
from tests.simulator.tests.clients import Pair, alice_and_bob

pytestmark = pytest.mark.neonize


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 100_000, 3_000_000])
async def test_files_of_any_size_both_ways(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    async with alice_and_bob(tmp_path) as x:
        if size:
            event = await inbound(x, data)
            assert await x.client.api.download_any(event.Message) == data
        uploaded = await x.client.api.upload(data, MediaType.MediaDocument)
        document = e2e.DocumentMessage(
            URL=uploaded.url,
            directPath=uploaded.DirectPath,
            mediaKey=uploaded.MediaKey,
            fileSHA256=uploaded.FileSHA256,
            fileEncSHA256=uploaded.FileEncSHA256,
            fileLength=uploaded.FileLength,
            mimetype="application/pdf",
        )
        await x.client.api.send_message(build_jid(x.bob.pn.user), e2e.Message(documentMessage=document))
        received = await x.bob.phone.receive_next()
        assert x.bob.phone.download(received.message.documentMessage, "document") == data


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (MediaFault.NOT_FOUND, "404"),
        (MediaFault.GONE, "410"),
        (MediaFault.FORBIDDEN, "403"),
        (MediaFault.TRUNCATED, "hash|length|mac"),
        (MediaFault.WRONG_HASH, "hash|mac"),
    ],
)
async def test_broken_downloads_are_reported(tmp_path: Path, fault: MediaFault, text: str) -> None:
    async with alice_and_bob(tmp_path) as x:
        event = await inbound(x, b"data" * 100)
        x.wa.media.break_downloads(fault)
        with pytest.raises(Exception, match=f"(?i){text}"):
            await x.client.api.download_any(event.Message)
        x.wa.media.repair()
        assert await x.client.api.download_any(event.Message) == b"data" * 100


async def test_slow_download_arrives(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        event = await inbound(x, bytes(100_000))
        x.wa.media.break_downloads(MediaFault.SLOW, "/v/*")
        assert await x.client.api.download_any(event.Message) == bytes(100_000)


async def test_refused_upload_is_reported(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        x.wa.media.upload_status = 413
        with pytest.raises(Exception, match="413"):
            await x.client.api.upload(b"data", MediaType.MediaImage)


async def test_view_of_the_version_page(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        assert str(x.wa.media.client_revision) in (x.wa.media.version_page().text or "")


async def inbound(x: Pair, data: bytes) -> Any:
    """A document from Bob."""
    file = kinds.upload(x.wa.media, data, "document")
    await x.bob.phone.send(x.alice.pn, kinds.document(file, "a.bin"))
    return await x.client.message()
