"""Pictures that WhatsApp hands out by address, fetched in a thread of the host."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_SECONDS = 20.0
MAX_PICTURE_BYTES = 900_000
"""A frame to the bridge holds no more than a megabyte."""
_SIGNATURES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG", "image/png"), (b"RIFF", "image/webp"))


class DownloadFailed(Exception):
    """The picture could not be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """A picture and its kind, by what it begins with."""

    body: bytes
    mimetype: str


def download_picture(url: str) -> Downloaded:
    """Fetch a picture; DownloadFailed when there is none, or it is too large."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not (parts.hostname or "").endswith(".whatsapp.net"):
        raise DownloadFailed("address")
    # 4 MB that few hosts ever need.
    import urllib.request
    from http.client import HTTPException

    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 https only, checked above
            body = answer.read(MAX_PICTURE_BYTES + 1)
    except (OSError, HTTPException) as error:
        raise DownloadFailed("transfer") from error
    if len(body) > MAX_PICTURE_BYTES:
        raise DownloadFailed("size")
    for signature, mimetype in _SIGNATURES:
        if body.startswith(signature):
            return Downloaded(body=body, mimetype=mimetype)
    return Downloaded(body=body, mimetype="application/octet-stream")
