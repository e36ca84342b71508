"""What WhatsApp can show comes back from it as it went."""

from __future__ import annotations

import pytest
from hypothesis import given

from mautrix_whatsapp_py.convert.mentions import name_mentions
from mautrix_whatsapp_py.convert.mx_html import read_html
from mautrix_whatsapp_py.convert.wa_markup import render_markup
from mautrix_whatsapp_py.convert.wa_writer import write_markup
from tests.unit.convert import strategies
from tests.unit.convert.builders import ADDRESSED, ALICE_MX, BOB_MX, PEOPLE, pill


def there_and_back(html: str) -> str:
    markup = write_markup(read_html(html), ADDRESSED)
    return render_markup(markup.text, name_mentions(markup.mentions, PEOPLE)).markup


@given(strategies.FORMATTED)
def test_formatting_survives_the_round_trip(html: str) -> None:
    assert there_and_back(html) == html


@given(strategies.FORMATTED)
def test_markup_settles_after_one_trip(html: str) -> None:
    once = write_markup(read_html(html), {}).text
    assert write_markup(read_html(render_markup(once, {}).markup), {}).text == once


@pytest.mark.parametrize(
    "html",
    [
        "plain",
        "a &lt;b&gt; &amp; c",
        "<strong>a</strong> <strong>b</strong>",
        "<strong><em><del>x</del></em></strong>",
        "x<br><br><blockquote>a</blockquote><br>y",
        "<ul><li>a<ol><li>b</li></ol></li><li>c</li></ul>",
        "<blockquote>a<blockquote>b</blockquote>c</blockquote>",
        f"{pill(ALICE_MX, 'Alice')} and <em>{pill(BOB_MX, 'Bob &lt;b&gt;')}</em>",
    ],
)
def test_examples(html: str) -> None:
    assert there_and_back(html) == html
