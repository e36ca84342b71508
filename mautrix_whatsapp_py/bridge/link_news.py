"""What a user is told of a link without having asked: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from mautrix_whatsapp_py.config.tree import StatusNotices
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_link import BAN_ERROR, REPLACED_ERROR, WaState, WaStateKind

SETTLE_SECONDS = 5.0
"""A link that ends because its account is being linked anew has its successor by then."""
PATIENCE_SECONDS = 180.0
"""Trouble that heals sooner is nobody's business."""
QUIET_SECONDS = 3600.0
"""A link that comes and goes is told of once in so long."""
UNSEEN_DAYS = 10
UNSEEN_ERROR = "phone-unseen-10-days"
OFFLINE_ERROR = "wa-phone-offline"
WISHED_ERROR = "wa-not-connected"
"""Its user has disconnected it."""
RELINK = "Send `login` to link it again."
_PHONE_WARNINGS = (UNSEEN_ERROR, OFFLINE_ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class TellNow:
    """Say this; `error` is the trouble it is about, empty when the trouble is over."""

    text: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TellLater:
    """Look again after a while."""

    after_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TellNothing:
    """Nothing worth a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TroubleOver:
    """What was told of is over, which is worth no message."""


LinkNews: TypeAlias = TellNow | TellLater | TellNothing | TroubleOver

_SENTENCES = {
    "wa-logged-out": f"{{number}} was unlinked from the phone. {RELINK}",
    "wa-main-device-gone": (
        f"The account {{number}} was moved to another phone or closed, which ended its link. {RELINK}"
    ),
    "wa-unknown-logout": f"WhatsApp has ended the link of {{number}} without saying why. {RELINK}",
    "wa-not-logged-in": f"The link of {{number}} is lost: its session file is missing or damaged. {RELINK}",
    BAN_ERROR: (
        "WhatsApp has banned {number} for a while. I connect again after that; do not link it anew before."
    ),
    REPLACED_ERROR: (
        "Another program uses the link of {number}, so WhatsApp has disconnected this one. "
        "Stop the other program, then send `reconnect`."
    ),
    "wa-client-outdated": (
        "WhatsApp does not accept this version of the bridge any more, so {number} is offline. "
        "Ask the person who runs the bridge to update it; your link is kept."
    ),
    OFFLINE_ERROR: (
        "The phone of {number} was not online for 12 days. WhatsApp unlinks devices after 14: open WhatsApp on it."
    ),
    "wa-disk-full": (
        "The bridge's disk is full, so {number} receives nothing for now; WhatsApp keeps your messages. "
        "Ask the person who runs the bridge to make room."
    ),
    "wa-keepalive-timeout": "WhatsApp has not answered {number} for a while. I keep trying.",
    "wa-connection-failed": "WhatsApp cannot be reached for {number}. I keep trying.",
}
_TROUBLE = "{number} is not connected to WhatsApp. I keep trying."
_REFUSED = "WhatsApp refuses the connection of {number} ({code}). I keep trying; your link is kept."
_BACK = "{number} is back online."
_CONNECTED = "{number} is connected to WhatsApp."
_PHONE_BACK = "The phone of {number} was online again."


def judge(
    login: Login,
    state: WaState,
    *,
    level: StatusNotices,
    now: datetime,
    trouble_since: datetime,
    last_told_at: datetime | None,
) -> LinkNews:
    """What to do about a state that has just come up, or that was to be looked at again.

    `trouble_since` is when the link was last well: trouble that changes its name does not start anew.
    """
    error = state.error or state.kind.value.lower()
    if level is StatusNotices.NONE:
        return TellNothing()
    if is_well(state):
        return _back(login, level, now=now, last_told_at=last_told_at)
    if error in (login.told_error, WISHED_ERROR):
        return TellNothing()
    if needs_somebody(state):
        due = state.since + timedelta(seconds=SETTLE_SECONDS)
    elif login.told_error and login.told_error not in _PHONE_WARNINGS:
        # Trouble changes its name while it lasts; that is no news.
        return TellNothing()
    else:
        due = _not_before(trouble_since + timedelta(seconds=PATIENCE_SECONDS), last_told_at)
    if now < due:
        return TellLater(after_seconds=(due - now).total_seconds())
    return TellNow(text=sentence(login, state), error=error)


def judge_phone(login: Login, *, seen_at: datetime | None, now: datetime, level: StatusNotices) -> LinkNews:
    """What to say of a phone that nobody has seen for long."""
    is_long = seen_at is not None and now - seen_at >= timedelta(days=UNSEEN_DAYS)
    if not is_long and login.told_error == UNSEEN_ERROR:
        return TroubleOver()
    if level is StatusNotices.NONE or not is_long or login.told_error:
        return TellNothing()
    text = (
        f"The phone of {login.number} was not online for {UNSEEN_DAYS} days. "
        "WhatsApp unlinks devices after 14: open WhatsApp on it."
    )
    return TellNow(text=text, error=UNSEEN_ERROR)


def sentence(login: Login, state: WaState) -> str:
    """A state in words, with what to do."""
    if state.error == BAN_ERROR and state.message:
        return f"{login.number}: {state.message}"
    template = _SENTENCES.get(state.error, _REFUSED if state.kind is WaStateKind.UNKNOWN_ERROR else _TROUBLE)
    return template.format(number=login.number, code=state.error.removeprefix("wa-"))


def is_well(state: WaState) -> bool:
    """Whether there is nothing to say against a link."""
    return state.kind is WaStateKind.CONNECTED and not state.error


def is_trouble(state: WaState) -> bool:
    """Whether a link is down though its user wants it up."""
    return state.kind is not WaStateKind.CONNECTED and state.error != WISHED_ERROR


def needs_somebody(state: WaState) -> bool:
    """Whether waiting does not help: the user has to know at once."""
    is_over = state.kind in (WaStateKind.BAD_CREDENTIALS, WaStateKind.LOGGED_OUT)
    return is_over or state.error in (REPLACED_ERROR, "wa-client-outdated", OFFLINE_ERROR)


def _back(login: Login, level: StatusNotices, *, now: datetime, last_told_at: datetime | None) -> LinkNews:
    match login.told_error:
        case "":
            is_quiet = last_told_at is None or now - last_told_at >= timedelta(seconds=QUIET_SECONDS)
            if level is StatusNotices.ALL and is_quiet:
                return TellNow(text=_CONNECTED.format(number=login.number), error="")
            return TellNothing()
        case error if error == UNSEEN_ERROR:
            # Being connected says nothing of the phone.
            return TellNothing()
        case error:
            text = _PHONE_BACK if error == OFFLINE_ERROR else _BACK
            return TellNow(text=text.format(number=login.number), error="")


def _not_before(due: datetime, last_told_at: datetime | None) -> datetime:
    return due if last_told_at is None else max(due, last_told_at + timedelta(seconds=QUIET_SECONDS))
