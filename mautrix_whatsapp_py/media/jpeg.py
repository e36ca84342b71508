"""Pictures as WhatsApp takes them for groups."""

from __future__ import annotations

import io

MAX_PIXELS = 640
MIN_PIXELS = 192
_MAX_INPUT_PIXELS = 50_000_000


class SquareJpegs:
    """The port JpegMaker."""

    def to_square_jpeg(self, data: bytes) -> bytes:
        """The middle of a picture as a square; ValueError when it is none, or too large to open."""
        # Here and not above: few bridges change a group's picture on a given day.
        from PIL import Image, ImageOps, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(data)) as opened:
                if opened.width * opened.height > _MAX_INPUT_PIXELS:
                    raise ValueError("too large")
                picture = ImageOps.exif_transpose(opened).convert("RGB")
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError("no picture") from error
        side = max(MIN_PIXELS, min(MAX_PIXELS, picture.width, picture.height))
        square = ImageOps.fit(picture, (side, side))
        out = io.BytesIO()
        square.save(out, format="JPEG", quality=85)
        return out.getvalue()
