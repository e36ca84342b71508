"""What a phone's camera sees."""

from __future__ import annotations

import io

import zxingcpp
from PIL import Image


def read_qr(picture: bytes) -> str:
    """The text of the one QR code in a picture; ValueError when there is none, or more than one."""
    with Image.open(io.BytesIO(picture)) as image:
        found = zxingcpp.read_barcodes(image.convert("L"))
    if len(found) != 1:
        raise ValueError(f"{len(found)} codes in the picture")
    return str(found[0].text)
