from __future__ import annotations

import pytest

from mautrix_whatsapp_py.convert.phone import to_international
from mautrix_whatsapp_py.errors import CommandError

GOOD = {
    "+14155550001": "14155550001",
    "14155550001": "14155550001",
    "  +1 (415) 555-0001 ": "14155550001",
    "+1.415.555.0001": "14155550001",
    "+1/415/555/0001": "14155550001",
    "+1\u00a0415\u202f555\u20110001": "14155550001",
    "+1–415—555‐0001": "14155550001",
    "(+1) 4155550001": "14155550001",
    "0014155550001": "14155550001",
    "00 49 170 1234567": "491701234567",
    "+49 (0) 170 1234567": "491701234567",
    "+49 (0)170 1234567": "491701234567",
    "\u202a+14155550001\u202c": "14155550001",
    "\u2066+1 415 555 0001\u2069": "14155550001",
    "\ufeff+14155550001": "14155550001",
    "＋１４１５５５５０００１": "14155550001",
    "+٤٩١٧٠١٢٣٤٥٦٧": "491701234567",
    "+१४१५५५५०००१": "14155550001",
    "1234567": "1234567",
    "123456789012345": "123456789012345",
}
BAD = {
    "": "missing",
    " - ": "missing",
    "\u202a\u202c": "missing",
    "call me": "only digits",
    "+1415555000A": "only digits",
    "+1 415 555 0001 ext 5": "only digits",
    "+1-800-FLOWERS": "only digits",
    "+": "only digits",
    "++14155550001": "only digits",
    "1+4155550001": "only digits",
    "+1415555²001": "only digits",
    "@alice:localhost": "only digits",
    "😀": "only digits",
    "0170 1234567": "country code is missing",
    "+0170 1234567": "country code is missing",
    "000 4155550001": "country code is missing",
    "٠١٧٠١٢٣٤٥٦٧": "country code is missing",
    "123456": "too short",
    "+1": "too short",
    "1234567890123456": "too long",
    "1" * 65536: "too long",
}


@pytest.mark.parametrize("text", GOOD, ids=ascii)
def test_numbers(text: str) -> None:
    assert to_international(text) == GOOD[text]


@pytest.mark.parametrize("text", BAD, ids=lambda text: ascii(text)[:30])
def test_what_is_no_number_is_told_why_and_how_to_write_one(text: str) -> None:
    with pytest.raises(CommandError) as caught:
        to_international(text)
    assert BAD[text] in caught.value.text
    assert "`+14155550001`" in caught.value.text
    assert len(caught.value.text) < 200
