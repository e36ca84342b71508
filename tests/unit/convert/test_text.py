"""Text is cleaned, measured and cut before it goes anywhere."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mautrix_whatsapp_py.convert.text import clean, clean_name, json_size, split_by_size

ANY_TEXT = st.text(st.characters(exclude_categories=()))

CLEAN = [
    ("", ""),
    ("a\tb\nc", "a\tb\nc"),
    ("a\r\nb\rc", "a\nb\nc"),
    ("a\x00b\x1b[0m\x7f\x9f", "ab[0m"),
    ("\ud800", "\ufffd"),
    ("\udc00\ud800", "\ufffd\ufffd"),
    ("\ud800x\udc00", "\ufffdx\ufffd"),
    ("\ud83d\ude00", "😀"),
    ("\u202eשלום\u200d", "\u202eשלום\u200d"),
]


@pytest.mark.parametrize(("text", "expected"), CLEAN, ids=ascii)
def test_clean(text: str, expected: str) -> None:
    assert clean(text) == expected


@given(ANY_TEXT)
def test_clean_text_can_be_encoded_and_is_clean_for_good(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.encode().decode() == cleaned
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("name", "expected"),
    [("", ""), (" A\n B ", "A B"), ("\u202eevil\u2069", "evil"), ("x" * 500, "x" * 100), ("עברית", "עברית")],
)
def test_clean_name(name: str, expected: str) -> None:
    assert clean_name(name) == expected


@given(ANY_TEXT.map(clean), st.integers(1, 40))
def test_pieces_fit_and_lose_nothing(text: str, size: int) -> None:
    pieces = list(split_by_size(text, size))
    assert "".join(pieces) == text
    assert all(json_size(piece) <= size or len(piece) == 1 for piece in pieces)


@given(ANY_TEXT.map(clean))
def test_size_is_that_of_json(text: str) -> None:
    assert json_size(text) == len(json.dumps(text, ensure_ascii=False).encode()) - 2


@pytest.mark.parametrize(
    ("text", "size", "pieces"),
    [
        ("", 5, []),
        ("one two", 5, ["one ", "two"]),
        ("ab cd\ne f", 8, ["ab cd\n", "e f"]),
        ("xxxxxxxx", 4, ["xxxx", "xxxx"]),
        ("@123@123", 6, ["@123", "@123"]),
        ("!!!e\u0301", 5, ["!!!", "e\u0301"]),
        ("!!👩\u200d👩", 9, ["!!", "👩\u200d", "👩"]),
    ],
)
def test_cuts_are_kind(text: str, size: int, pieces: list[str]) -> None:
    assert list(split_by_size(text, size)) == pieces
