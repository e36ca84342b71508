"""Why something the channel was asked for cannot be done."""

from __future__ import annotations

from enum import StrEnum

from mautrix_whatsapp_py.errors import BridgeError


class FaultKind(StrEnum):
    """What kind of no it is; each is one status code of HTTP."""

    BAD_REQUEST = "bad-request"
    NOT_ALLOWED = "not-allowed"
    UNKNOWN = "unknown"
    NOT_LINKED = "not-linked"
    TOO_LARGE = "too-large"
    TOO_OFTEN = "too-often"
    AWAY = "away"


class ChannelFault(BridgeError):
    """The channel cannot do that."""

    def __init__(self, kind: FaultKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def bad_request(text: str) -> ChannelFault:
    """What was asked makes no sense."""
    return ChannelFault(FaultKind.BAD_REQUEST, text)


def not_allowed(text: str) -> ChannelFault:
    """The configuration, or WhatsApp, forbids it."""
    return ChannelFault(FaultKind.NOT_ALLOWED, text)


def unknown(text: str) -> ChannelFault:
    """There is no such thing."""
    return ChannelFault(FaultKind.UNKNOWN, text)


def away(text: str) -> ChannelFault:
    """Not now."""
    return ChannelFault(FaultKind.AWAY, text)
