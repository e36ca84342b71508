"""Files, encrypted by one side and opened by the other."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.extra.baileys.driven import DrivenError, blob
from tests.extra.baileys.linked import linked
from tests.simulator import groups
from tests.simulator.api import MediaFault, Outgoing, Simulator, kinds
from tests.simulator.kinds import Uploaded
from tests.simulator.media_crypto import decrypt_media

FROM_PHONE: dict[str, tuple[str, Callable[[Uploaded], Outgoing]]] = {
    "imageMessage": ("image", lambda f: kinds.image(f, caption="look")),
    "videoMessage": ("video", lambda f: kinds.video(f, caption="look")),
    "audioMessage": ("audio", kinds.voice),
    "documentMessage": ("document", lambda f: kinds.document(f, "a.pdf")),
    "stickerMessage": ("sticker", kinds.sticker),
}
TO_PHONE: dict[str, tuple[str, dict[str, Any]]] = {
    "image": ("imageMessage", {"caption": "look", "mimetype": "image/jpeg", "jpegThumbnail": "AAAA"}),
    "video": ("videoMessage", {"caption": "look", "mimetype": "video/mp4", "jpegThumbnail": "AAAA"}),
    "audio": ("audioMessage", {"mimetype": "audio/mpeg", "seconds": 2}),
    "document": ("documentMessage", {"fileName": "a.pdf", "mimetype": "application/pdf"}),
    "sticker": ("stickerMessage", {"mimetype": "image/webp"}),
}


@pytest.mark.parametrize("field", FROM_PHONE)
async def test_file_of_a_phone(tmp_path: Path, field: str) -> None:
    kind, build = FROM_PHONE[field]
    data = os.urandom(300_000)
    async with linked(tmp_path) as x:
        sent_id = await x.bob.phone.send(x.alice.pn, build(kinds.upload(x.wa.media, data, kind)))
        assert field in (await x.client.message())["message"]
        assert await x.client.download(sent_id) == data


@pytest.mark.parametrize("kind", TO_PHONE)
async def test_file_of_the_client(tmp_path: Path, kind: str) -> None:
    field, options = TO_PHONE[kind]
    data = os.urandom(300_000)
    async with linked(tmp_path) as x:
        group = groups.create_group(x.wa.world, x.bob, "Friends", [x.alice])
        for chat in (x.bob.pn, group.jid):
            await x.client.send(str(chat), {kind: blob(data), **options})
            media = getattr((await x.bob.phone.receive_next()).message, field)
            assert media.mimetype == options["mimetype"]
            assert stored(x.wa, media, kind) == data


async def test_file_that_is_gone(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        file = kinds.upload(x.wa.media, b"a picture", "image")
        sent_id = await x.bob.phone.send(x.alice.pn, kinds.image(file))
        await x.client.message()
        x.wa.media.break_downloads(MediaFault.GONE)
        with pytest.raises(DrivenError):
            await x.client.download(sent_id)
        x.wa.media.repair()
        assert await x.client.download(sent_id) == b"a picture"


def stored(wa: Simulator, media: Any, kind: str) -> bytes:
    """The plain content of a file on the media host."""
    path = media.directPath.partition("?")[0]
    return decrypt_media(wa.media.blobs[path], media.mediaKey, kind)
