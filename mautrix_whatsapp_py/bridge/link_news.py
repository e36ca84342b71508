"""What a user is told of a link without having asked: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from mautrix_whatsapp_py.config.tree import StatusNotices
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind

PATIENCE_SECONDS = 180.0
"""Trouble that heals sooner is nobody's business."""
QUIET_SECONDS = 3600.0
"""A link that comes and goes is told of once in so long."""
UNSEEN_DAYS = 10
UNSEEN_ERROR = "phone-unseen-10-days"
RELINK = "Send `login` to link it again."


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
        f"The WhatsApp account {{number}} was registered on another phone or closed, which ended its link. {RELINK}"
    ),
    "wa-unknown-logout": f"WhatsApp has ended the link of {{number}} without saying why. {RELINK}",
    "wa-not-logged-in": f"The link of {{number}} is lost: its session file is missing or damaged. {RELINK}",
    "wa-stream-replaced": (
        "Another program uses the link of {number}, so WhatsApp has disconnected this one. "
        "Stop the other program, then send `reconnect`."
    ),
    "wa-client-outdated": (
        "WhatsApp does not accept this version of the bridge any more, so {number} is offline. "
        "Ask the person who runs the bridge to update it; your link is kept."
    ),
    "wa-phone-offline": (
        "The phone of {number} was not online for 12 days. "
        "WhatsApp unlinks devices after 14: open WhatsApp on it."
    ),
    "wa-disk-full": (
        "The bridge's disk is full, so {number} receives nothing for now; WhatsApp keeps your messages. "
        "Ask the person who runs the bridge to make room."
    ),
    "wa-keepalive-timeout": "WhatsApp has not answered {number} for a while. I keep trying.",
    "wa-connection-failed": "WhatsApp cannot be reached for {number}. I keep trying.",
}
_TROUBLE = "{number} is not connected to WhatsApp. I keep trying; what you write meanwhile is sent later."
_REFUSED = "WhatsApp refuses the connection of {number} ({code}). I keep trying; your link is kept."
_BACK = "{number} is back online."


def judge(
    login: Login, state: WaState, *, level: StatusNotices, now: datetime, last_told_at: datetime | None
) -> LinkNews:
    """What to do about a state that has just come up, or that was to be looked at again."""
    if level is StatusNotices.NONE:
        return TellNothing()
    if state.kind is WaStateKind.CONNECTED and state.error == "":
        return _back(login, level)
    if login.told_error == state.error:
        return TellNothing()
    if _is_lasting(state):
        return TellNow(text=sentence(login, state), error=state.error)
    if login.told_error:
        # Trouble changes its name while it lasts; that is no news.
        return TellNothing()
    due = state.since + timedelta(seconds=PATIENCE_SECONDS)
    if last_told_at is not None:
        due = max(due, last_told_at + timedelta(seconds=QUIET_SECONDS))
    if now < due:
        return TellLater(after_seconds=(due - now).total_seconds())
    return TellNow(text=sentence(login, state), error=state.error)


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
    if state.until is not None:
        return (
            f"WhatsApp has banned {login.number} until {state.until:%Y-%m-%d %H:%M} UTC. "
            "I connect again after that; do not link it anew before."
        )
    template = _SENTENCES.get(state.error, _REFUSED if state.kind is WaStateKind.UNKNOWN_ERROR else _TROUBLE)
    return template.format(number=login.number, code=state.error.removeprefix("wa-"))


def _is_lasting(state: WaState) -> bool:
    """Whether waiting does not help: the user has to know at once."""
    return (
        state.kind in (WaStateKind.BAD_CREDENTIALS, WaStateKind.LOGGED_OUT, WaStateKind.UNKNOWN_ERROR)
        or state.error == "wa-phone-offline"
    )


def _back(login: Login, level: StatusNotices) -> LinkNews:
    if login.told_error == UNSEEN_ERROR:
        return TellNothing()
    if login.told_error or level is StatusNotices.ALL:
        return TellNow(text=_BACK.format(number=login.number), error="")
    return TellNothing()
