"""Phone numbers as people write them."""

from __future__ import annotations

import re

from mautrix_whatsapp_py.errors import CommandError

MIN_DIGITS = 7
MAX_DIGITS = 15
_SEPARATORS = re.compile(r"[\s\-./()\u00a0\u2010-\u2015]+")
_DIGITS = re.compile(r"[0-9]+")


def to_international(text: str) -> str:
    """The digits of an international number; CommandError says what is wrong with it."""
    number = _SEPARATORS.sub("", text)
    number = number.removeprefix("+")
    example = "Write it with its country code, as in `+14155550001`."
    if not number:
        raise CommandError(f"The phone number is missing. {example}")
    if not _DIGITS.fullmatch(number):
        raise CommandError(f"A phone number has only digits. {example}")
    if number.startswith("0"):
        raise CommandError(f"That number begins with 0, so its country code is missing. {example}")
    if len(number) < MIN_DIGITS:
        raise CommandError(f"That number is too short. {example}")
    if len(number) > MAX_DIGITS:
        raise CommandError(f"That number is too long. {example}")
    return number
