"""WhatsApp messages as Matrix events."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.convert.context import (
    DeletedPolicy,
    MxTarget,
    OwnReaction,
    ToMatrixContext,
    ToMatrixOptions,
)
from mautrix_whatsapp_py.convert.results import MxReact, MxRedact, MxSend, Skipped, SkipReason
from mautrix_whatsapp_py.convert.text import json_size
from mautrix_whatsapp_py.convert.to_matrix import EDIT_BYTES, EVENT_BYTES, to_matrix
from mautrix_whatsapp_py.ids import MxEventId, MxUri, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import (
    MxEdit,
    MxFlag,
    MxMentions,
    MxMessageContent,
    MxMsgType,
    MxPreviewImage,
    MxReactionContent,
    MxReply,
    WaContent,
    WaContext,
    WaEdit,
    WaEphemeralTimer,
    WaKind,
    WaLinkPreview,
    WaPreview,
    WaQuote,
    WaReaction,
    WaRevoke,
    WaSilent,
    WaText,
    WaUnsupported,
    WaViewOnceNotice,
)
from mautrix_whatsapp_py.model.wa import WaUndecryptable
from tests.unit.convert.builders import (
    ALICE,
    ALICE_MX,
    BOB,
    BOB_MX,
    CAROL,
    CAROL_MX,
    EVENT,
    REF,
    TO_MATRIX,
    UNDECRYPTABLE,
    pill,
    replace,
    require_well_formed,
)

PLACEHOLDER = MxEventId("$placeholder")
QUOTE = WaQuote(
    message_id=WaMessageId("Q"), sender=BOB, preview=WaPreview(text="*old* @12", mentions=frozenset({ALICE}))
)
KNOWN = replace(TO_MATRIX, reply_to=MxTarget(event_id=EVENT, sender=BOB_MX))


def only_event(content: WaContent | WaUndecryptable, context: ToMatrixContext = TO_MATRIX) -> MxMessageContent:
    result = to_matrix(content, context)
    assert isinstance(result, MxSend)
    (event,) = result.parts
    require_well_formed(event.html)
    return event


def text(body: str, **context: object) -> WaText:
    return WaText(body=body, context=WaContext(**context))  # type: ignore[arg-type]


TEXTS = {
    "empty": (text(""), "", None),
    "plain": (text("hi"), "hi", None),
    "nested": (text("*_hi_*"), "*_hi_*", "<strong><em>hi</em></strong>"),
    "lone surrogate": (text("a\ud800b"), "a\ufffdb", None),
    "pair of surrogates": (text("\ud83d\ude00"), "😀", None),
    "line ends and controls": (text("a\r\nb\x00\x07"), "a\nb", None),
    "right to left": (text("\u202eabc *שלום*"), "\u202eabc *שלום*", "\u202eabc <strong>שלום</strong>"),
    "forwarded": (
        text("*a*\nb", is_forwarded=True),
        "↷ Forwarded\n\n*a*\nb",
        "<p data-mx-forwarded-notice><em>↷ Forwarded</em></p><strong>a</strong><br>b",
    ),
}


@pytest.mark.parametrize(("content", "body", "html"), TEXTS.values(), ids=TEXTS.keys())
def test_text(content: WaText, body: str, html: str | None) -> None:
    event = only_event(content)
    assert (event.msgtype, event.body, event.html) == (MxMsgType.TEXT, body, html)
    assert event.mentions == MxMentions()
    assert event.relation is None
    assert (MxFlag.FORWARDED in event.flags) == content.context.is_forwarded


def test_mentions_are_computed_for_users_and_room() -> None:
    who = frozenset({ALICE, CAROL, replace(BOB, device=3), WaJid(user="99", server="lid")})
    event = only_event(text("@123 @4915112345678 @99", mentions=who, mentions_all=True))
    assert event.body == "Bob <b> Carol @99"
    assert event.html == f"{pill(BOB_MX, 'Bob &lt;b&gt;')} {pill(CAROL_MX, 'Carol')} @99"
    # Alice wrote it; nobody notifies themselves.
    assert event.mentions == MxMentions(users=frozenset({BOB_MX, CAROL_MX}), room=True)


def test_a_known_reply_is_a_relation_and_notifies_the_author() -> None:
    event = only_event(text("yes", quote=QUOTE), KNOWN)
    assert (event.body, event.html) == ("yes", None)
    assert event.relation == MxReply(event_id=EVENT)
    assert event.mentions == MxMentions(users=frozenset({BOB_MX}))


def test_an_answer_to_oneself_notifies_nobody() -> None:
    context = replace(TO_MATRIX, reply_to=MxTarget(event_id=EVENT, sender=ALICE_MX))
    event = only_event(text("yes", quote=replace(QUOTE, sender=ALICE)), context)
    assert event.mentions == MxMentions()


FALLBACKS = {
    "text": (
        QUOTE,
        "> Bob <b>: *old* Alice\n\nyes",
        f"<strong>Bob &lt;b&gt;</strong><br><strong>old</strong> {pill(ALICE_MX, 'Alice')}",
    ),
    "lines": (
        replace(QUOTE, preview=WaPreview(text="a\nb")),
        "> Bob <b>: a\n> b\n\nyes",
        "<strong>Bob &lt;b&gt;</strong><br>a<br>b",
    ),
    "photo": (
        replace(QUOTE, sender=CAROL, preview=WaPreview(kind=WaKind.IMAGE, text="cap")),
        "> Carol: 📷 Photo: cap\n\nyes",
        "<strong>Carol</strong><br>📷 Photo: cap",
    ),
    "voice": (
        replace(QUOTE, sender=CAROL, preview=WaPreview(kind=WaKind.VOICE)),
        "> Carol: 🎤 Voice message\n\nyes",
        "<strong>Carol</strong><br>🎤 Voice message",
    ),
    "file": (
        replace(QUOTE, sender=CAROL, preview=WaPreview(kind=WaKind.DOCUMENT, file_name="a.pdf")),
        "> Carol: 📄 Document: a.pdf\n\nyes",
        "<strong>Carol</strong><br>📄 Document: a.pdf",
    ),
    "stranger, nothing quoted": (
        replace(QUOTE, sender=WaJid(user="77", server="lid"), preview=None),
        "> Someone: a message that is not in this room\n\nyes",
        "<strong>Someone</strong><br>a message that is not in this room",
    ),
    "status": (
        replace(QUOTE, sender=CAROL, chat=WaJid(user="status", server="broadcast"), preview=WaPreview(text="s")),
        "> Carol (status update): s\n\nyes",
        "<strong>Carol (status update)</strong><br>s",
    ),
    "other chat": (
        replace(QUOTE, sender=CAROL, chat=WaJid(user="9", server="g.us"), preview=WaPreview(text="s")),
        "> Carol (in another chat): s\n\nyes",
        "<strong>Carol (in another chat)</strong><br>s",
    ),
}


@pytest.mark.parametrize(("quote", "body", "html"), FALLBACKS.values(), ids=FALLBACKS.keys())
def test_an_unknown_reply_keeps_its_quote(quote: WaQuote, body: str, html: str) -> None:
    event = only_event(text("yes", quote=quote))
    assert event.body == body
    assert event.html == f"<blockquote>{html}</blockquote>yes"
    assert event.relation is None


def test_a_long_quote_is_cut() -> None:
    event = only_event(text("yes", quote=replace(QUOTE, preview=WaPreview(text="x" * 5_000))))
    assert event.body == f"> Bob <b>: {'x' * 600}…\n\nyes"


def test_an_edit_replaces_the_text_and_notifies_nobody_again() -> None:
    content = WaEdit(target=REF, content=text("*new* @123", mentions=frozenset({BOB}), quote=QUOTE))
    event = only_event(content, replace(TO_MATRIX, targets=(EVENT,)))
    assert event.body == "*new* Bob <b>"
    assert event.relation == MxEdit(event_id=EVENT, notifies=MxMentions())
    assert event.mentions == MxMentions(users=frozenset({BOB_MX}))


def test_an_edit_of_several_events_fills_those_it_needs() -> None:
    targets = (EVENT, MxEventId("$2"), MxEventId("$3"))
    result = to_matrix(WaEdit(target=REF, content=text("short")), replace(TO_MATRIX, targets=targets))
    assert isinstance(result, MxSend)
    assert [part.relation for part in result.parts] == [MxEdit(event_id=EVENT)]
    assert result.redacts == targets[1:]


def test_an_edit_that_grew_continues_in_new_events() -> None:
    result = to_matrix(WaEdit(target=REF, content=text("x" * 65_536)), replace(TO_MATRIX, targets=(EVENT,)))
    assert isinstance(result, MxSend)
    assert "".join(part.body for part in result.parts) == "x" * 65_536
    assert [part.relation for part in result.parts[:2]] == [MxEdit(event_id=EVENT), None]
    assert all(json_size(part.body) <= EDIT_BYTES for part in result.parts)


TARGETLESS: tuple[WaContent, ...] = (
    WaEdit(target=REF, content=text("x")),
    WaRevoke(target=REF),
    WaReaction(target=REF, emoji="👍"),
)


@pytest.mark.parametrize("content", TARGETLESS, ids=lambda content: type(content).__name__)
def test_what_refers_to_the_unknown_waits(content: WaContent) -> None:
    assert to_matrix(content, TO_MATRIX) == Skipped(reason=SkipReason.TARGET_UNKNOWN)


def test_a_message_that_was_undecryptable_replaces_its_placeholder() -> None:
    context = replace(KNOWN, placeholder=PLACEHOLDER)
    event = only_event(text("*yes*", quote=replace(QUOTE, preview=WaPreview(text="q"))), context)
    assert event.html == "<blockquote><strong>Bob &lt;b&gt;</strong><br>q</blockquote><strong>yes</strong>"
    assert event.relation == MxEdit(event_id=PLACEHOLDER, notifies=MxMentions(users=frozenset({BOB_MX})))
    assert MxFlag.HIDES_EDITED in event.flags


def test_the_placeholder_is_sent_once() -> None:
    event = only_event(UNDECRYPTABLE)
    assert event.msgtype is MxMsgType.NOTICE
    assert event.flags == {MxFlag.UNDECRYPTABLE}
    again = to_matrix(UNDECRYPTABLE, replace(TO_MATRIX, placeholder=PLACEHOLDER))
    assert again == Skipped(reason=SkipReason.UNCHANGED)


def test_what_devices_say_among_themselves_is_not_shown() -> None:
    assert to_matrix(WaSilent(kind="none"), TO_MATRIX) == Skipped(reason=SkipReason.NOT_FOR_USERS)


@pytest.mark.parametrize("size", [65_536, 40_001])
@pytest.mark.parametrize("piece", ["x", "😀", '"', "*b* ", "line\n", "@123 ", "<&"])
def test_a_long_text_is_parted_without_loss(piece: str, size: int) -> None:
    body = (piece * size)[:size]
    result = to_matrix(text(body, mentions=frozenset({BOB})), TO_MATRIX)
    assert isinstance(result, MxSend)
    assert "".join(part.body for part in result.parts) == body.replace("@123", "Bob <b>")
    for part in result.parts:
        require_well_formed(part.html)
        assert json_size(part.body) + json_size(part.html or "") <= EVENT_BYTES
    assert [bool(part.mentions and part.mentions.users) for part in result.parts].count(True) == 1


NOTICES: dict[str, tuple[WaContent, bool, str]] = {
    "view once received": (
        WaViewOnceNotice(kind=WaKind.IMAGE),
        False,
        "You received a view-once photo. WhatsApp shows it on your phone only: open it there.",
    ),
    "view once sent": (
        WaViewOnceNotice(),
        True,
        "You sent a view-once message from another device. WhatsApp does not show it here.",
    ),
    "product": (
        WaUnsupported(kind="productMessage"),
        False,
        "This is a product message, which cannot be shown here. Open WhatsApp on your phone to see it.",
    ),
    "poll V4": (
        WaUnsupported(kind="pollCreationMessageV4"),
        False,
        "This is a poll creation message, which cannot be shown here. Open WhatsApp on your phone to see it.",
    ),
    "nameless": (
        WaUnsupported(kind="\u202e<>\n"),
        False,
        "This is a message of an unknown kind, which cannot be shown here. Open WhatsApp on your phone to see it.",
    ),
    "timer on": (WaEphemeralTimer(timer_s=604_800), False, "New messages now disappear after 7 days."),
    "timer odd": (
        WaEphemeralTimer(timer_s=90, is_automatic=True),
        False,
        "New messages now disappear, as set by WhatsApp, after 90 seconds.",
    ),
    "timer off": (WaEphemeralTimer(timer_s=0), False, "Disappearing messages were turned off."),
}


@pytest.mark.parametrize(("content", "is_from_me", "sentence"), NOTICES.values(), ids=NOTICES.keys())
def test_notices_say_what_and_what_to_do(content: WaContent, is_from_me: bool, sentence: str) -> None:
    event = only_event(content, replace(TO_MATRIX, is_from_me=is_from_me))
    assert (event.msgtype, event.body) == (MxMsgType.NOTICE, sentence)
    assert event.mentions == MxMentions()


def test_a_notice_takes_the_place_of_its_placeholder() -> None:
    event = only_event(WaUnsupported(kind="x"), replace(TO_MATRIX, placeholder=PLACEHOLDER))
    assert event.relation == MxEdit(event_id=PLACEHOLDER)
    assert event.flags == {MxFlag.UNSUPPORTED, MxFlag.HIDES_EDITED}


def test_a_timer_is_told_as_a_fact() -> None:
    result = to_matrix(WaEphemeralTimer(timer_s=86_400), TO_MATRIX)
    assert isinstance(result, MxSend)
    assert result.timer_s == 86_400


TARGETS = replace(TO_MATRIX, targets=(EVENT, MxEventId("$2")))


@pytest.mark.parametrize(
    ("sender", "is_by_admin"), [(ALICE, False), (replace(ALICE, device=2), False), (BOB, True)]
)
def test_a_revoke_names_all_events_and_who_did_it(sender: WaJid, is_by_admin: bool) -> None:
    result = to_matrix(WaRevoke(target=replace(REF, sender=sender)), TARGETS)
    assert result == MxRedact(targets=TARGETS.targets, is_by_admin=is_by_admin)


def test_a_revoke_under_ones_other_address_is_ones_own() -> None:
    number = WaJid(user="4917", server="s.whatsapp.net")
    context = replace(TARGETS, people={**TARGETS.people, number: TARGETS.people[ALICE]})
    assert to_matrix(WaRevoke(target=replace(REF, sender=number)), context) == MxRedact(
        targets=TARGETS.targets, is_by_admin=False
    )


def test_a_deleted_message_may_be_marked_or_left() -> None:
    mark = replace(TARGETS, options=ToMatrixOptions(deleted=DeletedPolicy.MARK))
    event = only_event(WaRevoke(target=REF), mark)
    assert event.relation == MxReply(event_id=EVENT)
    assert event.flags == {MxFlag.DELETED}
    leave = replace(TARGETS, options=ToMatrixOptions(deleted=DeletedPolicy.IGNORE))
    assert to_matrix(WaRevoke(target=REF), leave) == Skipped(reason=SkipReason.BY_OPTION)


OWN = OwnReaction(event_id=MxEventId("$r"), key="👍\ufe0f")
REACTIONS = {
    "first": (None, "👍", MxReact(sends=MxReactionContent(event_id=EVENT, key="👍\ufe0f"))),
    "replaced": (OWN, "❤", MxReact(redacts=OWN.event_id, sends=MxReactionContent(event_id=EVENT, key="❤\ufe0f"))),
    "removed": (OWN, "", MxReact(redacts=OWN.event_id)),
    "same": (OWN, "👍", Skipped(reason=SkipReason.UNCHANGED)),
    "removed twice": (None, "", Skipped(reason=SkipReason.UNCHANGED)),
}


@pytest.mark.parametrize(("own", "emoji", "expected"), REACTIONS.values(), ids=REACTIONS.keys())
def test_one_reaction_a_person(own: OwnReaction | None, emoji: str, expected: object) -> None:
    context = replace(TARGETS, own_reaction=own)
    assert to_matrix(WaReaction(target=REF, emoji=emoji), context) == expected


def test_a_link_preview_goes_along_by_option() -> None:
    image = MxPreviewImage(uri=MxUri("mxc://hs/x"), mime_type="image/jpeg", size_bytes=3)
    content = WaText(body="see https://x.y", link_preview=WaLinkPreview(url="https://x.y", title="T\ud800"))
    (preview,) = only_event(content, replace(TO_MATRIX, preview_image=image)).link_previews
    assert (preview.matched_url, preview.title, preview.image) == ("https://x.y", "T\ufffd", image)
    without = replace(TO_MATRIX, options=ToMatrixOptions(with_link_previews=False))
    assert only_event(content, without).link_previews == ()


def test_the_time_to_disappear_is_kept() -> None:
    assert only_event(text("x", disappears_after_s=60)).disappears_after_s == 60
