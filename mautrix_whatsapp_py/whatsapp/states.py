"""From facts about a link to the state a user is shown; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from mautrix_whatsapp_py.model.wa_link import (
    BAN_ERROR,
    REPLACED_ERROR,
    WaLinkFact,
    WaLinkKind,
    WaState,
    WaStateKind,
)

OUTDATED_ERROR = "wa-client-outdated"
TEXTS = {
    "wa-logged-out": "You were logged out from another device. Relogin to continue using the bridge.",
    "wa-not-logged-in": "You're not logged into WhatsApp. Relogin to continue using the bridge.",
    "wa-main-device-gone": "Your phone was logged out from WhatsApp. Relogin to continue using the bridge.",
    "wa-unknown-logout": "You were logged out for an unknown reason. Relogin to continue using the bridge.",
    "wa-not-connected": "You're not connected to WhatsApp",
    "wa-connecting": "Reconnecting to WhatsApp...",
    "wa-keepalive-timeout": "The WhatsApp web servers are not responding. The bridge will try to reconnect.",
    "wa-phone-offline": "Your phone hasn't been seen in over 12 days. The bridge is currently connected, "
    "but will get disconnected if you don't open the app soon.",
    "wa-connection-failed": "Connecting to the WhatsApp web servers failed.",
    "wa-transient-disconnect": "Disconnected from WhatsApp. Trying to reconnect.",
    OUTDATED_ERROR: "Connect failure: 405 client outdated. Bridge must be updated.",
    REPLACED_ERROR: "Stream replaced: the bridge was started in another location.",
    "wa-disk-full": "The bridge's disk is full. New messages wait at WhatsApp until there is room.",
}
_LOGOUTS = {"401": "wa-logged-out", "403": "wa-main-device-gone"}
_BANS = {
    "SEND_TO_TOO_MANY_PEOPLE": "you sent too many messages to people who don't have you in their address books",
    "BLOCKED_BY_USERS": "too many people blocked you",
    "CREATED_TOO_MANY_GROUPS": "you created too many groups with people who don't have you in their address books",
    "SENT_TOO_MANY_SAME_MESSAGE": "you sent the same message to too many people",
    "BROADCAST_LIST": "you sent too many messages to a broadcast list",
}
_TRANSIENT = {
    WaLinkKind.DIAL_FAILED: "wa-connection-failed",
    WaLinkKind.DISCONNECTED: "wa-transient-disconnect",
    WaLinkKind.KEEPALIVE_TIMEOUT: "wa-keepalive-timeout",
    WaLinkKind.PUMP_DIED: "wa-transient-disconnect",
    WaLinkKind.DEAF: "wa-transient-disconnect",
    WaLinkKind.HOST_LOST: "wa-transient-disconnect",
    WaLinkKind.STOPPED: "wa-not-connected",
}
_HOST_FACTS = frozenset({WaLinkKind.STARTING, WaLinkKind.STOPPED, WaLinkKind.HOST_LOST})
"""Say something about the host, not about the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """What is known of a link; `state` is what of it is shown."""

    link: WaState
    is_phone_unseen: bool = False
    is_disk_full: bool = False

    @property
    def state(self) -> WaState:
        """The state to show: a full disk or an absent phone colours a link that is otherwise well."""
        if self.link.kind is not WaStateKind.CONNECTED:
            return self.link
        if self.is_disk_full:
            return _state(WaStateKind.UNKNOWN_ERROR, self.link.since, "wa-disk-full")
        if self.is_phone_unseen:
            return _state(WaStateKind.CONNECTED, self.link.since, "wa-phone-offline")
        return self.link


def initial(now: datetime) -> LinkView:
    """Before anything happened."""
    return LinkView(link=WaState(kind=WaStateKind.STARTING, since=now))


def step(view: LinkView, fact: WaLinkFact) -> LinkView:
    """What is known after a fact; an unchanged state keeps its time."""
    match fact.kind:
        case WaLinkKind.PHONE_UNSEEN | WaLinkKind.PHONE_SEEN:
            return replace(view, is_phone_unseen=fact.kind is WaLinkKind.PHONE_UNSEEN)
        case WaLinkKind.DISK_FULL | WaLinkKind.DISK_FREE:
            return replace(view, is_disk_full=fact.kind is WaLinkKind.DISK_FULL)
    after = _link_after(view.link, fact)
    if (after.kind, after.error, after.until) == (view.link.kind, view.link.error, view.link.until):
        return view
    return replace(view, link=after)


def _link_after(before: WaState, fact: WaLinkFact) -> WaState:
    at = fact.at
    if _is_settled(before) and fact.kind in _HOST_FACTS:
        return before
    if fact.kind in _TRANSIENT:
        return _state(WaStateKind.TRANSIENT_DISCONNECT, at, _TRANSIENT[fact.kind])
    match fact.kind:
        case WaLinkKind.STARTING:
            return WaState(kind=WaStateKind.STARTING, since=at)
        case WaLinkKind.DIALLING:
            # A new try is no news while the user already knows that the link is down.
            is_known = before.kind is WaStateKind.TRANSIENT_DISCONNECT
            return before if is_known else _state(WaStateKind.CONNECTING, at, "wa-connecting")
        case WaLinkKind.CONNECTED | WaLinkKind.KEEPALIVE_RESTORED:
            return WaState(kind=WaStateKind.CONNECTED, since=at)
        case WaLinkKind.LOGGED_OUT:
            return _state(WaStateKind.BAD_CREDENTIALS, at, _LOGOUTS.get(fact.code, "wa-unknown-logout"))
        case WaLinkKind.NOT_LOGGED_IN:
            return _state(WaStateKind.BAD_CREDENTIALS, at, "wa-not-logged-in")
        case WaLinkKind.REPLACED:
            return _state(WaStateKind.UNKNOWN_ERROR, at, REPLACED_ERROR)
        case WaLinkKind.OUTDATED:
            return _state(WaStateKind.UNKNOWN_ERROR, at, OUTDATED_ERROR)
        case WaLinkKind.TEMPORARY_BAN:
            return _banned(fact)
        case WaLinkKind.CONNECT_FAILURE:
            return _failed(fact)
        case _:
            text = f"Unknown stream error with code {fact.code or 'unknown'}"
            return WaState(kind=WaStateKind.UNKNOWN_ERROR, since=at, error="wa-stream-error", message=text)


def _is_settled(state: WaState) -> bool:
    """Whether only the user, or time, changes this state: a host that ends does not."""
    return state.kind in (WaStateKind.BAD_CREDENTIALS, WaStateKind.LOGGED_OUT) or state.error in (
        REPLACED_ERROR,
        OUTDATED_ERROR,
    )


def _banned(fact: WaLinkFact) -> WaState:
    reason = _BANS.get(fact.code, "WhatsApp says so, without a reason")
    end = f" until {fact.until:%Y-%m-%d %H:%M} UTC" if fact.until is not None else ""
    return WaState(
        kind=WaStateKind.BAD_CREDENTIALS,
        since=fact.at,
        error=BAN_ERROR,
        message=f"You've been temporarily banned{end} because {reason}.",
        until=fact.until,
    )


def _state(kind: WaStateKind, since: datetime, error: str) -> WaState:
    return WaState(kind=kind, since=since, error=error, message=TEXTS[error])


def _failed(fact: WaLinkFact) -> WaState:
    code = fact.code or "unknown"
    return WaState(
        kind=WaStateKind.UNKNOWN_ERROR,
        since=fact.at,
        error=f"wa-connect-failure-{code}",
        message=f"Unknown connection failure: {code}",
    )
