"""Nothing that somebody may choose becomes markup, a mention or a path for others, in either direction."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from mautrix_whatsapp_py.convert import group_words, mentions
from mautrix_whatsapp_py.convert.bot_text import to_notice
from mautrix_whatsapp_py.convert.media import Uploaded, name_file
from mautrix_whatsapp_py.convert.polls import to_poll_start
from mautrix_whatsapp_py.convert.results import MxLive, MxPollSend, MxSend, Refused, WaSend
from mautrix_whatsapp_py.convert.text import clean, clean_name
from mautrix_whatsapp_py.convert.to_matrix import to_matrix
from mautrix_whatsapp_py.convert.to_whatsapp import to_whatsapp
from mautrix_whatsapp_py.convert.vcard import name_file as name_cards
from mautrix_whatsapp_py.convert.vcard import read_vcards, tell_contacts, write_vcards
from mautrix_whatsapp_py.ids import MxUri, MxUserId, WaMessageId
from mautrix_whatsapp_py.matrix.poll_content import decode_poll_start
from mautrix_whatsapp_py.model import rich
from mautrix_whatsapp_py.model.content import (
    MxMentions,
    MxMessageContent,
    MxMsgType,
    WaContent,
    WaContext,
    WaKind,
    WaPreview,
    WaQuote,
    WaText,
)
from mautrix_whatsapp_py.model.media import MxFile, WaFile, WaMedia
from mautrix_whatsapp_py.model.media_ready import ReadyFile
from mautrix_whatsapp_py.model.people import MxPerson
from tests.data.hostile import HOSTILE, MARKUP
from tests.unit.convert.builders import (
    ALICE,
    ALICE_MX,
    BOB,
    BOB_MX,
    TO_MATRIX,
    TO_WHATSAPP,
    replace,
    require_well_formed,
)

THERE = WaFile(direct_path="/x", media_key=b"k", sha256=b"s", enc_sha256=b"e", size_bytes=9)
HERE = MxFile(uri=MxUri("mxc://hs/file"))
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f]")

pytestmark = pytest.mark.parametrize("bad", HOSTILE, ids=range(len(HOSTILE)))


class _Links(HTMLParser):
    """Every address that is linked to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= {"href", "start"}, attrs
        self.found += [value or "" for name, value in attrs if name == "href"]


def require_harmless(content: MxMessageContent, *, mentioned: frozenset[MxUserId] = frozenset()) -> None:
    require_well_formed(content.html)
    links = _Links()
    links.feed(content.html or "")
    assert all(link.startswith("https://") for link in links.found), links.found
    assert [link for link in links.found if "matrix.to" in link] == [
        f"https://matrix.to/#/{user}" for user in mentioned
    ]
    assert content.mentions is None or (
        content.mentions.users <= mentioned | {BOB_MX} and not content.mentions.room
    )
    for text in (content.body, content.html or "", content.file_name or ""):
        assert not _CONTROLS.search(text)
        text.encode()


def said(content: WaContent) -> Iterator[MxMessageContent]:
    result = to_matrix(content, TO_MATRIX)
    if isinstance(result, MxLive):
        yield result.part
        return
    if isinstance(result, MxPollSend):
        yield result.text
        return
    assert isinstance(result, MxSend), result
    yield from result.parts


FROM_WHATSAPP = {
    "text": lambda bad: WaText(body=f"x {bad}"),
    "caption": lambda bad: WaMedia(kind=WaKind.IMAGE, file=THERE, caption=bad),
    "file name": lambda bad: WaMedia(kind=WaKind.DOCUMENT, file=THERE, file_name=bad, mime_type=bad[:60]),
    "quote": lambda bad: WaText(
        body="x",
        context=WaContext(
            quote=WaQuote(message_id=WaMessageId("Q"), sender=BOB, preview=WaPreview(text=bad, file_name=bad))
        ),
    ),
    "poll": lambda bad: rich.WaPoll(question=bad, options=(bad, f"{bad}2")),
    "contact": lambda bad: rich.WaContactCards(
        title=bad, cards=(rich.WaVcard(name=bad, text=f"BEGIN:VCARD\nFN:{bad}\nTEL:{bad}\nURL:{bad}\nEND:VCARD"),)
    ),
    "place": lambda bad: rich.WaLocation(latitude=1, longitude=2, name=bad, address=bad, comment=bad),
    "live place": lambda bad: rich.WaLiveLocation(latitude=1, longitude=2, caption=bad),
    "result": lambda bad: rich.WaPollResult(question=bad, votes=(rich.WaTally(option=bad, count=1),)),
}


