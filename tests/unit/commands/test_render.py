from __future__ import annotations

import pytest

from mautrix_whatsapp_py.commands.render import MAX_NOTICE_CHARACTERS, render
from mautrix_whatsapp_py.commands.results import Form, Group, Item, Listing, Result, Said, Table
from mautrix_whatsapp_py.convert.bot_text import quoted, to_notice

SENTENCES = {
    "": None,
    "plain": None,
    "two\nlines": "two<br>\nlines",
    "send `help`": "send <code>help</code>",
    "`a` and `b`": "<code>a</code> and <code>b</code>",
    "an `unclosed": None,
    "<script>&": "&lt;script&gt;&amp;",
    "`<b>`": "<code>&lt;b&gt;</code>",
    "😀 `سلام`": "😀 <code>سلام</code>",
    "`line\nbreak`": "`line<br>\nbreak`",
}


@pytest.mark.parametrize("text", SENTENCES)
def test_sentences(text: str) -> None:
    notice = to_notice(text)
    assert (notice.body, notice.html) == (text, SENTENCES[text])


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a", "a"), ("a`b\nc", "a'b c"), ("x" * 61, "x" * 59 + "…"), ("", "")],
)
def test_foreign_text_is_short_and_has_no_markup(text: str, shown: str) -> None:
    assert quoted(text) == shown


def test_a_listing() -> None:
    listing = Listing(
        groups=(
            Group(title="A & B", items=(Item(term="x<y", text="one `two`", is_code=True),)),
            Group(title="C", items=(Item(term="", text="none"), Item(term="db", text="away", is_well=False))),
        ),
        footer="Bye `now`",
    )
    (notice,) = render(listing)
    assert notice.body == "A & B:\n• `x<y`: one `two`\n\nC:\n• none\n• ⚠️ db: away\n\nBye `now`"
    assert notice.html == (
        "<h4>A &amp; B</h4>\n<ul><li><code>x&lt;y</code>: one <code>two</code></li></ul>\n"
        "<h4>C</h4>\n<ul><li>none</li><li>⚠️ <strong>db</strong>: away</li></ul>\n<p>Bye <code>now</code></p>"
    )


def test_a_table() -> None:
    (notice,) = render(Table(header=("id", "name"), rows=(("1", "<b>"), ("2", "b"))))
    assert notice.body == "id | name\n1 | <b>\n2 | b"
    assert notice.html == (
        "<table><thead><tr><th>id</th><th>name</th></tr></thead>"
        "<tbody><tr><td>1</td><td>&lt;b&gt;</td></tr><tr><td>2</td><td>b</td></tr></tbody></table>"
    )


def test_an_empty_table_says_so() -> None:
    (notice,) = render(Table(header=("id",), rows=(), if_empty="No logins."))
    assert (notice.body, notice.html) == ("No logins.", None)


def test_a_form_tells_how_to_stop() -> None:
    (notice,) = render(Form(question="Your number?"))
    assert notice.body == "Your number?\nSend `cancel` to stop."


LONG: list[Result] = [
    Said(text="x" * 65536),
    Table(header=("n", "text"), rows=tuple((str(number), "y" * 90) for number in range(800))),
]


@pytest.mark.parametrize("result", LONG, ids=["said", "table"])
def test_what_is_too_long_for_one_event_becomes_several(result: Result) -> None:
    notices = render(result)
    assert len(notices) > 5
    assert all(len(notice.body) < MAX_NOTICE_CHARACTERS * 1.2 for notice in notices)
    assert all(len((notice.html or "").encode()) < 40_000 for notice in notices)


def test_results_keep_their_order() -> None:
    assert [notice.body for notice in render((Said(text="a"), Said(text="b")))] == ["a", "b"]
