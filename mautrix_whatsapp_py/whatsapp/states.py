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
    "wa-logged-out": "The bridge was removed from the linked devices on the phone. Link the account again.",
    "wa-not-logged-in": "The session of this account is missing or damaged. Link the account again.",
    "wa-main-device-gone": "The account was moved to another phone or closed. Link it again from its new phone.",
    "wa-unknown-logout": "WhatsApp ended the link without giving a reason. Link the account again.",
    "wa-not-connected": "This link is switched off. Send `reconnect` to bring it up.",
    "wa-connecting": "The link is coming up. Wait a moment.",
    "wa-keepalive-timeout": "WhatsApp has stopped answering. The bridge keeps trying; there is nothing to do.",
    "wa-phone-offline": "The phone was offline for 12 days, and after 14 WhatsApp removes this link. "
    "Open WhatsApp on the phone.",
    "wa-connection-failed": "WhatsApp cannot be reached. The bridge keeps trying; check its internet connection.",
    "wa-transient-disconnect": "The connection was lost. The bridge keeps trying; there is nothing to do.",
    OUTDATED_ERROR: "WhatsApp wants a newer version of the bridge. Update the bridge.",
    REPLACED_ERROR: "Another program connected with this link. Stop it, then send `reconnect`.",
    "wa-disk-full": "The bridge's disk is full; new messages wait at WhatsApp. Make room on the disk.",
}
_LOGOUTS = {"401": "wa-logged-out", "403": "wa-main-device-gone"}
_BANS = {
    "SEND_TO_TOO_MANY_PEOPLE": "many messages went to people who do not know this number",
    "BLOCKED_BY_USERS": "many people have blocked this number",
    "CREATED_TOO_MANY_GROUPS": "it put many people who do not know this number into groups",
    "SENT_TOO_MANY_SAME_MESSAGE": "one message went to many people",
    "BROADCAST_LIST": "broadcast lists were used too much",
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
            code = fact.code or "unknown"
            text = f"WhatsApp broke the connection off with code {code}. The bridge keeps trying."
            return WaState(kind=WaStateKind.UNKNOWN_ERROR, since=at, error="wa-stream-error", message=text)


def _is_settled(state: WaState) -> bool:
    """Whether only the user, or time, changes this state: a host that ends does not."""
    return state.kind in (WaStateKind.BAD_CREDENTIALS, WaStateKind.LOGGED_OUT) or state.error in (
        REPLACED_ERROR,
        OUTDATED_ERROR,
    )


def _banned(fact: WaLinkFact) -> WaState:
    reason = _BANS.get(fact.code, "no reason was given")
    end = f"until {fact.until:%Y-%m-%d %H:%M} UTC" if fact.until is not None else "for a while"
    return WaState(
        kind=WaStateKind.BAD_CREDENTIALS,
        since=fact.at,
        error=BAN_ERROR,
        message=f"WhatsApp has banned this account {end} ({reason}). "
        "The bridge connects again after that; do not link it anew before.",
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
        message=f"WhatsApp refuses the connection with code {code}. The bridge keeps trying.",
    )
