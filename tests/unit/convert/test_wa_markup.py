"""WhatsApp markup as HTML, and the plain text beside it."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.convert.mentions import name_mentions
from mautrix_whatsapp_py.convert.wa_markup import render_markup
from tests.unit.convert.builders import ALICE, ALICE_MX, BOB, BOB_MX, PEOPLE, pill, require_well_formed

INLINE = {
    # nothing to do
    "": None,
    "x": None,
    "plain": None,
    "two\nlines": None,
    "1 < 2 & 3 > 2": None,
    "❤️ 👍🏽": None,
    "שלום עולם": None,
    # each mark
    "*b*": "<strong>b</strong>",
    "_i_": "<em>i</em>",
    "~s~": "<del>s</del>",
    "`c`": "<code>c</code>",
    "```c```": "<code>c</code>",
    "*b* and _i_": "<strong>b</strong> and <em>i</em>",
    "*b* & co": "<strong>b</strong> &amp; co",
    "*a*\n_b_": "<strong>a</strong><br><em>b</em>",
    "*שלום*": "<strong>שלום</strong>",
    "*😀*": "<strong>😀</strong>",
    "\u202e*x*": "\u202e<strong>x</strong>",
    # nesting, in either order
    "*_x_*": "<strong><em>x</em></strong>",
    "_*x*_": "<em><strong>x</strong></em>",
    "*_~x~_*": "<strong><em><del>x</del></em></strong>",
    "*a _b_ c*": "<strong>a <em>b</em> c</strong>",
    "*b*_i_": "<strong>b</strong><em>i</em>",
    # marks that cross: the outer one wins
    "*a _b* c_": "<strong>a _b</strong> c_",
    # at word borders only
    "snake_case_name": None,
    "2*3*4": None,
    "a*b*": None,
    "*b*a": None,
    "(*b*)!": "(<strong>b</strong>)!",
    '"_i_"': '"<em>i</em>"',
    # no blanks inside, nothing empty, nothing unclosed, nothing over lines
    "x * b*": None,
    "*b *": None,
    "**": None,
    "***": None,
    "_ _": None,
    "*a": None,
    "a*": None,
    "*a _b_": "*a <em>b</em>",
    "*a\nb*": None,
    "``": None,
    "``````": None,
    "` `": None,
    "`a": None,
    "```a": None,
    "`a\nb`": None,
    "**b**": "*<strong>b</strong>*",
    # code is left alone
    "`*x*`": "<code>*x*</code>",
    "```_x_ @12```": "<code>_x_ @12</code>",
    "*`x`*": "<strong><code>x</code></strong>",
    "it`s and that`s": None,
    "`<b>`": "<code>&lt;b&gt;</code>",
    # links too
    "https://x.y/_a_/*b*": None,
    "*https://x.y*": "<strong>https://x.y</strong>",
}
BLOCKS = {
    "```a\nb```": "<pre><code>a\nb</code></pre>",
    "```\na\n  *b*\n```": "<pre><code>a\n  *b*</code></pre>",
    "see ```a\nb``` end\nz": "see <pre><code>a\nb</code></pre> end<br>z",
    "* a\n* b": "<ul><li>a</li><li>b</li></ul>",
    "- a\n- *b*": "<ul><li>a</li><li><strong>b</strong></li></ul>",
    "x\n* a\ny": "x<ul><li>a</li></ul>y",
    "1. a\n2. b": "<ol><li>a</li><li>b</li></ol>",
    "9. a\n10. b": '<ol start="9"><li>a</li><li>b</li></ol>',
    "1. a\n5. b": '<ol><li>a</li></ol><ol start="5"><li>b</li></ol>',
    "* a\n1. b": "<ul><li>a</li></ul><ol><li>b</li></ol>",
    "* a\n  * b\n* c": "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>",
    "100. a": None,
    "1.a": None,
    "*a": None,
    "  * a": None,
    "* ": None,
    "* b*": "<ul><li>b*</li></ul>",
    "* * a": "<ul><li>* a</li></ul>",
    "* *a*": "<ul><li><strong>a</strong></li></ul>",
    "> a": "<blockquote>a</blockquote>",
    "> a\n> *b*\nc": "<blockquote>a<br><strong>b</strong></blockquote>c",
    "> a\n\nb": "<blockquote>a</blockquote><br>b",
    "x\n\n> a": "x<br><br><blockquote>a</blockquote>",
    "> > a": "<blockquote><blockquote>a</blockquote></blockquote>",
    "> * a": "<blockquote><ul><li>a</li></ul></blockquote>",
    ">a": None,
    "> ": None,
    "a > b": None,
}


@pytest.mark.parametrize(("text", "html"), (INLINE | BLOCKS).items())
def test_markup_becomes_html(text: str, html: str | None) -> None:
    rendered = render_markup(text, {})
    assert rendered.html == html
    assert rendered.body == text
    require_well_formed(rendered.html)


MENTIONS = {
    "@12": (pill(ALICE_MX, "Alice"), "Alice"),
    "@123": (pill(BOB_MX, "Bob &lt;b&gt;"), "Bob <b>"),
    "@12 @123 @1": (
        f"{pill(ALICE_MX, 'Alice')} {pill(BOB_MX, 'Bob &lt;b&gt;')} @1",
        "Alice Bob <b> @1",
    ),
    "@12@123": (pill(ALICE_MX, "Alice") + pill(BOB_MX, "Bob &lt;b&gt;"), "AliceBob <b>"),
    "*@12*, hi": (f"<strong>{pill(ALICE_MX, 'Alice')}</strong>, hi", "*Alice*, hi"),
    "* @12": (f"<ul><li>{pill(ALICE_MX, 'Alice')}</li></ul>", "* Alice"),
    "`@12`": ("<code>@12</code>", "`@12`"),
    "@1234": (None, "@1234"),
    "@ 12": (None, "@ 12"),
}


@pytest.mark.parametrize(("text", "expected"), MENTIONS.items())
def test_mentions_become_pills(text: str, expected: tuple[str | None, str]) -> None:
    rendered = render_markup(text, name_mentions({ALICE, BOB}, PEOPLE))
    assert (rendered.html, rendered.body) == expected
    require_well_formed(rendered.html)


def test_five_hundred_mentions_each_find_their_own() -> None:
    text = " ".join(f"@{number}" for number in range(500))
    rendered = render_markup(text, name_mentions({ALICE, BOB}, PEOPLE))
    assert rendered.body.split(" ")[12] == "Alice"
    assert (rendered.html or "").count("<a href") == 2


def test_a_name_cannot_break_out_or_turn_the_text() -> None:
    person = PEOPLE[ALICE]
    evil = type(person)(user_id=person.user_id, name='\u202e"><script>\nx')
    rendered = render_markup("@12", {"12": evil})
    assert rendered.html == pill(ALICE_MX, '"&gt;&lt;script&gt; x')


@pytest.mark.parametrize("depth", [7, 8, 9, 5_000])
def test_quotes_nest_only_so_deep(depth: int) -> None:
    rendered = render_markup("> " * depth + "x", {})
    require_well_formed(rendered.html)
    assert (rendered.html or "").count("<blockquote>") == min(depth, 8)
