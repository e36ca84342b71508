"""Files and their thumbnails in messages: what is written is read again."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.ids import MxUri
from mautrix_whatsapp_py.matrix.file_content import decode_file, encode_file
from mautrix_whatsapp_py.model.media import MxFile, MxFileKey, MxStoredFile, MxThumbnail

KEY = MxFileKey(key=b"k" * 32, iv=b"i" * 16, sha256=b"h" * 32)


@pytest.mark.parametrize("key", [None, KEY])
def test_a_thumbnail_comes_back(key: MxFileKey | None) -> None:
    thumbnail = MxThumbnail(
        stored=MxStoredFile(uri=MxUri("mxc://x/small"), key=key),
        mime_type="image/jpeg",
        size_bytes=5,
        width=4,
        height=3,
    )
    file = MxFile(uri=MxUri("mxc://x/large"), mime_type="image/jpeg", key=key, thumbnail=thumbnail)
    assert decode_file(encode_file(file, is_audio=False)) == file


@pytest.mark.parametrize(
    "info",
    [
        {"thumbnail_url": "https://elsewhere/x"},
        {"thumbnail_file": {"url": "mxc://x/small"}},
        {"thumbnail_file": 3, "thumbnail_info": []},
    ],
)
def test_a_thumbnail_that_cannot_be_opened_is_none(info: dict[str, object]) -> None:
    file = decode_file({"url": "mxc://x/large", "info": info})
    assert file is not None
    assert file.thumbnail is None
