"""States of links in a few words."""

from __future__ import annotations

from mautrix_whatsapp_py.model.wa_link import BAN_ERROR, WaState, WaStateKind

_BY_ERROR = {
    "wa-logged-out": "unlinked on the phone, link it again",
    "wa-main-device-gone": "its phone is gone, link it again",
    "wa-unknown-logout": "link ended by WhatsApp, link it again",
    "wa-not-logged-in": "not linked any more, link it again",
    "wa-not-connected": "disconnected at your wish",
    "wa-keepalive-timeout": "WhatsApp does not answer, trying again",
    "wa-phone-offline": "connected, but its phone was not online for 12 days",
    "wa-connection-failed": "WhatsApp cannot be reached, trying again",
    "wa-client-outdated": "WhatsApp does not accept this version of the bridge",
    "wa-stream-replaced": "another program uses this link",
    "wa-disk-full": "the bridge's disk is full",
    BAN_ERROR: "banned for a while",
}
_BY_KIND = {
    WaStateKind.STARTING: "starting",
    WaStateKind.CONNECTING: "connecting",
    WaStateKind.CONNECTED: "connected",
    WaStateKind.TRANSIENT_DISCONNECT: "disconnected, trying again",
    WaStateKind.BAD_CREDENTIALS: "not linked any more",
    WaStateKind.UNKNOWN_ERROR: "refused by WhatsApp",
    WaStateKind.LOGGED_OUT: "unlinked",
}


def state_words(state: WaState) -> str:
    """A state as it stands in a list; its code is there for those who look it up."""
    if state.error == BAN_ERROR and state.until is not None:
        words = f"banned until {state.until:%Y-%m-%d %H:%M} UTC"
    else:
        words = _BY_ERROR.get(state.error) or _BY_KIND[state.kind]
    return f"{words} ({state.error})" if state.error else words
