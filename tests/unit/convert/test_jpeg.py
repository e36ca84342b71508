"""The size in a JPEG's header."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mautrix_whatsapp_py.convert.jpeg import get_jpeg_size


def jpeg(width: int, height: int, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"dpi": (72, 72), "comment": b"c" * 300}])
def test_a_real_one(options: dict[str, object]) -> None:
    assert get_jpeg_size(jpeg(320, 17, **options)) == (320, 17)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"GIF89a", b"\xff\xd8\xff\xe0\x00", b"\xff\xd8zz" + b"z" * 20])
def test_none(data: bytes) -> None:
    assert get_jpeg_size(data) is None


@given(st.binary(max_size=60))
def test_anything_ends(data: bytes) -> None:
    assert get_jpeg_size(b"\xff\xd8\xff" + data) is None or data


@given(cut=st.integers(0, 200))
def test_a_cut_one_ends(cut: int) -> None:
    assert get_jpeg_size(jpeg(9, 8)[:cut]) in {None, (9, 8)}
