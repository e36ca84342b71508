"""What error texts of the library mean for the one who asked; pure."""

from __future__ import annotations

import re


class CallFailed(Exception):
    """A request failed; what the bridge is told."""

    def __init__(self, code: str, *, is_certain: bool = True, is_final: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.is_certain = is_certain
        self.is_final = is_final


_STATUS = re.compile(r"\b(?:status|error)[: ]+(\d{3})\b")
_BY_STATUS = {
    "400": "invalid",
    "401": "forbidden",
    "403": "forbidden",
    "404": "not-found",
    "405": "forbidden",
    "406": "invalid",
    "409": "conflict",
    "410": "revoked",
    "419": "full",
    "429": "too-often",
}
_BY_WORDS = (
    ("revoked", "revoked"),
    ("invite link is not valid", "invalid"),
    ("not participating", "not-a-member"),
    ("not a participant", "not-a-member"),
    ("does not exist", "not-found"),
    ("not found", "not-found"),
    ("permission", "forbidden"),
    ("forbidden", "forbidden"),
    ("not-authorized", "forbidden"),
    ("unauthorized", "forbidden"),
    ("not-acceptable", "invalid"),
    ("rate-overlimit", "too-often"),
)
_AWAY = ("websocket not connected", "not logged in", "failed to send")
_SILENT = ("timed out", "websocket disconnected", "context deadline")


def classify_answer(error: str, *, has_effect: bool) -> CallFailed:
    """A refusal has a word for why; whatever else happened to a question did no harm."""
    text = error.lower()
    if any(part in text for part in _AWAY):
        return CallFailed("not-connected")
    if any(part in text for part in _SILENT):
        return CallFailed("not-connected", is_certain=not has_effect)
    status = _STATUS.search(text)
    if status is not None and status[1] in _BY_STATUS:
        return CallFailed(_BY_STATUS[status[1]], is_final=True)
    for words, code in _BY_WORDS:
        if words in text:
            return CallFailed(code, is_final=True)
    return CallFailed("refused", is_final=True)
