"""Links of WhatsApp: what kind they are and the code in them; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class LinkType(StrEnum):
    """What a link leads to, as far as its form tells."""

    GROUP = "group"
    NEWSLETTER = "newsletter"
    CONTACT = "contact"
    BUSINESS = "business"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkParts:
    """A link taken apart."""

    type: LinkType
    code: str


_CODE = r"(?P<code>[A-Za-z0-9_-]{6,64})(?:[/?#].*)?$"
_HOST = r"^(?:https?://)?(?:www\.)?"
_FORMS = (
    (LinkType.GROUP, re.compile(rf"{_HOST}chat\.whatsapp\.com/(?:invite/)?{_CODE}")),
    (LinkType.NEWSLETTER, re.compile(rf"{_HOST}whatsapp\.com/channel/{_CODE}")),
    (LinkType.CONTACT, re.compile(rf"{_HOST}(?:wa\.me|api\.whatsapp\.com)/qr/{_CODE}")),
    (LinkType.BUSINESS, re.compile(rf"{_HOST}(?:wa\.me|api\.whatsapp\.com)/message/{_CODE}")),
)


def decode_link(url: str) -> LinkParts | None:
    """A link taken apart; None when it is none of WhatsApp's."""
    text = url.strip().strip("<>")
    for kind, form in _FORMS:
        match = form.match(text)
        if match is not None:
            return LinkParts(type=kind, code=match["code"])
    return None
