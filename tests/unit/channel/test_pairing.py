"""Codes for strangers."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from mautrix_whatsapp_py.channel.pairing import (
    ALPHABET,
    CODE_LENGTH,
    Offer,
    PairingRequest,
    decide_offer,
    make_code,
    read_code,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def request(number: str, *, minutes_ago: int) -> PairingRequest:
    return PairingRequest(
        account="a", number=number, code="ABCDEFGH", made_at=NOW - timedelta(minutes=minutes_ago)
    )


@pytest.mark.parametrize(
    ("pending", "told_minutes_ago", "expected"),
    [
        ((), None, Offer.TELL_CODE),
        ((), 59, Offer.STAY_SILENT),
        ((), 60, Offer.TELL_CODE),
        ((("1", 5),), None, Offer.STAY_SILENT),
        ((("1", 60),), None, Offer.TELL_CODE),
        ((("2", 5), ("3", 5)), None, Offer.TELL_CODE),
        ((("2", 5), ("3", 5), ("4", 59)), None, Offer.STAY_SILENT),
        ((("2", 5), ("3", 5), ("4", 60)), None, Offer.TELL_CODE),
    ],
)
def test_few_strangers_are_told_and_rarely(
    pending: tuple[tuple[str, int], ...], told_minutes_ago: int | None, expected: Offer
) -> None:
    told_at = None if told_minutes_ago is None else NOW - timedelta(minutes=told_minutes_ago)
    requests = [request(number, minutes_ago=minutes) for number, minutes in pending]
    assert decide_offer(requests, number="1", told_at=told_at, now=NOW) is expected


def test_codes_have_eight_letters_that_nobody_confuses() -> None:
    chance = random.Random(1)
    codes = {make_code(chance.randrange) for _ in range(200)}
    assert len(codes) == 200
    assert all(len(code) == CODE_LENGTH and set(code) <= set(ALPHABET) for code in codes)
    assert not set("0O1I") & set(ALPHABET)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ABCDEFGH", "ABCDEFGH"),
        (" abcd-efgh ", "ABCDEFGH"),
        ("abcd efgh", "ABCDEFGH"),
        ("ABCDEFG", None),
        ("ABCDEFG0", None),
        ("ABCDEFGHJ", None),
        ("", None),
    ],
)
def test_codes_are_read_as_people_type_them(text: str, code: str | None) -> None:
    assert read_code(text) == code