@pytest.mark.parametrize("kind", FROM_WHATSAPP)
def test_nothing_from_whatsapp_is_more_than_text(kind: str, bad: str) -> None:
    for part in said(FROM_WHATSAPP[kind](bad)):
        require_harmless(part)


def test_no_name_of_whatsapp_is_more_than_text(bad: str) -> None:
    context = replace(TO_MATRIX, people={ALICE: MxPerson(user_id=ALICE_MX, name=bad)})
    content = WaText(
        body="hi @12",
        context=WaContext(
            mentions=frozenset({ALICE}),
            quote=WaQuote(message_id=WaMessageId("Q"), sender=ALICE, preview=WaPreview(text="x")),
        ),
    )
    result = to_matrix(content, context)
    assert isinstance(result, MxSend)
    (part,) = result.parts
    require_harmless(part, mentioned=frozenset({ALICE_MX}))
    for name in (clean_name(bad), group_words.clean_name(bad)):
        assert not re.search("[\n\r\x00-\x1f\u202a-\u202e\u2066-\u2069]", name)
        name.encode()
    topic = group_words.clean_topic(bad)
    assert not _CONTROLS.search(topic)
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", topic)
    topic.encode()
    assert "<" not in mentions.encode_pill(MxPerson(user_id=ALICE_MX, name=bad)).removeprefix("<a ").removesuffix(
        "</a>"
    )


def test_what_is_not_escaped_would_be_found(bad: str) -> None:
    """The checks above are none that anything passes: of what is not made harmless they say so."""
    escaped = html.escape(bad)
    if bad in MARKUP and "&" not in bad:
        with pytest.raises(AssertionError):
            require_harmless(MxMessageContent(body="x", html=bad))
    if _CONTROLS.search(bad):
        with pytest.raises(AssertionError):
            require_harmless(MxMessageContent(body=bad))
    require_harmless(MxMessageContent(body="x", html=f"<strong>{clean(escaped)}</strong>"))


def test_what_the_bot_repeats_is_no_markup(bad: str) -> None:
    notice = to_notice(f"You said {bad[:5000]}.")
    require_well_formed(notice.html)


def test_no_file_name_is_a_path(bad: str) -> None:
    for name in (bad, f"../../{bad}", f"..\\{bad}/x"):
        shown = name_file(WaMedia(kind=WaKind.DOCUMENT, file=THERE, file_name=name, mime_type="text/plain"))
        assert "/" not in shown
        assert not _CONTROLS.search(shown)
        assert len(shown) < 300


def test_no_poll_of_whatsapp_is_more_than_text(bad: str) -> None:
    start = to_poll_start(rich.WaPoll(question=bad, options=(bad, f"{bad}2")))
    for text in (start.question, *(option.text for option in start.options)):
        assert text
        assert "\n" not in text
        assert len(text) <= 340
        text.encode()


