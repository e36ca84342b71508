"""What the library says about a link, as facts; pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from mautrix_whatsapp_py.model.wa_link import WaLinkFact, WaLinkKind
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf

LINK_CODES = frozenset(range(13))
TERMINAL = frozenset(
    {
        WaLinkKind.LOGGED_OUT,
        WaLinkKind.NOT_LOGGED_IN,
        WaLinkKind.REPLACED,
        WaLinkKind.OUTDATED,
        WaLinkKind.TEMPORARY_BAN,
        WaLinkKind.CONNECT_FAILURE,
    }
)
"""After these the library does not try again by itself."""
_REASONS = {
    "GENERIC": "400",
    "LOGGED_OUT": "401",
    "TEMP_BANNED": "402",
    "MAIN_DEVICE_GONE": "403",
    "CLIENT_OUTDATED": "405",
    "UNKNOWN_LOGOUT": "406",
    "BAD_USER_AGENT": "409",
    "INTERNAL_SERVER_ERROR": "500",
    "EXPERIMENTAL": "501",
    "SERVICE_UNAVAILABLE": "503",
}
_PLAIN = {
    3: WaLinkKind.CONNECTED,
    5: WaLinkKind.KEEPALIVE_RESTORED,
    7: WaLinkKind.REPLACED,
    10: WaLinkKind.OUTDATED,
    12: WaLinkKind.DISCONNECTED,
}
_UNSET_BAN = "TemporaryBan.Code"
_UNSET_FAILURE = "ConnectFailure.Reason"


def decode_fact(code: int, body: bytes, protobuf: Protobuf, now: datetime) -> WaLinkFact | None:
    """The fact an event stands for, None when it says nothing about the link."""
    if code in _PLAIN:
        return WaLinkFact(kind=_PLAIN[code], at=now)
    match code:
        case 4:
            return WaLinkFact(kind=WaLinkKind.KEEPALIVE_TIMEOUT, at=now)
        case 6:
            event = protobuf.parse(code, body)
            # A session ended while it was up is always the user's doing, whatever the reason field holds.
            reason = _REASONS.get(protobuf.enum_name(event, "Reason"), "406") if event.OnConnect else "401"
            return WaLinkFact(kind=WaLinkKind.LOGGED_OUT, at=now, code=reason)
        case 8:
            event = protobuf.parse(code, body)
            until = now + timedelta(seconds=event.Expire) if event.Expire > 0 else None
            return WaLinkFact(
                kind=WaLinkKind.TEMPORARY_BAN, at=now, code=protobuf.enum_name(event, "Code"), until=until
            )
        case 9:
            event = protobuf.parse(code, body)
            reason = _REASONS.get(protobuf.enum_name(event, "Reason"), "")
            return WaLinkFact(kind=WaLinkKind.CONNECT_FAILURE, at=now, code=reason)
        case 11:
            return WaLinkFact(kind=WaLinkKind.STREAM_ERROR, at=now, code=protobuf.parse(code, body).Code)
        case _:
            return None


def decode_end(error: str, has_been_live: bool, now: datetime) -> WaLinkFact:
    """What it means that the library returned by itself with this text."""
    if _UNSET_BAN in error:
        return WaLinkFact(kind=WaLinkKind.TEMPORARY_BAN, at=now)
    if _UNSET_FAILURE in error:
        return WaLinkFact(kind=WaLinkKind.CONNECT_FAILURE, at=now)
    return WaLinkFact(kind=WaLinkKind.PUMP_DIED if has_been_live else WaLinkKind.DIAL_FAILED, at=now)
