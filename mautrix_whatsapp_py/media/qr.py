"""QR codes as pictures that a phone reads from a screen."""

from __future__ import annotations

import io
import math

from mautrix_whatsapp_py.model.picture import Picture

MIN_PIXELS = 512
QUIET_MODULES = 6
"""The standard asks for 4; dark chat backgrounds begin right behind the picture's edge."""


class QrDrawer:
    """The port QrArtist."""

    def draw_qr(self, text: str) -> Picture:
        """Black on white whatever the client's theme, with a quiet zone, MIN_PIXELS or more a side."""
        return draw_qr(text)


def draw_qr(text: str) -> Picture:
    """See QrArtist."""
    # Here and not above: few bridges draw a code on a given day, and the libraries take megabytes.
    from qrcode.constants import ERROR_CORRECT_L
    from qrcode.image.pil import PilImage
    from qrcode.main import QRCode

    # The lowest correction gives the largest modules; a screen has no dirt to correct.
    code: QRCode[PilImage] = QRCode(error_correction=ERROR_CORRECT_L, border=QUIET_MODULES, image_factory=PilImage)
    code.add_data(text)
    code.make(fit=True)
    code.box_size = math.ceil(MIN_PIXELS / (code.modules_count + 2 * QUIET_MODULES))
    image = code.make_image(fill_color="black", back_color="white").get_image()
    out = io.BytesIO()
    image.convert("1").save(out, format="PNG", optimize=True)
    return Picture(
        data=out.getvalue(), mimetype="image/png", filename="qr.png", width=image.width, height=image.height
    )
