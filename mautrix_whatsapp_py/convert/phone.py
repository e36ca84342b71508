"""Phone numbers as people write them."""

from __future__ import annotations

import re

from mautrix_whatsapp_py.errors import PhoneNumberError

MIN_DIGITS = 7
MAX_DIGITS = 15
EXAMPLE = "Write it with its country code, as in `+14155550001`."
# Contact lists copy numbers with invisible marks of direction around them.
_SEPARATORS = re.compile(r"[\s\-./()\u00a0\u2010-\u2015\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
_TRUNK_ZERO = re.compile(r"\(0\)")
_DIALLED = re.compile(r"\+|00")
_DIGITS = re.compile(r"\d+")


def to_international(text: str) -> str:
    """The digits of an international number; PhoneNumberError says what is wrong with it."""
    compact = _SEPARATORS.sub("", _TRUNK_ZERO.sub("", text)).replace("\uff0b", "+")
    if not compact:
        raise PhoneNumberError(f"The phone number is missing. {EXAMPLE}")
    dialled = _DIALLED.match(compact)
    number = compact[dialled.end() :] if dialled else compact
    if not _DIGITS.fullmatch(number):
        raise PhoneNumberError(f"A phone number has only digits. {EXAMPLE}")
    number = "".join(str(int(digit)) for digit in number)
    if number.startswith("0"):
        raise PhoneNumberError(f"That number begins with 0, so its country code is missing. {EXAMPLE}")
    if len(number) < MIN_DIGITS:
        raise PhoneNumberError(f"That number is too short. {EXAMPLE}")
    if len(number) > MAX_DIGITS:
        raise PhoneNumberError(f"That number is too long. {EXAMPLE}")
    return number
