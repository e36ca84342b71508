"""What the library's errors mean for the one who asked."""

from __future__ import annotations

_NEVER_LEFT = (
    "websocket not connected",
    "not logged in",
    "the store doesn't contain a device jid",
    "failed to get device list",
    "failed to get group",
    "failed to send usync query",
    "no lid found",
    "failed to encrypt",
    "failed to marshal",
    "unknown server",
    "can't send",
    "cannot send",
)
"""Beginnings of errors the library gives before anything went to the server."""
_REFUSED = ("server returned error",)
_PASSING = (
    "websocket not connected",
    "failed to get device list",
    "failed to send usync query",
    "timed out",
    "websocket disconnected",
)


_NOT_FOR_US = ("status 401", "status 403", "status 404", "not participating", "does not exist")
"""What the server answers to those who may not ask."""


class CallFailed(Exception):
    """A request failed; what the bridge is told."""

    def __init__(self, code: str, *, is_certain: bool = True, is_final: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.is_certain = is_certain
        self.is_final = is_final


def classify(error: str) -> CallFailed:
    """What an error text of the library means for the one who asked."""
    text = error.lower()
    if any(part in text for part in _REFUSED):
        return CallFailed("refused", is_final=True)
    is_certain = any(part in text for part in _NEVER_LEFT)
    is_passing = any(part in text for part in _PASSING)
    return CallFailed(
        "not-connected" if is_passing else "failed", is_certain=is_certain, is_final=is_certain and not is_passing
    )


def classify_question(error: str) -> CallFailed:
    """The same for a request that changes nothing: its failure leaves nothing open."""
    text = error.lower()
    if any(part in text for part in _NOT_FOR_US):
        return CallFailed("refused", is_final=True)
    return CallFailed(classify(error).code)