def test_nothing_from_matrix_calls_or_breaks(bad: str) -> None:
    """Mentions are only of those the writer's client names; nothing that is sent breaks the protocol."""
    uploaded = Uploaded(file=THERE, ready=ReadyFile(kind=WaKind.DOCUMENT, mime_type="x/y"))
    context = replace(TO_WHATSAPP, uploaded=uploaded)
    for content in (
        MxMessageContent(body=f"x {bad}", mentions=MxMentions()),
        MxMessageContent(body="x", html=f"<p>x {bad}</p>", mentions=MxMentions()),
        MxMessageContent(msgtype=MxMsgType.FILE, body=bad, file_name=bad, file=HERE, mentions=MxMentions()),
        MxMessageContent(msgtype=MxMsgType.FILE, body=f"x {bad}", file_name="x", file=HERE, mentions=MxMentions()),
    ):
        result = to_whatsapp(content, context)
        if isinstance(result, WaSend):
            sent = result.content
            assert isinstance(sent, WaText | WaMedia)
            assert sent.context.mentions == frozenset()
            assert not sent.context.mentions_all
            shown = (sent.body,) if isinstance(sent, WaText) else (sent.caption, sent.file_name)
            for text in shown:
                assert not _CONTROLS.search(text)
                text.encode()
        else:
            assert len(bad) > 60_000


def test_polls_of_matrix_break_nothing(bad: str) -> None:
    text = "org.matrix.msc1767.text"
    answers = [{"id": "a", text: bad}, {"id": "b", text: "b"}]
    start = decode_poll_start(
        {"org.matrix.msc3381.poll.start": {"question": {text: f"x {bad}"}, "answers": answers}}
    )
    assert start is not None
    result = to_whatsapp(start, TO_WHATSAPP)
    if isinstance(result, WaSend):
        poll = result.content
        assert isinstance(poll, rich.WaPoll)
        for said in (poll.question, *poll.options):
            assert not _CONTROLS.search(said)
            said.encode()
    else:
        assert isinstance(result, Refused)
        assert not clean(bad).strip() or len(bad) > 100, "an option that could be sent was refused"


def test_contacts_of_whatsapp_are_one_card_each_and_tell_one_fact_a_line(bad: str) -> None:
    named = rich.WaContactCards(
        title=bad, cards=(rich.WaVcard(name=bad, text=""), rich.WaVcard(name="Ben", text=""))
    )
    lines = write_vcards(named).decode().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["BEGIN", "VERSION", "FN", "END"] * 2
    assert [card.name for card in read_vcards(write_vcards(named))] == [clean_name(bad), "Ben"]
    facts = "".join(f"{name}:{bad}\n" for name in ("FN", "TEL;waid=1", "EMAIL", "ORG", "URL", "ADR", "NOTE"))
    whole = rich.WaContactCards(cards=(rich.WaVcard(name=bad, text=f"BEGIN:VCARD\n{facts}END:VCARD"),))
    for shared in (named, whole):
        data = write_vcards(shared).decode()
        assert not _CONTROLS.search(data.replace("\r\n", ""))
        assert "/" not in name_cards(shared)
        for line in tell_contacts(shared).split("\n"):
            assert not line or line.startswith(("👤 ", "📞 ", "✉️ ", "🏢 ", "🔗 ", "🏠 "))
            assert not re.search("[\u202a-\u202e\u2066-\u2069\x85\u2028]", line)


def test_contacts_of_matrix_are_one_card_each(bad: str) -> None:
    facts = "".join(f"{name}:{bad}\n" for name in ("FN", "N", "TEL", "ORG"))
    data = f"BEGIN:VCARD\n{facts}END:VCARD\nBEGIN:VCARD\nFN:Ben\nEND:VCARD".encode("utf-8", "replace")
    file = MxMessageContent(msgtype=MxMsgType.FILE, body=bad, file_name=f"{bad}.vcf", file=HERE)
    result = to_whatsapp(file, replace(TO_WHATSAPP, cards=read_vcards(data)))
    if isinstance(result, Refused):
        assert len(bad) > 60_000
        return
    assert isinstance(result, WaSend)
    shared = result.content
    assert isinstance(shared, rich.WaContactCards)
    assert shared.cards[-1].name == "Ben"
    for text in (shared.title, *(card.name for card in shared.cards)):
        assert not re.search("[\n\r\x00-\x1f\u202a-\u202e\u2066-\u2069]", text)
        assert len(text) <= 100
    for card in shared.cards:
        marks = re.findall("(?im)^(BEGIN|END):VCARD", card.text)
        assert marks == ["BEGIN", "END"]
        assert not _CONTROLS.search(card.text)
        card.text.encode()
