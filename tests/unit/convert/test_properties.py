"""Whatever comes, converting it neither fails nor wavers nor takes long."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mautrix_whatsapp_py.convert.context import OwnReaction, Quoted
from mautrix_whatsapp_py.convert.mentions import Addressed, WaMarkup, name_mentions
from mautrix_whatsapp_py.convert.mx_html import read_html
from mautrix_whatsapp_py.convert.needs import needs_of_mx, needs_of_wa
from mautrix_whatsapp_py.convert.results import MxSend, WaSend
from mautrix_whatsapp_py.convert.to_matrix import to_matrix
from mautrix_whatsapp_py.convert.to_whatsapp import to_whatsapp
from mautrix_whatsapp_py.convert.wa_markup import render_markup
from mautrix_whatsapp_py.convert.wa_scan import scan
from mautrix_whatsapp_py.convert.wa_writer import write_markup
from mautrix_whatsapp_py.model.content import MxContent, WaContent, WaEdit, WaText
from tests.unit.convert import strategies
from tests.unit.convert.builders import (
    ADDRESSED,
    ALICE,
    BOB,
    EVENT,
    GROUP,
    PEOPLE,
    TO_MATRIX,
    TO_WHATSAPP,
    own_target,
    replace,
    require_well_formed,
)


@given(strategies.WA_MARKUP)
def test_scanning_loses_no_character(text: str) -> None:
    assert "\n".join("".join(piece.raw for piece in line) for line in scan(text)) == text


@given(strategies.WA_MARKUP)
def test_any_markup_makes_sound_html(text: str) -> None:
    rendered = render_markup(text, name_mentions({ALICE, BOB}, PEOPLE))
    require_well_formed(rendered.html)
    assert rendered == render_markup(text, name_mentions({BOB, ALICE}, PEOPLE))


@given(strategies.WA_CONTENTS, st.booleans(), strategies.OWN_REACTIONS)
def test_any_message_from_whatsapp(content: WaContent, is_known: bool, own: OwnReaction | None) -> None:
    targets = (EVENT,) if is_known else ()
    context = replace(TO_MATRIX, targets=targets, own_reaction=own, placeholder=EVENT if is_known else None)
    needs_of_wa(content, GROUP)
    result = to_matrix(content, context)
    assert result == to_matrix(content, context)
    for part in result.parts if isinstance(result, MxSend) else ():
        require_well_formed(part.html)
        assert part.mentions is not None
        assert part.body.encode().decode() == part.body


@given(strategies.MX_CONTENTS, strategies.QUOTED, st.booleans())
def test_any_event_from_matrix(content: MxContent, quoted: Quoted | None, is_known: bool) -> None:
    context = replace(TO_WHATSAPP, quoted=quoted, target=own_target() if is_known else None)
    needs_of_mx(content)
    result = to_whatsapp(content, context)
    assert result == to_whatsapp(content, context)
    if isinstance(result, WaSend):
        require_sendable(result.content)


def require_sendable(content: WaContent) -> None:
    """A text that can be encoded, and every mention of which stands in it."""
    text = content.content if isinstance(content, WaEdit) else content
    if isinstance(text, WaText):
        assert text.body.encode().decode() == text.body
        assert all(f"@{jid.user}" in text.body for jid in text.context.mentions)


@given(strategies.HTML)
def test_any_html_makes_markup_that_settles(html: str) -> None:
    first = write_markup(read_html(html), ADDRESSED)
    assert first == write_markup(read_html(html), ADDRESSED)
    again = render_markup(first.text, {})
    require_well_formed(again.html)


PATTERNS = [
    *(
        "*",
        "_",
        "~",
        "`",
        "```",
        "````",
        "*_",
        "_*~",
        "* ",
        "> ",
        "- ",
        "1. ",
        "\n",
        "\n> ",
        "@",
        "@1",
        "@12",
        "*a ",
        "`a ",
    ),
    *(
        "*a* ",
        "https://",
        "http://x*",
        "\n* a\n  * b",
        "> *a*\n",
        "```a",
        "```a\nb```",
        "  ",
        "\ud800",
        "<",
        "&",
        "a",
    ),
]
TAGS = [
    *(
        "<",
        "</",
        "<!",
        "<!--",
        "<![",
        "<![CDATA[",
        "<?",
        "&",
        "&#",
        "<a ",
        '<a href="',
        "<a b='",
        "<b>",
        "</b>",
        "<b><i>",
    ),
    *(
        "<a href=x>",
        "<p>",
        "<br>",
        "<li>",
        "<td>",
        "<ul><li>",
        "<blockquote>a<br>",
        "<code>",
        "<pre>",
        "<script>",
        "<!-- ->",
    ),
    *(
        "<b>a",
        "a<b>b</b>",
        "<title>",
        "<textarea>",
        "<a/",
        "<a =",
        "<mx-reply>",
        "<b> </b>",
        "<span data-mx-spoiler=x>",
    ),
]


@pytest.mark.parametrize("pattern", PATTERNS, ids=ascii)
def test_pathological_markup_of_full_length(pattern: str) -> None:
    text = (pattern * 65_536)[:65_536]
    require_well_formed(render_markup(text, name_mentions({ALICE, BOB}, PEOPLE)).html)


@pytest.mark.parametrize("end", ["", ">", "-->"])
@pytest.mark.parametrize("tag", TAGS)
def test_pathological_html_of_full_length(tag: str, end: str) -> None:
    html = (tag * 65_536)[:65_536] + end
    assert len(write_markup(read_html(html), ADDRESSED).text) <= 20 * len(html)


def rewrite_html(html: str, addressed: Addressed) -> WaMarkup:
    return write_markup(read_html(html), addressed)


def count_lines(convert: Callable[[str, dict[Any, Any]], object], text: str) -> int:
    """Lines of Python executed: the same on every machine."""
    lines = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> object:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        convert(text, {})
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize("pattern", PATTERNS, ids=ascii)
def test_markup_takes_steps_in_proportion_to_its_length(pattern: str) -> None:
    one, two = (count_lines(render_markup, (pattern * n)[:n]) for n in (1_500, 3_000))
    assert two <= 2.5 * one + 100


@pytest.mark.parametrize("tag", TAGS)
def test_html_takes_steps_in_proportion_to_its_length(tag: str) -> None:
    # Depth is used up first: what lies beyond its limit is cheaper than what lies before.
    one, two = (count_lines(rewrite_html, (tag * n)[:n]) for n in (3_000, 6_000))
    assert two <= 2.5 * one + 100
