"""Cutting texts: tables, and properties over any text."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from mautrix_whatsapp_py.channel.chunking import FENCE, cut_text
from mautrix_whatsapp_py.config.channel import ChunkMode

FAMILY = "👨‍👩‍👧‍👦"


def words(count: int) -> str:
    return " ".join(f"word{number:03}" for number in range(count))


def graphemes(text: str) -> list[str]:
    return regex.findall(r"\X", text)


@pytest.mark.parametrize("mode", ChunkMode)
@pytest.mark.parametrize("text", ["", " ", "\n\n", "\t \n"])
def test_nothing_gives_nothing(text: str, mode: ChunkMode) -> None:
    assert cut_text(text, limit=100, mode=mode) == ()


@pytest.mark.parametrize("mode", ChunkMode)
def test_a_text_that_fits_is_left_alone(mode: ChunkMode) -> None:
    text = "  indented\n\nand\n\n\nspaced  "
    assert cut_text(text, limit=100, mode=mode) == (text,)
    assert cut_text("x" * 100, limit=100, mode=mode) == ("x" * 100,)


def test_length_mode_cuts_at_white_space_near_the_limit() -> None:
    parts = cut_text(words(40), limit=100, mode=ChunkMode.LENGTH)
    assert " ".join(parts) == words(40)
    assert all(80 < len(part) <= 100 for part in parts[:-1])


def test_newline_mode_prefers_blank_lines_then_lines_then_length() -> None:
    text = f"{'a' * 30}\n{'b' * 30}\n\n{'c' * 30}\n{'d' * 60}\n{'e' * 150}"
    parts = cut_text(text, limit=100, mode=ChunkMode.NEWLINE)
    assert parts == (f"{'a' * 30}\n{'b' * 30}", f"{'c' * 30}\n{'d' * 60}", "e" * 100, "e" * 50)


def test_no_grapheme_is_split() -> None:
    parts = cut_text(FAMILY * 40, limit=50, mode=ChunkMode.LENGTH)
    assert "".join(parts) == FAMILY * 40
    assert all(set(graphemes(part)) == {FAMILY} for part in parts)


def test_a_code_block_is_closed_and_opened_again() -> None:
    code = "\n".join(f"line {number}" for number in range(30))
    parts = cut_text(f"Look:\n```python\n{code}\n```\nDone.", limit=100, mode=ChunkMode.NEWLINE)
    assert len(parts) > 2
    assert all(part.count(FENCE) % 2 == 0 for part in parts)
    assert all(part.startswith("```python\n") for part in parts[1:-1])
    lines = [line for part in parts for line in part.splitlines() if line.startswith("line ")]
    assert "\n".join(lines) == code


def test_a_block_of_one_long_line_keeps_its_fences() -> None:
    parts = cut_text("```\n" + "x" * 500 + "\n```", limit=100, mode=ChunkMode.LENGTH)
    assert all(len(part) <= 100 and part.count(FENCE) == 2 for part in parts)
    assert "".join(parts).count("x") == 500


@given(
    st.text(st.sampled_from("ab \n`é" + "👨\u200d👩🏽"), max_size=600),
    st.integers(40, 120),
    st.sampled_from(ChunkMode),
)
def test_everything_arrives_in_order_within_the_limit(text: str, limit: int, mode: ChunkMode) -> None:
    parts = cut_text(text, limit=limit, mode=mode)
    longest = max((len(one) for one in graphemes(text)), default=0)
    assert all(part.strip() for part in parts)
    assert all(len(part) <= max(limit, longest + 30) for part in parts)
    kept = regex.sub(r"[\s`]", "", "".join(parts))
    assert kept == regex.sub(r"[\s`]", "", text)


@given(st.text(max_size=400), st.integers(-5, 100), st.sampled_from(ChunkMode))
def test_any_text_is_cut_without_an_end(text: str, limit: int, mode: ChunkMode) -> None:
    assert isinstance(cut_text(text, limit=limit, mode=mode), tuple)
