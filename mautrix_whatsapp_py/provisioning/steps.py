"""Steps of a login as programs see them."""

from __future__ import annotations

from typing import TypeAlias

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa_link import WaPhoneCode, WaQrCode
from mautrix_whatsapp_py.provisioning.answers import Json

_PREFIX = "fi.mau.whatsapp.login."
QR_STEP = _PREFIX + "qr"
NUMBER_STEP = _PREFIX + "phone"
CODE_STEP = _PREFIX + "code"
COMPLETE_STEP = _PREFIX + "complete"
QR_FLOW = "qr"
PHONE_FLOW = "phone"
NUMBER_FIELD = "phone_number"
USER_INPUT = "user_input"
DISPLAY = "display_and_wait"
FLOWS: tuple[Json, ...] = (
    {
        "name": "QR",
        "description": "Scan a QR code to pair the bridge to your WhatsApp account",
        "id": QR_FLOW,
    },
    {
        "name": "Pairing code",
        "description": "Input your phone number to get a pairing code for your WhatsApp account",
        "id": PHONE_FLOW,
    },
)
_NUMBER_INPUT: Json = {
    "fields": [
        {
            "type": "phone_number",
            "id": NUMBER_FIELD,
            "name": "Phone number",
            "description": "Your WhatsApp phone number in international format",
        }
    ]
}
_QR_TEXT = "Scan the QR code with the WhatsApp mobile app to log in"
_CODE_TEXT = "Input the pairing code in the WhatsApp mobile app to log in"

Shown: TypeAlias = WaQrCode | WaPhoneCode


def number_step() -> Json:
    """Asks for the phone number."""
    return {"type": USER_INPUT, "step_id": NUMBER_STEP, "instructions": "", USER_INPUT: _NUMBER_INPUT}


def shown_step(step: Shown) -> Json:
    """Shows a code."""
    if isinstance(step, WaQrCode):
        shown = {"type": "qr", "data": step.data}
        return {"type": DISPLAY, "step_id": QR_STEP, "instructions": _QR_TEXT, DISPLAY: shown}
    shown = {"type": "code", "data": step.code}
    return {"type": DISPLAY, "step_id": CODE_STEP, "instructions": _CODE_TEXT, DISPLAY: shown}


def complete_step(login: LoginId) -> Json:
    """The account is linked."""
    return {
        "type": "complete",
        "step_id": COMPLETE_STEP,
        "instructions": f"Successfully logged in as +{login}",
        "complete": {"user_login_id": login},
    }
