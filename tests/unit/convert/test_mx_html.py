"""The HTML of Matrix messages as WhatsApp markup."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.convert.mx_html import pills, read_html
from mautrix_whatsapp_py.convert.wa_writer import write_markup
from tests.unit.convert.builders import ADDRESSED, ALICE, ALICE_MX, BOB, pill

INLINE = {
    "": "",
    "x": "x",
    "a &lt;b&gt; &amp; &quot;c&quot;": 'a <b> & "c"',
    "a\n  b": "a b",
    "a<br>b": "a\nb",
    "a<br/>b": "a\nb",
    "<strong>b</strong>": "*b*",
    "<b>b</b>": "*b*",
    "<em>i</em>": "_i_",
    "<i>i</i>": "_i_",
    "<del>s</del>": "~s~",
    "<s>s</s> <strike>t</strike>": "~s~ ~t~",
    "<code>c</code>": "`c`",
    "<u>u</u> <sup>2</sup> <font color='red'>r</font>": "u 2 r",
    "<b>שלום</b> <i>😀</i>": "*שלום* _😀_",
    # nesting keeps its order, doubled marks count once
    "<b><i>x</i></b>": "*_x_*",
    "<i><b>x</b></i>": "_*x*_",
    "<b><b>x</b></b>": "*x*",
    "<i><b>x</b> y</i>": "_*x* y_",
    "<b>a <i>b</i> c</b>": "*a _b_ c*",
    "<b>x": "*x*",
    "<b>x</i>": "*x*",
    "</b>x": "x",
    # what WhatsApp would not show as a mark is not written
    "un<b>believ</b>able": "unbelievable",
    "<b></b>x": "x",
    "<b> </b>x": "x",
    "<b>a </b>b": "*a* b",
    "a<b> b</b>": "a *b*",
    "<b>a<br>b</b>": "*a*\n*b*",
    # typed marks stay as typed
    "*so* it_is": "*so* it_is",
    # code
    "<code>*x*</code>": "`*x*`",
    "<code><b>x</b></code>": "`x`",
    "<code>x`y</code>": "```x`y```",
    "a<code>b</code>c": "a```b```c",
    "<code>```</code>": "```",
    "<b><code>x</code></b>": "*`x`*",
    "<code>a</code><code>b</code>": "`ab`",
    "<code></code>": "",
    # links
    '<a href="https://x.y/z">text</a>': "text (https://x.y/z)",
    '<a href="https://x.y/z">https://x.y/z</a>': "https://x.y/z",
    '<a href="https://x.y/">x.y</a>': "https://x.y/",
    '<a href="https://x.y"></a>': "https://x.y",
    '<a href="https://x.y"><b>t</b></a>': "*t* (https://x.y)",
    '<a href="mailto:a@b.c">a@b.c</a>': "a@b.c",
    '<a href="javascript:alert(1)">j</a>': "j",
    '<a name="x">n</a>': "n",
    '<a href="https://matrix.to/#/#room:hs">#room:hs</a>': "#room:hs",
    '<a href="https://matrix.to/#/!r:hs/$e">that</a>': "that",
    # the rest
    '<img src="mxc://h/i" alt=":cat:">': ":cat:",
    '<img src="mxc://h/i">x': "x",
    "<span data-mx-spoiler>s</span>": "s",
    '<span data-mx-spoiler="end of film">he dies</span>': "(end of film) he dies",
    "<mx-reply><blockquote>q</blockquote></mx-reply>r": "r",
    "<script>x</script><style>y</style>z": "z",
    "a<!-- c -->b<!DOCTYPE x><?php y?>c": "abc",
    "<!-- never closed": "<!-- never closed",
    "<![x<![y": "<![x<![y",
    "1 < 2": "1 < 2",
    "<unknown>x</unknown>": "x",
}
BLOCKS = {
    "<p>a</p><p>b</p>": "a\n\nb",
    "<p>a<p>b": "a\n\nb",
    "<div>a</div><div>b</div>": "a\nb",
    "<h1>T</h1>x": "*T*\n\nx",
    "<h3>a <b>b</b></h3>": "*a b*",
    "<ul><li>a</li><li>b</li></ul>": "* a\n* b",
    "x<ul><li>a</ul>y": "x\n* a\ny",
    "<ul>\n<li>a\n<ul>\n<li>b</li>\n</ul>\n</li>\n<li>c</li>\n</ul>": "* a\n  * b\n* c",
    "<ul><li><p>a</p></li><li><p>b</p></li></ul>": "* a\n* b",
    "<ol><li>a</li><li>b</li></ol>": "1. a\n2. b",
    '<ol start="9"><li>a</li><li>b</li></ol>': "9. a\n10. b",
    '<ol start="x"><li>a</li></ol>': "1. a",
    "<ol><li>a<ul><li>b</li></ul></li></ol>": "1. a\n   * b",
    "<ul><li>a<br>b</li></ul>": "* a\n  b",
    "<ul><li></li><li>b</li></ul>": "* b",
    "<li>x": "* x",
    "<blockquote>a<br>b</blockquote>c": "> a\n> b\nc",
    "<blockquote>\n<p>a</p>\n<p>b</p>\n</blockquote>\n<p>c</p>": "> a\n> \n> b\n\nc",
    "<blockquote><blockquote>a</blockquote>b</blockquote>": "> > a\n> b",
    "<blockquote><ul><li>a</li></ul></blockquote>": "> * a",
    "<pre><code>a\n  *b*\n</code></pre>c": "```\na\n  *b*\n```\nc",
    '<pre><code class="language-x">a</code></pre>': "```\na\n```",
    "<pre>a ``` b</pre>": "a ``` b",
    "<pre></pre>x": "x",
    "<blockquote><pre>a\nb</pre></blockquote>": "> `a`\n> `b`",
    "<table><thead><tr><th>a</th><th>b</th></tr></thead><tr><td>c<td>d</table>": "a | b\nc | d",
    "a<hr>b": "a\n---\nb",
    "<details><summary>s</summary>t</details>": "s\nt",
    "x<br><br>y": "x\n\ny",
    "<br><br>x<br>": "x",
}


@pytest.mark.parametrize(("html", "text"), (INLINE | BLOCKS).items())
def test_html_becomes_markup(html: str, text: str) -> None:
    assert write_markup(read_html(html), {}).text == text


def test_pills_become_mentions_in_the_addressing_of_the_chat() -> None:
    html = f"{pill(ALICE_MX, 'Alice')}: <b>{pill('@whatsapp_123:hs', 'B')}</b> {pill('@who:hs', 'Who')}"
    nodes = read_html(html)
    markup = write_markup(nodes, ADDRESSED)
    assert markup.text == "@12: *@123* Who"
    assert markup.mentions == {ALICE, BOB}
    assert pills(nodes) == {ALICE_MX, "@whatsapp_123:hs", "@who:hs"}


@pytest.mark.parametrize(
    "href",
    [
        "https://matrix.to/#/@whatsapp_12:hs",
        "https://matrix.to/#/%40whatsapp_12%3Ahs",
        "https://matrix.to/#/@whatsapp_12:hs?via=hs",
        "matrix:u/whatsapp_12:hs",
        "matrix:u/whatsapp_12:hs?action=chat",
    ],
)
def test_every_way_to_write_a_pill_is_known(href: str) -> None:
    assert write_markup(read_html(f'<a href="{href}">A</a>'), ADDRESSED).text == "@12"


def test_a_pill_in_code_is_text() -> None:
    assert write_markup(read_html(f"<code>{pill(ALICE_MX, 'Alice')}</code>"), ADDRESSED).text == "`Alice`"


HOSTILE = {
    "nested": ("<b>" * 10_000 + "x", "*x*"),
    "nested and closed": ("<div>" * 10_000 + "x" + "</div>" * 10_000 + "y", "x\ny"),
    "lists": ("<ul><li>" * 10_000 + "x", "* " * 8 + "x"),
    "quotes": ("<blockquote>" * 10_000 + "x", "> " * 8 + "x"),
    "links": ('<a href="https://x.y">' * 3_000 + "x", "x" + " (https://x.y)" * 100),
    "reply never closed": ("<mx-reply>" * 10_000 + "x", ""),
}


@pytest.mark.parametrize(("html", "text"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_nesting_stays_small(html: str, text: str) -> None:
    assert write_markup(read_html(html), {}).text == text
