"""Downloads from WhatsApp's media hosts, straight to a file."""

from __future__ import annotations

import asyncio
import base64
import logging
from pathlib import Path
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout
from yarl import URL

from mautrix_whatsapp_py.errors import MediaFailed
from mautrix_whatsapp_py.media.wa_crypto import MAC_BYTES, BrokenFile, WaDecryptor
from mautrix_whatsapp_py.model.media import WaFile
from mautrix_whatsapp_py.model.wa_context import WaKind
from mautrix_whatsapp_py.tasks import Growth

log = logging.getLogger(__name__)

HOST: Final = "https://mmg.whatsapp.net"
GONE: Final = "WhatsApp's servers no longer have it. Open WhatsApp on your phone to see it."
BROKEN: Final = "what WhatsApp's servers gave is damaged. Open WhatsApp on your phone to see it."
AWAY: Final = "WhatsApp's media servers could not be reached. Open WhatsApp on your phone to see it."
TOO_LARGE: Final = "it is larger than was announced. Open WhatsApp on your phone to see it."
_GONE_STATUS: Final = frozenset({403, 404, 410})
_CHUNK_BYTES: Final = 65_536
_SEAL_BYTES: Final = MAC_BYTES + 16
_TIMEOUT: Final = ClientTimeout(total=1_800, sock_connect=20, sock_read=30)
_MMS_TYPES: Final = {
    WaKind.IMAGE: "image",
    WaKind.STICKER: "image",
    WaKind.VIDEO: "video",
    WaKind.GIF: "video",
    WaKind.AUDIO: "audio",
    WaKind.VOICE: "audio",
    WaKind.DOCUMENT: "document",
}


class WaDownloads:
    """Files by their direct path; the host is ours to name, never the sender's."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def download_file(self, file: WaFile, kind: WaKind, into: Path, growth: Growth | None = None) -> None:
        """Download, decrypt and check a file; MediaFailed says why not."""
        decryptor = WaDecryptor(file, kind)
        try:
            async with self._session.get(
                _address(file, kind), timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                _check_status(response.status)
                # Whoever reads beside us must find what we say is there.
                with into.open("wb", buffering=0) as out:
                    left = file.size_bytes + _SEAL_BYTES if file.size_bytes else None
                    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                        left = None if left is None else left - len(chunk)
                        if left is not None and left < 0:
                            raise MediaFailed(TOO_LARGE)
                        out.write(decryptor.update(chunk))
                        if growth is not None:
                            growth.grew(decryptor.size_bytes)
                    out.write(decryptor.finish())
            if growth is not None:
                growth.grew(decryptor.size_bytes)
                growth.end()
        except BrokenFile as error:
            raise MediaFailed(BROKEN, is_passing=True) from error
        except ValueError as error:
            # An address that is none.
            raise MediaFailed(AWAY) from error
        except (ClientError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            log.info("a media host failed: %s", type(error).__name__)
            raise MediaFailed(AWAY, is_passing=True) from error


def _address(file: WaFile, kind: WaKind) -> URL:
    sealed = base64.urlsafe_b64encode(file.enc_sha256).decode()
    joint = "&" if "?" in file.direct_path else "?"
    query = f"{joint}hash={sealed}&mms-type={_MMS_TYPES[kind]}&__wa-mms="
    return URL(f"{HOST}{file.direct_path}{query}", encoded=True)


def _check_status(status: int) -> None:
    if status == 200:
        return
    if status in _GONE_STATUS:
        raise MediaFailed(GONE)
    raise MediaFailed(AWAY, is_passing=status >= 500 or status == 429)
