"""Cards of links: what the homeserver knows of a page, and pictures for cards."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from aiohttp import ClientError, ClientResponse, ClientTimeout
from mautrix.api import MediaPath, Method

from mautrix_whatsapp_py.convert.jpeg import get_jpeg_size
from mautrix_whatsapp_py.errors import MatrixError
from mautrix_whatsapp_py.ids import MxUri, MxUserId
from mautrix_whatsapp_py.matrix.fields import get_text
from mautrix_whatsapp_py.matrix.http import Patience, RetryingHttp, require_text
from mautrix_whatsapp_py.model.content import MxPreviewImage, WaLinkPreview

log = logging.getLogger(__name__)

PATIENCE: Final = Patience(retry_limit=0, attempt_seconds=5.0, total_seconds=5.0)
MAX_PICTURE_BYTES: Final = 64 * 1024
"""Of a picture that goes within a message."""
_PICTURE_PX: Final = "320"
_JPEG: Final = "image/jpeg"


class HttpLinkCards:
    """Implements LinkCards; a card is no reason to keep a message waiting, so nothing here is tried twice."""

    def __init__(self, http: RetryingHttp, *, bot: MxUserId, is_asking: bool) -> None:
        self._http = http.with_patience(PATIENCE)
        self._bot = bot
        self._is_asking = is_asking

    async def fetch_card(self, url: str) -> WaLinkPreview | None:
        """See LinkCards."""
        if not self._is_asking:
            return None
        query = {"user_id": self._bot, "url": url}
        try:
            page = await self._http.call(Method.GET, "/_matrix/client/v1/media/preview_url", query=query)
        except MatrixError as error:
            log.info("the homeserver has no preview of a link: %s %s", error.status, error.errcode)
            return None
        title, description = get_text(page, "og:title") or "", get_text(page, "og:description") or ""
        picture = get_text(page, "og:image")
        if not title and not description:
            return None
        thumbnail = await self.fetch_picture(MxUri(picture)) if picture else None
        return WaLinkPreview(url=url, title=title, description=description, thumbnail=thumbnail)

    async def fetch_picture(self, uri: MxUri) -> bytes | None:
        """See LinkCards."""
        server, _, media_id = uri.removeprefix("mxc://").partition("/")
        if not uri.startswith("mxc://") or not server or not media_id or "/" in media_id:
            return None
        url = self._http.base_url / "_matrix/client/v1/media/thumbnail" / server / media_id
        size = {"width": _PICTURE_PX, "height": _PICTURE_PX, "method": "scale", "animated": "false"}
        timeout = ClientTimeout(total=PATIENCE.total_seconds)
        headers = {"Authorization": f"Bearer {self._http.token}"}
        try:
            async with self._http.session.get(
                url, params={"user_id": self._bot, **size}, headers=headers, timeout=timeout
            ) as response:
                data = await _read_small(response)
        except (ClientError, OSError, TimeoutError, asyncio.IncompleteReadError):
            return None
        return data if get_jpeg_size(data) else None

    async def bring_picture(self, jpeg: bytes) -> MxPreviewImage | None:
        """See LinkCards."""
        size = get_jpeg_size(jpeg)
        if size is None:
            return None
        query: dict[str, Any] = {"user_id": self._bot, "filename": "preview.jpg"}
        try:
            answer = await self._http.call(Method.POST, MediaPath.v3.upload, jpeg, query=query, mimetype=_JPEG)
            uri = MxUri(require_text(answer, "content_uri"))
        except MatrixError as error:
            log.info("the picture of a link's card was not taken: %s %s", error.status, error.errcode)
            return None
        width, height = size
        return MxPreviewImage(uri=uri, mime_type=_JPEG, size_bytes=len(jpeg), width=width, height=height)


async def _read_small(response: ClientResponse) -> bytes:
    """A picture small enough; empty when there is none."""
    data = b""
    if response.status == 200:
        async for chunk in response.content.iter_any():
            data += chunk
            if len(data) > MAX_PICTURE_BYTES:
                return b""
    return data
