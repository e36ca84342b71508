"""Names, titles, options and texts that somebody may choose in order to harm those who read them."""

from __future__ import annotations

from typing import Final

MARKUP: Final = (
    "<b>bold</b>",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</strong></a><h1>big</h1>",
    "<a href='https://matrix.to/#/@admin:hs'>Admin</a>",
    "&lt;b&gt;twice&lt;/b&gt;",
    "<!-- comment --><style>*{display:none}</style>",
    "<mx-reply>gone</mx-reply>",
    "<font data-mx-color='#fff'>white</font>",
)
"""Markup of Matrix."""
STYLES: Final = (
    "*bold*",
    "_italic_ ~struck~",
    "`code`",
    "```block```",
    "> quoted",
    "* item",
    "- item",
    "1. item",
    "***",
    "a*b_c~d`e",
)
"""Markup of WhatsApp."""
FORGED: Final = (
    "Alice*: I quit\n*Bob",
    "Alice: I quit",
    "\n*Alice*: I quit",
    "Alice\u2028*Alice*: I quit",
    "Alice\x85*Alice*: I quit",
    "Ali\u200bce",
    "\u202eecilA",
    "Alice\u2069\u2066",
    "Alice (@alice:hs)",
    "@alice:hs",
    "Alice\uff1a I quit",
    "\U000e0041lice",
    "🟦 Alice",
)
"""What may pass for another's name or words."""
MENTIONS: Final = ("@12", "@123 @12", "@room", "@whatsapp_12:hs", "\uff2012", "@\u206012")
"""What may call somebody."""
BROKEN: Final = (
    "",
    " ",
    "\u200b",
    "\ud83d",
    "\x00\x01\x1b[31m",
    "\ue000",
    "\ufffe",
    "a" * 70_000,
    "e" + "\u0301" * 500,
)
"""What may break a parser, a protocol or a layout."""
CARDS: Final = (
    "Ben\nTEL:+1666",
    "Ben\r\nEND:VCARD\r\nBEGIN:VCARD\r\nFN:Alice",
    "Ben\x85TEL:+1666",
    "Ben\u2028TEL:+1666",
    "Ben\r\n TEL:+1666",
    "END:VCARD",
    "Ben\\nTEL:+1666",
    "a;b,c\\",
    "X:Y;Z=:",
)
"""What may be more than one property, or more than one contact, in a contact card."""
HOSTILE: Final = (*MARKUP, *STYLES, *FORGED, *MENTIONS, *BROKEN, *CARDS)
