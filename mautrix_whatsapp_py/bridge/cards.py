"""The cards of links on their way across."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import MxUri
from mautrix_whatsapp_py.model.content import (
    MxContent,
    MxMessageContent,
    MxPreviewImage,
    WaLinkPreview,
)
from mautrix_whatsapp_py.ports_chats import LinkCards


class NoCards:
    """Implements LinkCards where there is no way for them."""

    async def fetch_card(self, url: str) -> WaLinkPreview | None:
        """See LinkCards."""

    async def fetch_picture(self, uri: MxUri) -> bytes | None:
        """See LinkCards."""

    async def bring_picture(self, jpeg: bytes) -> MxPreviewImage | None:
        """See LinkCards."""


async def find_card(content: MxContent, url: str | None, cards: LinkCards) -> WaLinkPreview | None:
    """The card of a message's first link: the one its client made, else one of the homeserver."""
    if not isinstance(content, MxMessageContent) or content.file is not None:
        return None
    if not content.link_previews:
        return await cards.fetch_card(url) if url else None
    sent = content.link_previews[0]
    picture = await cards.fetch_picture(sent.image.uri) if sent.image else None
    return WaLinkPreview(url=sent.matched_url, title=sent.title, description=sent.description, thumbnail=picture)
