"""Letting strangers in by a code that the owner approves: the rules, free of clock and chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 8
CODE_LIFE = timedelta(hours=1)
TOLD_EVERY = timedelta(hours=1)
MAX_PENDING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingRequest:
    """A stranger who was given a code."""

    account: str
    number: str
    code: str
    made_at: datetime

    def is_pending(self, now: datetime) -> bool:
        """Whether the code is still good."""
        return now - self.made_at < CODE_LIFE


class Offer(StrEnum):
    """What a stranger is told."""

    TELL_CODE = "tell-code"
    STAY_SILENT = "stay-silent"


def decide_offer(
    requests: Sequence[PairingRequest], *, number: str, told_at: datetime | None, now: datetime
) -> Offer:
    """Whether a stranger is told a code now; at most one text each hour and few strangers at a time."""
    if told_at is not None and now - told_at < TOLD_EVERY:
        return Offer.STAY_SILENT
    pending = [one for one in requests if one.is_pending(now)]
    if any(one.number == number for one in pending):
        return Offer.STAY_SILENT
    return Offer.TELL_CODE if len(pending) < MAX_PENDING else Offer.STAY_SILENT


def make_code(choose: Callable[[int], int]) -> str:
    """A code of letters and digits nobody confuses; `choose(n)` gives a number below n."""
    return "".join(ALPHABET[choose(len(ALPHABET))] for _ in range(CODE_LENGTH))


def read_code(text: str) -> str | None:
    """A code as people type it; None when it cannot be one."""
    code = text.strip().upper().replace("-", "").replace(" ", "")
    return code if len(code) == CODE_LENGTH and all(letter in ALPHABET for letter in code) else None
