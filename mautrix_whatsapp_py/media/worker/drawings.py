"""SVG drawings as pictures."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Final

from PIL import Image

from mautrix_whatsapp_py.media.jobs import JobFailed
from mautrix_whatsapp_py.media.worker.pictures import check_size
from mautrix_whatsapp_py.model.media_ready import UnreadyReason

_SIDE: Final = 1_024
_MAX_BYTES: Final = 4 << 20
_LEADS_OUT: Final = re.compile(rb"<!ENTITY|href\s*=\s*[\"']\s*(?!#|data:)", re.IGNORECASE)


def rasterise(source: Path) -> Image.Image:
    """A drawing on nothing, its longer side 1,024 pixels; one that wants other files is not drawn."""
    import resvg_py

    text = source.read_bytes() if source.stat().st_size <= _MAX_BYTES else b""
    if not text or _LEADS_OUT.search(text):
        raise JobFailed(UnreadyReason.BROKEN, "leads out")
    try:
        drawn = resvg_py.svg_to_bytes(svg_string=text.decode("utf-8"), width=_SIDE, skip_system_fonts=False)
    except ValueError as error:
        raise JobFailed(UnreadyReason.BROKEN) from error
    with Image.open(io.BytesIO(drawn), formats=["PNG"]) as picture:
        check_size(picture.width, picture.height)
        whole = picture.convert("RGBA")
    whole.thumbnail((_SIDE, _SIDE))
    return whole
