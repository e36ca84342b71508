"""Sentences of the bot, as notices."""

from __future__ import annotations

import re
from html import escape

from mautrix_whatsapp_py.model.mx import MxNotice

_CODE = re.compile(r"`([^`\n]+)`")


def to_html(text: str) -> str:
    """HTML of a sentence in which backticks mark what is to be typed; everything else stands for itself."""
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False)).replace("\n", "<br>\n")


def to_notice(text: str) -> MxNotice:
    """A notice; with HTML only where that adds something."""
    html = to_html(text)
    return MxNotice(body=text, html=html if html != text else None)


def quoted(text: str, *, limit: int = 60) -> str:
    """Foreign text, short and without markup, fit to stand in a sentence between backticks."""
    line = " ".join(text.replace("`", "'").split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
