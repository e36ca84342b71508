"""What programs are told when an account could not be linked; codes and sentences are those clients know."""

from __future__ import annotations

from collections.abc import Mapping

from mautrix_whatsapp_py.bridge.attempts import NotLinked, PairingRefused
from mautrix_whatsapp_py.bridge.welcoming import TooManyLogins
from mautrix_whatsapp_py.errors import (
    BridgeError,
    MatrixError,
    StoreError,
    WhatsAppError,
    WhatsAppRefused,
    WhatsAppUncertain,
)
from mautrix_whatsapp_py.model.wa_link import WaPairingFailure
from mautrix_whatsapp_py.provisioning.answers import ApiError

_WA = "FI.MAU.WHATSAPP."
TOO_MANY = ("FI.MAU.BRIDGE.TOO_MANY_LOGINS", "Maximum number of logins exceeded")
_NOT_INTERNATIONAL = "Phone number must be in international format"
_FAILURES: Mapping[WaPairingFailure, tuple[int, str, str]] = {
    WaPairingFailure.TIMEOUT: (
        400,
        _WA + "LOGIN_TIMEOUT",
        "Entering code or scanning QR timed out. Please try again.",
    ),
    WaPairingFailure.CANCELLED: (410, "FI.MAU.BRIDGE.LOGIN_CANCELLED", "Login process was cancelled"),
    WaPairingFailure.OUTDATED: (500, _WA + "CLIENT_OUTDATED", "WhatsApp does not accept this version any more."),
    WaPairingFailure.NO_MULTIDEVICE: (
        400,
        _WA + "MULTIDEVICE_NOT_ENABLED",
        "Please update WhatsApp on the phone, then try again.",
    ),
    WaPairingFailure.UNEXPECTED_STATE: (
        500,
        _WA + "LOGIN_UNEXPECTED_EVENT",
        "This account is linked here already.",
    ),
    WaPairingFailure.PASSKEY: (
        501,
        _WA + "NOT_IMPLEMENTED",
        "WhatsApp asks for a passkey, which this bridge cannot give. Switch it off on the phone, then try again.",
    ),
    WaPairingFailure.REFUSED: (
        500,
        _WA + "PAIR_ERROR",
        "WhatsApp refused to link the device. Four devices may be linked already: remove one on the phone.",
    ),
    WaPairingFailure.NUMBER_INVALID: (400, _WA + "PHONE_NUMBER_NOT_INTERNATIONAL", _NOT_INTERNATIONAL),
    WaPairingFailure.NUMBER_TOO_SHORT: (400, _WA + "PHONE_NUMBER_TOO_SHORT", "Phone number too short"),
    WaPairingFailure.NUMBER_NOT_INTERNATIONAL: (
        400,
        _WA + "PHONE_NUMBER_NOT_INTERNATIONAL",
        _NOT_INTERNATIONAL,
    ),
    WaPairingFailure.RATE_LIMITED: (
        429,
        _WA + "RATE_LIMITED",
        "Rate limited by WhatsApp. Please try again later.",
    ),
    WaPairingFailure.NETWORK: (502, "M_UNKNOWN", "WhatsApp could not be reached."),
    WaPairingFailure.BUSY: (429, "M_LIMIT_EXCEEDED", "Too many accounts are being linked at this moment."),
    WaPairingFailure.HOST: (500, "M_UNKNOWN", "Linking failed because a part of the bridge stopped."),
}


def of_attempt(end: NotLinked) -> ApiError:
    """Why an attempt came to nothing."""
    if end.reason is None:
        return ApiError(403, *TOO_MANY)
    return ApiError(*_FAILURES[end.reason])


def of_error(error: BridgeError) -> ApiError:
    """An error of the rest of the bridge, as a program reads it."""
    match error:
        case ApiError():
            return error
        case PairingRefused():
            return ApiError(*_FAILURES[error.reason])
        case TooManyLogins():
            return ApiError(403, TOO_MANY[0], f"{TOO_MANY[1]} ({error.limit})")
        case WhatsAppRefused():
            return ApiError(403, "M_FORBIDDEN", "WhatsApp refused the request.")
        case WhatsAppUncertain():
            return ApiError(504, "M_UNKNOWN", "WhatsApp did not answer in time.")
        case WhatsAppError():
            return ApiError(503, "M_UNKNOWN", "You're not connected to WhatsApp")
        case MatrixError():
            return ApiError(502, "M_UNKNOWN", "The homeserver did not do what was needed.")
        case StoreError():
            return ApiError(503, "M_UNKNOWN", "The database is not available.")
        case _:
            return ApiError(400, "M_UNKNOWN", error.text)
