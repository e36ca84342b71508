"""Reactions in the spelling of either side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mautrix_whatsapp_py.convert.emoji import is_emoji, to_matrix_emoji, to_wa_emoji

SPELLINGS = {
    "❤": "❤\ufe0f",
    "👍": "👍\ufe0f",
    "👍🏽": "👍🏽",
    "☝🏽": "☝🏽",
    "😂": "😂",
    "❤\u200d🔥": "❤\ufe0f\u200d🔥",
    "👨\u200d👩\u200d👧": "👨\u200d👩\u200d👧",
    "👁\u200d🗨": "👁\ufe0f\u200d🗨\ufe0f",
    "1\u20e3": "1\ufe0f\u20e3",
    "🇩🇪": "🇩🇪",
    "🏴\U000e0067\U000e0062\U000e007f": "🏴\U000e0067\U000e0062\U000e007f",
    "": "",
}


@pytest.mark.parametrize(("wa", "mx"), SPELLINGS.items())
def test_both_spellings(wa: str, mx: str) -> None:
    assert to_matrix_emoji(wa) == mx
    assert to_matrix_emoji(mx) == mx
    assert to_wa_emoji(mx) == wa
    assert is_emoji(mx) is bool(wa)


@pytest.mark.parametrize(
    "key",
    [
        *("", "lol", "+1", "1", "12", "❤x", "x❤", "\ufe0f", "\u200d", "mxc://h/i", "❤" * 41),
        *("👍👍", "👍🏽👍🏽", "❤\u200d", "🇩", "🇩🇪🇫🇷", "👍🏽🏽"),
    ],
)
def test_what_is_no_emoji(key: str) -> None:
    assert not is_emoji(key)


@pytest.mark.parametrize("key", ["🫨", "ℹ", "‼", "Ⓜ", "㊗", "#\u20e3"])
def test_what_is_one(key: str) -> None:
    assert is_emoji(key)


@given(st.text())
def test_spelling_twice_is_spelling_once(text: str) -> None:
    assert to_matrix_emoji(to_matrix_emoji(text)) == to_matrix_emoji(text)
    assert to_wa_emoji(to_matrix_emoji(text)) == to_wa_emoji(text)
