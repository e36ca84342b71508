from __future__ import annotations

import io

import pytest
import zxingcpp
from PIL import Image

from mautrix_whatsapp_py.media.qr import MIN_PIXELS, draw_qr

LINK = "https://wa.me/settings/linked_devices#2@" + "A1b/" * 26 + "," + ",".join(["kT9+" * 11] * 3) + ",1"


def _open(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("L")


@pytest.mark.parametrize("text", ["a", LINK, "é" * 40], ids=["short", "login", "unicode"])
def test_a_reader_gets_the_text_back(text: str) -> None:
    picture = draw_qr(text)
    image = _open(picture.data)
    assert (picture.width, picture.height) == image.size
    assert min(image.size) >= MIN_PIXELS
    assert [found.text for found in zxingcpp.read_barcodes(image)] == [text]


def test_a_dark_theme_around_it_does_not_hide_it() -> None:
    image = _open(draw_qr(LINK).data)
    screen = Image.new("L", (image.width + 300, image.height + 300), 20)
    screen.paste(image, (150, 150))
    for width in (1600, 700, 420):
        shown = screen.resize((width, round(width * screen.height / screen.width)))
        assert [found.text for found in zxingcpp.read_barcodes(shown)] == [LINK]


def test_the_quiet_zone_is_white_and_wide() -> None:
    image = _open(draw_qr(LINK).data)
    dark = image.point([255 if value < 128 else 0 for value in range(256)]).getbbox()
    assert dark is not None
    left, top, right, bottom = dark
    # The first dark run of the first dark row is the edge of a finder pattern: seven modules.
    run = next(x for x in range(left, image.width) if image.getpixel((x, top)) == 255) - left
    assert min(left, top, image.width - right, image.height - bottom) * 7 >= 4 * run
