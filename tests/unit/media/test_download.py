"""Downloads that cannot be made end in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import ClientSession

from mautrix_whatsapp_py.errors import MediaFailed
from mautrix_whatsapp_py.media.download import AWAY, WaDownloads
from mautrix_whatsapp_py.model.media import WaFile
from mautrix_whatsapp_py.model.wa_context import WaKind


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "http://127.0.0.1:9"])
async def test_a_proxy_that_cannot_be_used(tmp_path: Path, proxy: str) -> None:
    file = WaFile(direct_path="/v/file", media_key=b"k" * 32, sha256=b"", enc_sha256=b"", size_bytes=5)
    async with ClientSession() as session:
        with pytest.raises(MediaFailed) as failed:
            await WaDownloads(session, proxy=proxy).download_file(file, WaKind.IMAGE, tmp_path / "file")
    assert failed.value.text == AWAY
