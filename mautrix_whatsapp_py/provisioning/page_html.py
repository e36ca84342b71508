"""The login page as HTML; every text that is not ours is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from mautrix_whatsapp_py.bridge.attempts import AttemptStep, Linked, NotLinked
from mautrix_whatsapp_py.model.wa_link import WaPhoneCode, WaQrCode
from mautrix_whatsapp_py.provisioning.failures import of_attempt

_QR_STEPS = "On your phone open WhatsApp, then Settings, Linked devices, Link a device. Point it at this code."
_CODE_STEPS = (
    "On your phone open WhatsApp, then Settings, Linked devices, Link a device, Link with phone number instead, "
    "and type this code."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLink:
    """A linked account in the list."""

    id: str
    number: str
    name: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the page shows."""

    user: str
    form_token: str
    step: AttemptStep | None
    count: int
    seconds_left: int
    links: Sequence[ShownLink]
    problem: str = ""


def whole_page(shown: Shown) -> str:
    """The page of somebody who is in."""
    problem = f'<p class="problem" role="alert">{escape(shown.problem)}</p>' if shown.problem else ""
    body = f"""
<p>You are <strong>{escape(shown.user)}</strong>.</p>
{problem}
<section aria-labelledby="link-title">
<h2 id="link-title">Link an account</h2>
<div id="stage" role="status" aria-live="polite">{_stage(shown)}</div>
{_start_forms(shown) if _is_idle(shown.step) else _cancel_form(shown)}
</section>
<section aria-labelledby="accounts-title">
<h2 id="accounts-title">Your accounts</h2>
{_list(shown)}
</section>
{_form(shown, "end", '<button class="quiet">Leave this page</button>')}"""
    return _document(body, follows=shown.step is not None and not _is_idle(shown.step))


def door_page(token: str) -> str:
    """Asks for one click: programs that preview links must not use them up."""
    return _document(
        f'<p>This link opens the login page once.</p><form method="post" action="/login/open/{escape(token)}">'
        "<button autofocus>Continue</button></form>"
    )


def closed_page(text: str) -> str:
    """Why there is nothing to see."""
    return _document(
        f'<p role="alert">{escape(text)}</p><p>Send <code>login web</code> to the bot for a new link.</p>'
    )


def stage_of(step: AttemptStep | None, *, count: int, seconds_left: int) -> str:
    """How far linking has come."""
    match step:
        case None:
            return ""
        case WaQrCode():
            return (
                f'<p>{_QR_STEPS}</p><img class="qr" src="/login/qr/{count}.png" width="320" height="320" '
                f'alt="QR code to scan with WhatsApp"><p class="countdown" data-seconds="{seconds_left}" '
                'aria-hidden="true"></p>'
            )
        case WaPhoneCode(code=code):
            return f'<p>{_CODE_STEPS}</p><p class="code">{escape(code)}</p>'
        case Linked(login=login):
            return f'<p class="success">+{escape(login)} is linked.</p>'
        case NotLinked():
            return f'<p class="problem">{escape(of_attempt(step).text)}</p>'


def _is_idle(step: AttemptStep | None) -> bool:
    return step is None or isinstance(step, Linked | NotLinked)


def _stage(shown: Shown) -> str:
    return stage_of(shown.step, count=shown.count, seconds_left=shown.seconds_left)


def _start_forms(shown: Shown) -> str:
    phone = (
        '<label for="phone">Phone number, with its country code</label>'
        '<input id="phone" name="phone" type="tel" autocomplete="tel" placeholder="+14155550001" required>'
        "<button>Get a code to type</button>"
    )
    return _form(shown, "start", "<button>Show a QR code</button>") + "<p>or</p>" + _form(shown, "start", phone)


def _cancel_form(shown: Shown) -> str:
    return _form(shown, "cancel", '<button class="quiet">Stop</button>')


def _list(shown: Shown) -> str:
    if not shown.links:
        return "<p>You have linked none.</p>"
    return "<ul>" + "".join(_row(shown, link) for link in shown.links) + "</ul>"


def _row(shown: Shown, link: ShownLink) -> str:
    name = f" {escape(link.name)}" if link.name else ""
    number = escape(link.number)
    fields = f'<input type="hidden" name="login" value="{escape(link.id)}">'
    button = f'<button class="danger" aria-label="Log out {number}">Log out</button>'
    return (
        f'<li><span><strong>{number}</strong>{name}<br><span class="state">{escape(link.state)}</span></span>'
        f"{_form(shown, 'logout', fields + button)}</li>"
    )


def _form(shown: Shown, action: str, inside: str) -> str:
    token = f'<input type="hidden" name="form_token" value="{escape(shown.form_token)}">'
    return f'<form method="post" action="/login/{action}">{token}{inside}</form>'


def _document(body: str, *, follows: bool = False) -> str:
    script = '<script src="/login/page.js" defer></script>' if follows else ""
    note = (
        "<noscript><p>Load this page again from time to time: it cannot follow without JavaScript.</p></noscript>"
        if follows
        else ""
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>WhatsApp bridge: link accounts</title>
<link rel="stylesheet" href="/login/page.css">
<link rel="icon" href="/login/icon.svg">
{script}
</head>
<body>
<main>
<h1>WhatsApp bridge</h1>
{note}{body}
</main>
</body>
</html>
"""
