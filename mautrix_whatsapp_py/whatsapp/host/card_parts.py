"""Words, files and amounts of cards, out of protobuf."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.content import WaContext
from mautrix_whatsapp_py.model.media import WaMedia
from mautrix_whatsapp_py.model.rich import WaAmount
from mautrix_whatsapp_py.whatsapp.host.decode_context import decode_context
from mautrix_whatsapp_py.whatsapp.host.decode_media import decode_media
from mautrix_whatsapp_py.whatsapp.host.decode_scene import Scene
from mautrix_whatsapp_py.whatsapp.host.protobuf import get_text

_MAX_LINE: Final = 2_048
_MAX_CHOICES: Final = 50
_MAX_CHOICE: Final = 500
MAX_NUMBER: Final = 2**53
_HEADERS: Final = ("imageMessage", "videoMessage", "documentMessage")


def get_line(text: str | bytes) -> str:
    """A text on one line."""
    return get_text(text, _MAX_LINE).strip()


def get_lines(texts: Iterable[str | bytes]) -> tuple[str, ...]:
    """The lines that say something."""
    found = (get_line(text)[:_MAX_CHOICE] for text in texts)
    return tuple(line for line in found if line)[:_MAX_CHOICES]


def get_context(part: Any, scene: Scene) -> WaContext:
    """What a card carries with it."""
    return decode_context(part, scene.source.chat)


def get_header(part: Any, chat: WaJid) -> WaMedia | None:
    """The file above a card."""
    for name in _HEADERS:
        if name in part.DESCRIPTOR.fields_by_name and part.HasField(name):
            return get_picture(name, getattr(part, name), chat)
    return None


def get_picture(name: str, part: Any, chat: WaJid) -> WaMedia | None:
    """A file, whose words are those of its card."""
    media = decode_media(name, part, chat)
    return None if media is None else msgspec.structs.replace(media, caption="", context=WaContext())


def get_amount(value: int, currency: str) -> WaAmount | None:
    """An amount; None when it is nothing."""
    bounded = max(-MAX_NUMBER, min(value, MAX_NUMBER))
    return WaAmount(thousandths=bounded, currency=get_line(currency)[:8]) if bounded else None


def get_money(amount: Any) -> WaAmount | None:
    """An amount as the protocol's money."""
    return get_amount(amount.value * 1000 // max(amount.offset, 1), amount.currencyCode)
