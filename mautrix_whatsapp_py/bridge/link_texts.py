"""What people read while they link an account."""

from __future__ import annotations

from mautrix_whatsapp_py.model.wa_link import WaPairingFailure

QR_STEPS = """Open WhatsApp on your phone, then Settings (or the menu ⋮), Linked devices, Link a device.
Point the phone at the code below. WhatsApp renews it every few seconds; I keep it up to date.
Send `cancel` to stop."""
QR_CAPTION = "QR code for WhatsApp: scan it with your phone under Linked devices."
CODE_STEPS = """Your code is `{code}`.
Open WhatsApp on your phone, then Settings (or the menu ⋮), Linked devices, Link a device, \
Link with phone number instead, and type the code.
It is valid for about three minutes. Send `cancel` to stop."""
WEB_LINK = (
    "Open this in your browser, on any device but the phone that has WhatsApp: {url}\n"
    "It works once, within ten minutes, and only you should have it."
)
NO_PAGE = "This bridge has no login page. Send `login` to get a QR code here."
NO_CODE = "There is no code here any more."
SUCCESS = "Successfully logged in as {number}"
TAKEN_OVER = "This account was linked here by somebody else before; that link has ended."
LOST_TO_OTHER = (
    "{number} was linked on this bridge by another person just now, so your link has ended. "
    "If that was not you, open WhatsApp on your phone, then Linked devices, and remove what you do not know."
)
ALREADY_RUNNING = "You are linking an account already. Finish that first, or send `cancel`."
NOT_HERE = (
    "A code gives access to your WhatsApp account, so I show it only where nobody else reads along. "
    "Invite me to a direct chat and send `login` there."
)
ENCRYPTED_ROOM = (
    "This room is encrypted, but I cannot encrypt what I send, and a login code must not travel in the open. "
    "Invite me to a direct chat with encryption switched off and send `login` there."
)
INTERRUPTED = "Linking was interrupted because the bridge restarted. Send `login` to start again."
HOMESERVER_FAULT = "The code could not be shown because the homeserver did not take it. Send `login` to try again."
DATABASE_FAULT = "The code could not be shown because the bridge's database is away. Send `login` to try again."

FAILURES = {
    WaPairingFailure.TIMEOUT: (
        "Nobody scanned or typed the code in time. If the phone refused it, four devices are linked already: "
        "remove one on the phone under Linked devices. Then send `login` for a new code."
    ),
    WaPairingFailure.CANCELLED: "Stopped. Nothing was linked.",
    WaPairingFailure.OUTDATED: (
        "WhatsApp does not accept this version of the bridge any more. "
        "Ask the person who runs the bridge to update it."
    ),
    WaPairingFailure.NO_MULTIDEVICE: (
        "The phone's WhatsApp is too old to link devices. Update WhatsApp on the phone, then send `login` again."
    ),
    WaPairingFailure.UNEXPECTED_STATE: (
        "This account is linked here already. Send `list-logins` to see it, or `logout` to unlink it first."
    ),
    WaPairingFailure.PASSKEY: (
        "WhatsApp asks for a passkey, which a bridge cannot give. "
        "Switch the passkey off on the phone (Settings, Account, Passkeys), then send `login` again."
    ),
    WaPairingFailure.REFUSED: (
        "WhatsApp refused to link the device. Most often four devices are linked already: on the phone, "
        "open Linked devices, remove one you do not need, then send `login` again."
    ),
    WaPairingFailure.NUMBER_INVALID: (
        "WhatsApp does not know that number. Write it with its country code, as in `login code +14155550001`."
    ),
    WaPairingFailure.NUMBER_TOO_SHORT: (
        "That number is too short. Write it with its country code, as in `login code +14155550001`."
    ),
    WaPairingFailure.NUMBER_NOT_INTERNATIONAL: (
        "That number lacks its country code. Write it as in `login code +14155550001`, without a leading 0."
    ),
    WaPairingFailure.RATE_LIMITED: (
        "WhatsApp allows no more codes for now. Wait an hour, or send `login` to scan a QR code instead."
    ),
    WaPairingFailure.NETWORK: (
        "WhatsApp could not be reached. Check the bridge's internet connection, then send `login` again."
    ),
    WaPairingFailure.BUSY: "Too many people are linking accounts at this moment. Try again in a few minutes.",
    WaPairingFailure.HOST: (
        "Linking failed because a part of the bridge stopped. Send `login` to try again; "
        "the person who runs the bridge finds the reason in the log."
    ),
}


def too_many(limit: int) -> str:
    """Why somebody who may link so many accounts may link no more."""
    if limit == 0:
        return "You may not link accounts on this bridge. Ask the person who runs it."
    count = "one account" if limit == 1 else f"{limit} accounts"
    return f"You may link {count} here, and you have. Unlink one with `logout`, or link it again with `relogin`."
