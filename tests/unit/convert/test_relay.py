"""Messages that an account tells for somebody else."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from mautrix_whatsapp_py.bridge.relays import make_formats
from mautrix_whatsapp_py.config.name_template import BadTemplate
from mautrix_whatsapp_py.config.relay_template import (
    DEFAULT_DISTINGUISHERS,
    NAME_FIELDS,
    decode_relay_template,
)
from mautrix_whatsapp_py.convert.context import KnownPoll, ToWhatsAppContext
from mautrix_whatsapp_py.convert.media import Uploaded
from mautrix_whatsapp_py.convert.notices import Refusal
from mautrix_whatsapp_py.convert.relay import RelayFormats, Relaying, distinguisher_of, likeness, safe_name
from mautrix_whatsapp_py.convert.results import Refused, WaSend
from mautrix_whatsapp_py.convert.to_whatsapp import to_whatsapp
from mautrix_whatsapp_py.ids import MxEventId, MxUri, MxUserId, WaMessageId
from mautrix_whatsapp_py.model.content import (
    MxContent,
    MxEdit,
    MxFlag,
    MxLocation,
    MxMentions,
    MxMessageContent,
    MxMsgType,
    MxPollStart,
    MxPollVote,
    MxReactionContent,
    MxRedactionContent,
    WaEdit,
    WaKind,
    WaRevoke,
    WaSendable,
    WaText,
)
from mautrix_whatsapp_py.model.media import MxFile, WaFile, WaMedia
from mautrix_whatsapp_py.model.media_ready import ReadyFile
from mautrix_whatsapp_py.model.polls import MxPollOption, PollOption
from mautrix_whatsapp_py.model.rich import WaContactCards, WaLocation, WaPoll, WaVcard
from tests.data.hostile import HOSTILE
from tests.unit.convert.builders import ALICE, ALICE_MX, CAROL, EVENT, TO_WHATSAPP, own_target, pill, replace

DORA = MxUserId("@dora:far.test")


def relayed(name: str = "Dora", *, is_ambiguous: bool = False, formats: RelayFormats | None = None) -> Relaying:
    return Relaying(
        user=DORA,
        name=name,
        is_ambiguous=is_ambiguous,
        carrier=CAROL,
        note_id=WaMessageId("3EB0NOTE"),
        formats=formats or make_formats(),
    )


def context_of(relaying: Relaying, context: ToWhatsAppContext = TO_WHATSAPP) -> ToWhatsAppContext:
    return replace(context, relaying=relaying)


def sent(content: MxContent, context: ToWhatsAppContext) -> WaSendable:
    result = to_whatsapp(content, context)
    assert isinstance(result, WaSend)
    return result.content


def said(content: MxMessageContent, relaying: Relaying | None = None) -> str:
    result = sent(content, context_of(relaying or relayed()))
    assert isinstance(result, WaText)
    return result.body


def text(body: str, html: str | None = None, msgtype: MxMsgType = MxMsgType.TEXT) -> MxMessageContent:
    return MxMessageContent(msgtype=msgtype, body=body, html=html, mentions=MxMentions())


TEXTS = {
    "plain": (text("hello"), "*Dora*: hello"),
    "html": (text("so", "<b>so</b>"), "*Dora*: *so*"),
    "paragraphs": (text("a\n\nb", "<p>a</p><p>b</p>"), "*Dora*: a\n\nb"),
    "list": (text("* a\n* b", "<ul><li>a</li><li>b</li></ul>"), "*Dora*:\n* a\n* b"),
    "quote": (text("> a", "<blockquote>a</blockquote>b"), "*Dora*:\n> a\nb"),
    "code": (text("x", "<pre><code>x\ny</code></pre>"), "*Dora*:\n```\nx\ny\n```"),
    "emote": (text("waves", msgtype=MxMsgType.EMOTE), "*\u00a0*Dora* waves"),
    "emoji": (text("👩‍👩‍👧"), "*Dora*: 👩‍👩‍👧"),
    "right to left": (text("שלום"), "*Dora*: שלום"),
    "unclosed": (text("x", "<b>x"), "*Dora*: *x*"),
    "breaking out": (text("x", "</b></p></div>x<b>"), "*Dora*: x"),
    "forged line": (text("hi\n*Alice*: I quit"), "*Dora*: hi\nAlice: I quit"),
    "forged line in html": (text("x", "hi<br><b>Alice</b>: I quit"), "*Dora*: hi\nAlice: I quit"),
    "forged emote": (text("hi\n*\u00a0*Alice* leaves"), "*Dora*: hi\n*\u00a0Alice leaves"),
    "forged with a mark": (text("hi\n🟦 *Alice*: no"), "*Dora*: hi\n🟦 Alice: no"),
    "forged at odd line ends": (text("hi\u2028*Alice*: no"), "*Dora*: hi\u2028Alice: no"),
    "placeholder": (text("\ue000"), "*Dora*: \ue000"),
    "template": (text("{{ .Sender.UserID }}"), "*Dora*: {{ .Sender.UserID }}"),
}


@pytest.mark.parametrize(("content", "expected"), TEXTS.values(), ids=TEXTS.keys())
def test_texts_say_who_says_them(content: MxMessageContent, expected: str) -> None:
    assert said(content) == expected


def test_a_text_of_the_greatest_length_is_too_long_with_a_name_before_it() -> None:
    assert to_whatsapp(text("a" * 65_536), context_of(relayed())) == Refused(refusal=Refusal.TOO_LONG)


def test_mentions_in_what_is_said_stay_and_the_whole_room_is_not_called() -> None:
    content = MxMessageContent(
        body="Alice", html=pill(ALICE_MX, "Alice"), mentions=MxMentions(users=frozenset({ALICE_MX}), room=True)
    )
    result = sent(content, context_of(relayed()))
    assert isinstance(result, WaText)
    assert result.body == "*Dora*: @12"
    assert result.context.mentions == {ALICE}
    assert not result.context.mentions_all


NAMES = {
    "usual": ("Dora", "Dora"),
    "two words": ("Dora  the\tExplorer", "Dora the Explorer"),
    "bold": ("*Dora*", "Dora"),
    "underscores inside": ("dora_the_explorer", "dora_the_explorer"),
    "underscores outside": ("_Dora_", "Dora"),
    "mention": ("@12", "12"),
    "list": ("1. Dora", "Dora"),
    "quote": ("> Dora", "Dora"),
    "colon": ("Alice: no", "Alice no"),
    "line": ("Dora\n*Alice*: no", "Dora Alice no"),
    "zero width": ("Do\u200bra", "Dora"),
    "direction": ("\u202earoD", "aroD"),
    "distinguisher": ("🟦 Dora", "Dora"),
    "emoji": ("Dora 👩‍💻", "Dora 👩‍💻"),
    "hebrew": ("דורה", "דורה"),
    "nothing": ("\u200b*_", ""),
    "tags": ("<b>Dora</b>", "<b>Dora</b>"),
}


@pytest.mark.parametrize(("name", "expected"), NAMES.values(), ids=NAMES.keys())
def test_names_can_do_nothing_to_the_text_around_them(name: str, expected: str) -> None:
    assert safe_name(name, DEFAULT_DISTINGUISHERS) == expected


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_forges_anything(name: str) -> None:
    result = sent(text("hello"), context_of(relayed(name)))
    assert isinstance(result, WaText)
    assert re.fullmatch(r"\*[^*~`\n\r\x85\u2028\u2029]{1,62}\*: hello", result.body)
    shown = result.body[1 : -len("*: hello")]
    assert ":" not in shown or shown == "@\u2060dora:far.test"
    assert not re.search(r"[@\uff20]\d", shown)
    assert result.context.mentions == frozenset()
    result.body.encode()


@pytest.mark.parametrize("body", [body for body in HOSTILE if body.strip() and len(body) < 60_000])
def test_no_text_forges_the_words_of_another(body: str) -> None:
    for content in (text(body), text(f"hi\n{body}"), text("x", f"hi<br>{body}")):
        result = to_whatsapp(content, context_of(relayed()))
        assert isinstance(result, WaSend)
        assert isinstance(result.content, WaText)
        first, *rest = re.split("[\n\x85\u2028\u2029]", result.content.body)
        assert first.startswith("*Dora*:")
        assert not any(re.match(r"[^\w*]*\*[^*]+\*", line) for line in rest)


def test_a_name_that_somebody_else_has_is_told_apart() -> None:
    assert said(text("hi"), relayed(is_ambiguous=True)) == "*Dora (@\u2060dora:far.test)*: hi"


def test_a_name_that_is_none_is_the_user_id() -> None:
    assert said(text("hi"), relayed("")) == "*@\u2060dora:far.test*: hi"


def test_names_that_look_alike_are_alike() -> None:
    assert len({likeness(name) for name in ("Dora", "dora ", "*D*ora", "Do\u200bra", "\uff24ora", "D.o.r.a")}) == 1
    assert likeness("Dora") != likeness("Doro")


def test_users_keep_their_mark() -> None:
    mark = distinguisher_of(DORA, DEFAULT_DISTINGUISHERS)
    assert mark in DEFAULT_DISTINGUISHERS
    assert distinguisher_of(DORA, DEFAULT_DISTINGUISHERS) == mark
    assert distinguisher_of(DORA, ()) == ""


def formats(**texts: str) -> RelayFormats:
    messages = {f"m.{kind}": decode_relay_template(one) for kind, one in texts.items()}
    return RelayFormats(messages=messages, name=make_formats().name, distinguishers=DEFAULT_DISTINGUISHERS)


def test_the_configuration_says_how_it_looks() -> None:
    mark = distinguisher_of(DORA, DEFAULT_DISTINGUISHERS)
    wanted = formats(
        text="{{ .Sender.Distinguisher }} <i>{{ .Sender.Displayname }}</i>{{ if .Sender.RequiresDisambiguation }} "
        "({{ .Sender.UserID }}){{ else }}!{{ end }}<br>{{ .Message }}"
    )
    assert said(text("hi"), relayed(formats=wanted)) == f"{mark} _Dora_!\nhi"
    assert said(text("hi"), relayed(is_ambiguous=True, formats=wanted)) == (
        f"{mark} _Dora_ (@\u2060dora:far.test)\nhi"
    )
    assert said(text("hi", msgtype=MxMsgType.EMOTE), relayed(formats=wanted)) == f"{mark} _Dora_!\nhi"


@pytest.mark.parametrize(
    "template",
    [
        "{{ .Nothing }}",
        "{{ .Message",
        "}} {{ .Message }}",
        "{{ if .Message }}x",
        "{{ end }}",
        "{{ else }}",
        "{{ range .Message }}{{ end }}",
        "{{ if .Message }}" * 20 + "{{ end }}" * 20,
    ],
)
def test_templates_that_cannot_work_are_refused(template: str) -> None:
    with pytest.raises(BadTemplate):
        decode_relay_template(template)
    with pytest.raises(BadTemplate):
        decode_relay_template("{{ .Message }}", NAME_FIELDS)


FILE = MxFile(uri=MxUri("mxc://hs/file"), mime_type="image/png", size_bytes=9)
FILE_THERE = WaFile(direct_path="/x", media_key=b"k", sha256=b"s", enc_sha256=b"e", size_bytes=9)


def media(kind: WaKind, content: MxMessageContent, relaying: Relaying | None = None) -> WaMedia:
    uploaded = Uploaded(file=FILE_THERE, ready=ReadyFile(kind=kind, mime_type="x/y"))
    result = sent(content, context_of(relaying or relayed(), replace(TO_WHATSAPP, uploaded=uploaded)))
    assert isinstance(result, WaMedia)
    return result


def test_files_say_who_sends_them() -> None:
    bare = MxMessageContent(msgtype=MxMsgType.IMAGE, body="a.png", file=FILE)
    with_words = MxMessageContent(msgtype=MxMsgType.VIDEO, body="look", file_name="a.mp4", file=FILE)
    assert media(WaKind.IMAGE, bare).caption == "*Dora* sent an image"
    assert media(WaKind.VIDEO, with_words).caption == "*Dora* sent a video: look"
    named = formats(text="{{ .Sender.UserID }}{{ .Message }}", file="{{ .Sender.UserID }} has {{ .FileName }}")
    document = MxMessageContent(msgtype=MxMsgType.FILE, body="*a*:.pdf", file=FILE)
    assert media(WaKind.DOCUMENT, document, relayed(formats=named)).caption == "@\u2060dora:far.test has a .pdf"


@pytest.mark.parametrize(
    ("kind", "words"),
    [(WaKind.VOICE, "Dora sent a voice message"), (WaKind.AUDIO, "Dora sent an audio file")],
)
def test_sounds_say_in_a_quote_who_sends_them(kind: WaKind, words: str) -> None:
    content = MxMessageContent(
        msgtype=MxMsgType.AUDIO, body="words", file_name="a.ogg", file=FILE, flags=frozenset({MxFlag.VOICE})
    )
    quote = media(kind, content).context.quote
    assert quote is not None
    assert quote.preview is not None
    assert (quote.sender, quote.message_id, quote.preview.text) == (CAROL, "3EB0NOTE", words)


def test_contacts_say_in_a_quote_who_sends_them() -> None:
    content = MxMessageContent(msgtype=MxMsgType.FILE, body="a.vcf", file=FILE)
    context = replace(TO_WHATSAPP, cards=(WaVcard(name="Eve", text="BEGIN:VCARD"),))
    result = sent(content, context_of(relayed(), context))
    assert isinstance(result, WaContactCards)
    assert result.context.quote is not None
    assert result.context.quote.preview is not None
    assert result.context.quote.preview.text == "Dora sent contacts"


def test_places_say_who_sends_them() -> None:
    at = MxLocation(latitude=1, longitude=2)
    content = MxMessageContent(msgtype=MxMsgType.LOCATION, body="home", location=at)
    result = sent(content, context_of(relayed()))
    assert isinstance(result, WaLocation)
    assert result.name == "Dora sent a location: home"


def test_edits_say_who_makes_them() -> None:
    content = replace(text("better"), relation=MxEdit(event_id=EVENT))
    result = sent(content, context_of(relayed(), replace(TO_WHATSAPP, target=own_target())))
    assert isinstance(result, WaEdit)
    assert result.content.body == "*Dora*: better"


def test_edits_of_what_others_said_are_refused() -> None:
    content = replace(text("better"), relation=MxEdit(event_id=EVENT))
    context = context_of(relayed(), replace(TO_WHATSAPP, target=own_target(is_own=False)))
    assert to_whatsapp(content, context) == Refused(refusal=Refusal.EDIT_NOT_OWN)


def test_redactions_delete() -> None:
    context = context_of(relayed(), replace(TO_WHATSAPP, target=own_target(age=timedelta(hours=1))))
    assert isinstance(sent(MxRedactionContent(top_level=EVENT), context), WaRevoke)


def test_reactions_are_answers() -> None:
    context = context_of(relayed(), replace(TO_WHATSAPP, target=own_target(is_own=False)))
    result = sent(MxReactionContent(event_id=EVENT, key="👍"), context)
    assert isinstance(result, WaText)
    assert result.body == "*Dora* reacted with 👍"
    assert result.context.quote is not None
    assert result.context.quote.message_id == "3EB0AA"


POLL = MxEventId("$poll")
OPTIONS = (MxPollOption(id="a", text="*Tea*"), MxPollOption(id="b", text="Coffee"))


def test_polls_say_who_asks() -> None:
    result = sent(MxPollStart(question="Tea?", options=OPTIONS), context_of(relayed("*Dora*")))
    assert isinstance(result, WaPoll)
    assert result.question == "Dora: Tea?"
    long = MxPollStart(question="x" * 255, options=OPTIONS)
    assert to_whatsapp(long, context_of(relayed())) == Refused(refusal=Refusal.POLL_QUESTION)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("b",), "*Dora* voted: Coffee"),
        ((), "*Dora* took the vote back"),
        (("b", "a"), "*Dora* voted: Coffee, *Tea*"),
    ],
)
def test_votes_are_answers(options: tuple[str, ...], expected: str) -> None:
    known = KnownPoll(
        options=(PollOption(id="a", digest=b"1"), PollOption(id="b", digest=b"2")),
        max_selections=2,
        texts={one.id: one.text for one in OPTIONS},
    )
    context = replace(TO_WHATSAPP, target=own_target(is_own=False), poll=known)
    result = sent(MxPollVote(poll=POLL, options=options), context_of(relayed(), context))
    assert isinstance(result, WaText)
    assert result.body == expected
