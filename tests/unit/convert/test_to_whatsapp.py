"""Matrix events as WhatsApp messages, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mautrix_whatsapp_py.convert.context import Quoted, ToWhatsAppContext, ToWhatsAppOptions, WaReactionTarget
from mautrix_whatsapp_py.convert.notices import Refusal
from mautrix_whatsapp_py.convert.results import Refused, Skipped, SkipReason, WaSend
from mautrix_whatsapp_py.convert.to_whatsapp import to_whatsapp
from mautrix_whatsapp_py.ids import MxEventId, MxUserId
from mautrix_whatsapp_py.model.content import (
    MxContent,
    MxEdit,
    MxFlag,
    MxMentions,
    MxMessageContent,
    MxMsgType,
    MxReactionContent,
    MxRedactionContent,
    MxRelation,
    MxReply,
    MxThread,
    WaContext,
    WaEdit,
    WaKind,
    WaLinkPreview,
    WaPreview,
    WaReaction,
    WaRevoke,
    WaText,
)
from tests.unit.convert.builders import (
    ALICE,
    ALICE_MX,
    BOB,
    BOB_MX,
    EVENT,
    REF,
    TO_WHATSAPP,
    own_target,
    pill,
    replace,
    with_target,
)

REPLY = MxReply(event_id=EVENT)
THREAD = MxEventId("$thread")


def only_text(content: MxMessageContent, context: ToWhatsAppContext = TO_WHATSAPP) -> WaText:
    result = to_whatsapp(content, context)
    assert isinstance(result, WaSend)
    assert isinstance(result.content, WaText)
    return result.content


TEXTS = {
    "plain": (MxMessageContent(body="hi *there*"), "hi *there*"),
    "formatted": (MxMessageContent(body="**hi**", html="<strong>hi</strong>"), "*hi*"),
    "html that says nothing": (MxMessageContent(body="cat", html="<img>"), "cat"),
    "html too large": (MxMessageContent(body="small", html="<b>" * 50_000), "small"),
    "html that grows": (MxMessageContent(body="s", html="<blockquote>" * 8 + "x<br>" * 6_000), "s"),
    "emote": (MxMessageContent(msgtype=MxMsgType.EMOTE, body="waves"), "*\u00a0waves"),
    "formatted emote": (
        MxMessageContent(msgtype=MxMsgType.EMOTE, body="waves", html="<b>waves</b>"),
        "*\u00a0*waves*",
    ),
    "lone surrogate": (MxMessageContent(body="a\udc00", html=None), "a\ufffd"),
    "right to left": (MxMessageContent(body="\u202eשלום"), "\u202eשלום"),
    "long": (MxMessageContent(body="x" * 65_536), "x" * 65_536),
    "old reply fallback": (
        MxMessageContent(body="> <@a:b> old\n> more\n\nnew\n> kept", relation=REPLY),
        "new\n> kept",
    ),
    "old emote fallback": (MxMessageContent(body="> * <@a:b> old\n\nnew", relation=REPLY), "new"),
    "a quote somebody typed": (MxMessageContent(body="> quote\n\nnew", relation=REPLY), "> quote\n\nnew"),
    "a fallback without a reply": (MxMessageContent(body="> <@a:b> old\n\nnew"), "> <@a:b> old\n\nnew"),
}


@pytest.mark.parametrize(("content", "body"), TEXTS.values(), ids=TEXTS.keys())
def test_text(content: MxMessageContent, body: str) -> None:
    assert only_text(content) == WaText(body=body)


MENTIONED = MxMentions(users=frozenset({ALICE_MX}))
HTML = f"{pill(ALICE_MX, 'Alice')} {pill(BOB_MX, 'Bob')}"
MENTIONS = {
    "pills, as declared": (MxMessageContent(body="x", html=HTML, mentions=MENTIONED), "@12 Bob", {ALICE}),
    "pills of an old client": (MxMessageContent(body="x", html=HTML), "@12 @123", {ALICE, BOB}),
    "pills, none declared": (MxMessageContent(body="x", html=HTML, mentions=MxMentions()), "Alice Bob", set()),
    "ids in plain text": (
        MxMessageContent(body="@whatsapp_12:hs, @whatsapp_123:hs. @whatsapp_1:hs"),
        "@12, @123. @whatsapp_1:hs",
        {ALICE, BOB},
    ),
    "declared, not in the text": (MxMessageContent(body="x", mentions=MENTIONED), "x", set()),
    "of nobody here": (MxMessageContent(body="x", html=pill("@who:hs", "Who")), "Who", set()),
}


@pytest.mark.parametrize(("content", "body", "jids"), MENTIONS.values(), ids=MENTIONS.keys())
def test_mentions(content: MxMessageContent, body: str, jids: set[object]) -> None:
    text = only_text(content)
    assert (text.body, text.context.mentions) == (body, frozenset(jids))


def test_five_hundred_mentions() -> None:
    users = [MxUserId(f"@whatsapp_{number}:hs") for number in range(500)]
    addressed = {user: replace(ALICE, user=str(number)) for number, user in enumerate(users)}
    html = " ".join(pill(user, "x") for user in users)
    text = only_text(MxMessageContent(body="x", html=html), replace(TO_WHATSAPP, addressed=addressed))
    assert text.body == " ".join(f"@{number}" for number in range(500))
    assert text.context.mentions == set(addressed.values())


@pytest.mark.parametrize(
    ("mentions", "expected"), [(MxMentions(room=True), True), (MxMentions(), False), (None, False)]
)
def test_room_mentions(mentions: MxMentions | None, expected: bool) -> None:
    assert only_text(MxMessageContent(body="@room", mentions=mentions)).context.mentions_all is expected


QUOTED = {
    "text": (
        MxMessageContent(body="**x**", html=f"<b>x</b> {pill(BOB_MX, 'Bob')}"),
        WaPreview(text="*x* @123", mentions=frozenset({BOB})),
    ),
    "reply to a reply": (
        MxMessageContent(body="> <@a:b> older\n\nold", relation=MxReply(event_id=EVENT)),
        WaPreview(text="old"),
    ),
    "photo with caption": (
        MxMessageContent(msgtype=MxMsgType.IMAGE, body="cap", file_name="a.jpg"),
        WaPreview(kind=WaKind.IMAGE, text="cap", thumbnail=b"jpg"),
    ),
    "photo": (
        MxMessageContent(msgtype=MxMsgType.IMAGE, body="a.jpg"),
        WaPreview(kind=WaKind.IMAGE, thumbnail=b"jpg"),
    ),
    "file": (
        MxMessageContent(msgtype=MxMsgType.FILE, body="a.pdf", file_name="a.pdf"),
        WaPreview(kind=WaKind.DOCUMENT, file_name="a.pdf"),
    ),
    "voice": (
        MxMessageContent(msgtype=MxMsgType.AUDIO, body="v", flags=frozenset({MxFlag.VOICE})),
        WaPreview(kind=WaKind.VOICE),
    ),
    "sticker": (MxMessageContent(msgtype=MxMsgType.STICKER, body="s"), WaPreview(kind=WaKind.STICKER)),
    "deleted": (None, None),
}


@pytest.mark.parametrize(("content", "preview"), QUOTED.values(), ids=QUOTED.keys())
def test_a_reply_carries_what_it_answers(content: MxMessageContent | None, preview: WaPreview | None) -> None:
    thumbnail = preview.thumbnail if preview else None
    quoted = Quoted(ref=REF, sender=BOB, content=content, thumbnail=thumbnail)
    text = only_text(MxMessageContent(body="yes", relation=REPLY), replace(TO_WHATSAPP, quoted=quoted))
    assert text.context.quote is not None
    assert (text.context.quote.message_id, text.context.quote.sender) == (REF.message_id, BOB)
    assert text.context.quote.preview == preview


RELATIONS: dict[str, tuple[MxRelation, bool]] = {
    "reply": (REPLY, True),
    "thread": (MxThread(root=THREAD, reply_to=EVENT), False),
    "reply in a thread": (MxThread(root=THREAD, reply_to=EVENT, is_falling_back=False), True),
}


@pytest.mark.parametrize(("relation", "quotes"), RELATIONS.values(), ids=RELATIONS.keys())
def test_only_an_answer_on_purpose_quotes(relation: MxRelation, quotes: bool) -> None:
    context = replace(TO_WHATSAPP, quoted=Quoted(ref=REF, sender=BOB))
    text = only_text(MxMessageContent(body="x", relation=relation), context)
    assert (text.context.quote is not None) is quotes


def test_a_reply_to_what_is_not_on_whatsapp_goes_without_a_quote() -> None:
    assert only_text(MxMessageContent(body="x", relation=REPLY)).context == WaContext()


def test_notices_go_by_option() -> None:
    notice = MxMessageContent(msgtype=MxMsgType.NOTICE, body="n")
    assert to_whatsapp(notice, TO_WHATSAPP) == Skipped(reason=SkipReason.BY_OPTION)
    context = replace(TO_WHATSAPP, options=ToWhatsAppOptions(with_notices=True))
    assert only_text(notice, context).body == "n"


CARD = WaLinkPreview(url="https://x.y", title="T\ud800", description="D", thumbnail=b"jpg")
SHOWN = WaLinkPreview(url="https://x.y", title="T\ufffd", description="D", thumbnail=b"jpg")
CARDS = {
    "found": ("see https://x.y", CARD, True, SHOWN),
    "not found": ("see https://x.y", None, True, None),
    "switched off": ("see https://x.y", CARD, False, None),
    "of a link that is not there": ("see", CARD, True, None),
    "of nothing": ("see", WaLinkPreview(url="", title="T"), True, None),
}


@pytest.mark.parametrize(("body", "found", "wanted", "expected"), CARDS.values(), ids=CARDS.keys())
def test_link_previews(
    body: str, found: WaLinkPreview | None, wanted: bool, expected: WaLinkPreview | None
) -> None:
    options = ToWhatsAppOptions(with_link_previews=wanted)
    context = replace(TO_WHATSAPP, link_preview=found, options=options)
    assert only_text(MxMessageContent(body=body), context).link_preview == expected


MINUTE = timedelta(minutes=1)
EDITS = {
    "at once": (own_target(), 0 * MINUTE, None),
    "just in time": (own_target(age=15 * MINUTE), 0 * MINUTE, None),
    "too late": (own_target(age=15 * MINUTE + timedelta(seconds=1)), 0 * MINUTE, Refusal.EDIT_TOO_OLD),
    "in time, waited a little": (own_target(age=14 * MINUTE), 6 * MINUTE, None),
    "in time, waited too long": (own_target(age=14 * MINUTE), 7 * MINUTE, Refusal.EDIT_TOO_OLD),
    "of a message from the future": (own_target(age=-3_650 * timedelta(days=1)), 0 * MINUTE, None),
    "ten years old": (own_target(age=3_650 * timedelta(days=1)), 0 * MINUTE, Refusal.EDIT_TOO_OLD),
    "of another's": (own_target(is_own=False), 0 * MINUTE, Refusal.EDIT_NOT_OWN),
}


@pytest.mark.parametrize(("target", "waited", "refusal"), EDITS.values(), ids=EDITS.keys())
def test_edits_within_the_window(target: object, waited: timedelta, refusal: Refusal | None) -> None:
    content = MxMessageContent(body="new", html="<b>new</b>", relation=MxEdit(event_id=EVENT))
    result = to_whatsapp(content, with_target(target, waited=waited))  # type: ignore[arg-type]
    sent = WaSend(content=WaEdit(target=REF, content=WaText(body="*new*")))
    assert result == (sent if refusal is None else Refused(refusal=refusal))


def test_an_edited_reply_stays_a_reply() -> None:
    context = replace(with_target(own_target()), quoted=Quoted(ref=REF, sender=BOB))
    result = to_whatsapp(MxMessageContent(body="new", relation=MxEdit(event_id=EVENT)), context)
    assert isinstance(result, WaSend)
    assert isinstance(result.content, WaEdit)
    assert result.content.content.context.quote is not None


REACTION_TARGET = WaReactionTarget(ref=REF, is_own=True)
REDACTION = MxRedactionContent(top_level=EVENT)
OLD = own_target(age=timedelta(days=2, seconds=1))
REFUSED: dict[str, tuple[MxContent, ToWhatsAppContext, Refusal]] = {
    "empty": (MxMessageContent(body=" \n"), TO_WHATSAPP, Refusal.EMPTY),
    "too long": (MxMessageContent(body="x" * 65_537), TO_WHATSAPP, Refusal.TOO_LONG),
    "poll": (MxMessageContent(msgtype=MxMsgType.POLL, body="x"), TO_WHATSAPP, Refusal.KIND),
    "edit of nothing": (
        MxMessageContent(body="x", relation=MxEdit(event_id=EVENT)),
        TO_WHATSAPP,
        Refusal.EDIT_UNKNOWN,
    ),
    "reaction to nothing": (MxReactionContent(event_id=EVENT, key="👍"), TO_WHATSAPP, Refusal.REACTION_UNKNOWN),
    "custom reaction": (
        MxReactionContent(event_id=EVENT, key="mxc://hs/cat"),
        with_target(own_target()),
        Refusal.REACTION_IMAGE,
    ),
    "reaction in words": (
        MxReactionContent(event_id=EVENT, key="lol"),
        with_target(own_target()),
        Refusal.REACTION_TEXT,
    ),
    "redaction of two": (
        MxRedactionContent(top_level=EVENT, in_content=MxEventId("$other")),
        with_target(own_target()),
        Refusal.REDACTION_UNCLEAR,
    ),
    "redaction of another's": (REDACTION, with_target(own_target(is_own=False)), Refusal.REDACTION_NOT_ALLOWED),
    "redaction too late": (REDACTION, with_target(OLD), Refusal.REDACTION_TOO_OLD),
    "redaction of another's reaction": (
        REDACTION,
        replace(TO_WHATSAPP, target=replace(REACTION_TARGET, is_own=False)),
        Refusal.REACTION_NOT_OWN,
    ),
}


@pytest.mark.parametrize(("content", "context", "refusal"), REFUSED.values(), ids=REFUSED.keys())
def test_refusals(content: MxContent, context: ToWhatsAppContext, refusal: Refusal) -> None:
    assert to_whatsapp(content, context) == Refused(refusal=refusal)


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_is_a_plain_sentence(refusal: Refusal) -> None:
    sentence = Refused(refusal=refusal).sentence
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert "{" not in sentence


def test_reactions_go_without_selector() -> None:
    result = to_whatsapp(MxReactionContent(event_id=EVENT, key="❤\ufe0f"), with_target(own_target(is_own=False)))
    assert result == WaSend(content=WaReaction(target=REF, emoji="❤"))


REDACTIONS = {
    "said at the top": MxRedactionContent(top_level=EVENT),
    "said in the content": MxRedactionContent(in_content=EVENT),
    "said twice": MxRedactionContent(top_level=EVENT, in_content=EVENT),
}


@pytest.mark.parametrize("content", REDACTIONS.values(), ids=REDACTIONS.keys())
def test_a_redaction_revokes(content: MxRedactionContent) -> None:
    assert to_whatsapp(content, with_target(own_target())) == WaSend(content=WaRevoke(target=REF))


def test_a_group_admin_revokes_others_messages() -> None:
    context = replace(with_target(own_target(is_own=False)), is_group_admin=True)
    assert to_whatsapp(REDACTION, context) == WaSend(content=WaRevoke(target=REF))


def test_redacting_a_reaction_takes_it_back() -> None:
    result = to_whatsapp(REDACTION, replace(TO_WHATSAPP, target=REACTION_TARGET))
    assert result == WaSend(content=WaReaction(target=REF, emoji=""))


@pytest.mark.parametrize("content", [REDACTION, MxRedactionContent()])
def test_redacting_what_never_reached_whatsapp_is_no_matter(content: MxRedactionContent) -> None:
    assert to_whatsapp(content, TO_WHATSAPP) == Skipped(reason=SkipReason.TARGET_UNKNOWN)


def test_the_chats_timer_goes_along() -> None:
    context = replace(TO_WHATSAPP, disappears_after_s=86_400)
    assert only_text(MxMessageContent(body="x"), context).context.disappears_after_s == 86_400
