"""Places, contacts, polls, events, invitations and cards, both ways."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from mautrix_whatsapp_py.convert.context import KnownPoll, MxTarget, ToMatrixContext, ToWhatsAppContext
from mautrix_whatsapp_py.convert.notices import Refusal
from mautrix_whatsapp_py.convert.polls import count_votes, digest_of, ids_of, options_of, render_poll
from mautrix_whatsapp_py.convert.results import (
    MxLive,
    MxPin,
    MxPollAnswer,
    MxPollSend,
    MxSend,
    Refused,
    Skipped,
    WaSend,
)
from mautrix_whatsapp_py.convert.to_matrix import to_matrix
from mautrix_whatsapp_py.convert.to_whatsapp import to_whatsapp
from mautrix_whatsapp_py.convert.vcard import is_vcard, read_vcards, tell_contacts, write_vcards
from mautrix_whatsapp_py.ids import MxEventId, MxUri, PersonId, WaMessageId
from mautrix_whatsapp_py.model import rich
from mautrix_whatsapp_py.model.content import (
    MxContent,
    MxEdit,
    MxGroupInvite,
    MxLocation,
    MxMessageContent,
    MxMsgType,
    MxPollEnd,
    MxPollStart,
    MxPollVote,
    MxReply,
    MxThread,
    WaContent,
    WaContext,
    WaKind,
    WaPreview,
    WaQuote,
    WaText,
)
from mautrix_whatsapp_py.model.media import MxFile
from mautrix_whatsapp_py.model.polls import MxPollOption, PollOption, PollVote
from mautrix_whatsapp_py.model.rich import WaAnswer, WaCardKind
from tests.unit.convert.builders import (
    ALICE,
    BOB_MX,
    EVENT,
    GROUP,
    REF,
    TO_MATRIX,
    TO_WHATSAPP,
    own_target,
    replace,
    require_well_formed,
    with_target,
)

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
KNOWN = replace(TO_MATRIX, targets=(EVENT,), reply_to=MxTarget(event_id=EVENT, sender=BOB_MX))
VCARD = "BEGIN:VCARD\nVERSION:3.0\nN:Doe;Jane;;;\nFN:Jane Doe\nitem1.TEL;waid=1:+1 555\nEMAIL:j@x.y\nEND:VCARD"
JANE = rich.WaVcard(name="Jane", text=VCARD)
RTL = "\u202e"


def first(content: WaContent, context: ToMatrixContext = KNOWN) -> MxMessageContent:
    result = to_matrix(content, context)
    assert isinstance(result, MxSend)
    require_well_formed(result.parts[0].html)
    return result.parts[0]


INVITATION = (
    "join us\n\n👥 Invitation to the group *Club*. It expires on 2024-05-01 12:00 UTC.\n\n"
    "To join, reply to this message with `accept` as a command of the bridge bot."
)
WORDS: dict[str, tuple[WaContent, MxMsgType, str]] = {
    "location": (
        rich.WaLocation(latitude=52.5, longitude=-13.4, name="Zoo", address="Street 1"),
        MxMsgType.LOCATION,
        "📍 Zoo\nStreet 1\nhttps://www.openstreetmap.org/?mlat=52.50000&mlon=-13.40000#map=16/52.50000/-13.40000",
    ),
    "location with a link": (
        rich.WaLocation(latitude=0, longitude=0, url="https://x.y", comment="here"),
        MxMsgType.LOCATION,
        "📍 Location\nhere\nhttps://x.y",
    ),
    "invite": (
        rich.WaGroupInvite(group=GROUP, code="C", name=f"{RTL}Club", caption="join us", expires_at=NOON),
        MxMsgType.TEXT,
        INVITATION,
    ),
    "event": (
        rich.WaOccasion(name="Party", starts_at=NOON, ends_at=NOON, place="Here", join_link="https://x.y"),
        MxMsgType.TEXT,
        "📅 *Party*\n🕒 2024-05-01 12:00 UTC to 2024-05-01 12:00 UTC\n📍 Here\n🔗 https://x.y",
    ),
    "canceled event": (
        rich.WaOccasion(name="", is_canceled=True),
        MxMsgType.TEXT,
        "📅 *Event* (canceled)",
    ),
    "album": (rich.WaAlbum(images=1, videos=2), MxMsgType.NOTICE, "🖼 Album with 1 photo and 2 videos"),
    "result": (
        rich.WaPollResult(question="Eat?", votes=(rich.WaTally(option="Now", count=1),)),
        MxMsgType.TEXT,
        "📊 *Eat?*\n* Now – 1 vote",
    ),
    "order": (
        rich.WaCard(
            kind=WaCardKind.ORDER, title="Shoes", amount=rich.WaAmount(thousandths=-12_345, currency="EUR")
        ),
        MxMsgType.TEXT,
        "🛒 Order\n\n*Shoes*\n\n-12.345 EUR\n\nOpen WhatsApp on your phone to see it.",
    ),
    "list": (
        rich.WaCard(kind=WaCardKind.LIST, body="What?", choices=("Soup", "Cake")),
        MxMsgType.TEXT,
        "What?\n\n* Soup\n* Cake\n\nOpen WhatsApp on your phone to choose.",
    ),
    "missed call": (
        rich.WaCard(kind=WaCardKind.CALL_LOG, details=("video", "missed", "0")),
        MxMsgType.NOTICE,
        "📞 Missed video call",
    ),
    "call": (
        rich.WaCard(kind=WaCardKind.CALL_LOG, details=("voice", "connected", "65")),
        MxMsgType.NOTICE,
        "📞 Voice call, 1:05 minutes",
    ),
    "payment": (
        rich.WaCard(kind=WaCardKind.PAYMENT, body="rent"),
        MxMsgType.NOTICE,
        "💸 A payment was sent\n\nrent\n\nOpen WhatsApp on your phone to see it.",
    ),
}


@pytest.mark.parametrize(("content", "msgtype", "body"), WORDS.values(), ids=WORDS)
def test_what_is_told(content: WaContent, msgtype: MxMsgType, body: str) -> None:
    event = first(content, TO_MATRIX)
    assert (event.msgtype, event.body.replace("* ", "").replace("*", "")) == (
        msgtype,
        body.replace("* ", "").replace("*", ""),
    )


def test_a_place_is_one_on_a_map() -> None:
    event = first(rich.WaLocation(latitude=1.5, longitude=2.5, context=WaContext(disappears_after_s=60)))
    assert event.location == MxLocation(latitude=1.5, longitude=2.5)
    assert event.disappears_after_s == 60


def test_contacts_are_a_file_with_words() -> None:
    shared = rich.WaContactCards(cards=(JANE, rich.WaVcard(name="Ben", text="")), title="2 people")
    file = MxFile(uri=MxUri("mxc://x/y"), mime_type="text/vcard")
    event = first(shared, replace(KNOWN, file=file))
    assert (event.msgtype, event.file_name, event.file) == (MxMsgType.FILE, "2 people.vcf", file)
    assert event.body == "👤 2 people\n\n👤 Jane\n📞 +1 555\n✉️ j@x.y\n\n👤 Ben"
    assert first(shared).msgtype is MxMsgType.TEXT


def test_an_invitation_can_be_accepted() -> None:
    event = first(rich.WaGroupInvite(group=GROUP, code="C", name="Club", expires_at=NOON))
    assert event.invite == MxGroupInvite(
        group=GROUP, code="C", inviter=ALICE, expires_at_s=int(NOON.timestamp()), name="Club"
    )


def test_answers_and_comments_are_about_their_message() -> None:
    answer = first(rich.WaOccasionAnswer(target=REF, answer=WaAnswer.GOING, guests=2))
    assert (answer.body, answer.relation) == ("✅ Going with 2 guests", MxReply(event_id=EVENT))
    comment = first(rich.WaComment(target=REF, body="*nice*"))
    assert comment.relation == MxThread(root=EVENT, reply_to=EVENT)
    assert first(rich.WaComment(target=REF, body="nice"), TO_MATRIX).relation is None


def test_a_card_replaces_a_placeholder() -> None:
    placeholder = MxEventId("$p")
    event = first(rich.WaCard(kind=WaCardKind.ORDER, title="x"), replace(TO_MATRIX, placeholder=placeholder))
    assert isinstance(event.relation, MxEdit)
    assert event.relation.event_id == placeholder


def test_live_locations_and_pins() -> None:
    live = to_matrix(rich.WaLiveLocation(latitude=1, longitude=2, sequence=3), KNOWN)
    assert isinstance(live, MxLive)
    assert (live.sequence, live.part.location) == (3, MxLocation(latitude=1, longitude=2))
    pin = rich.WaPin(target=REF, is_pinned=True)
    assert to_matrix(pin, KNOWN) == MxPin(event_id=EVENT, is_pinned=True)
    assert isinstance(to_matrix(pin, TO_MATRIX), Skipped)


# Polls

POLL = rich.WaPoll(question=f"Eat{RTL}?", options=("Lunch", "Dinner", "Lunch"), selectable=0)


def test_a_poll_from_whatsapp() -> None:
    result = to_matrix(POLL, KNOWN)
    assert isinstance(result, MxPollSend)
    lunch, dinner = (hashlib.sha256(text.encode()).hexdigest() for text in ("Lunch", "Dinner"))
    assert result.start == MxPollStart(
        question="Eat?",
        options=(MxPollOption(id=lunch, text="Lunch"), MxPollOption(id=dinner, text="Dinner")),
        max_selections=2,
        fallback="📊 Eat?\n1. Lunch\n2. Dinner\nSeveral answers are possible.",
    )
    assert result.text.body == result.start.fallback
    require_well_formed(result.text.html)
    assert result.options == tuple(PollOption(id=name, digest=bytes.fromhex(name)) for name in (lunch, dinner))


def test_a_vote_is_about_a_known_poll() -> None:
    vote = rich.WaPollVote(target=REF, options=(b"x" * 32,))
    assert to_matrix(vote, KNOWN) == MxPollAnswer(digests=(b"x" * 32,))
    assert isinstance(to_matrix(vote, TO_MATRIX), Skipped)


def test_the_votes_are_counted() -> None:
    start = MxPollStart(question="?", options=(MxPollOption(id="1", text="A"), MxPollOption(id="2", text="<b>")))
    options = options_of(start)
    votes = [
        PollVote(person_id=PersonId(1), digests=(digest_of("A"), digest_of("A"), b"unknown")),
        PollVote(person_id=PersonId(2), digests=(digest_of("A"),)),
    ]
    counts = count_votes(votes, options)
    assert counts == {"1": 2}
    text = render_poll(start, counts, voters=2, note="It is over.")
    assert text.body == "📊 ?\n1. A – 2 votes\n2. <b> – 0 votes\n2 people voted. It is over."
    require_well_formed(text.html)
    assert ids_of((digest_of("<b>"), b"\x01"), options) == ("2", "01")


OPTIONS = tuple(MxPollOption(id=name, text=name) for name in "abc")
KNOWN_POLL = KnownPoll(
    options=options_of(MxPollStart(question="?", options=OPTIONS)), max_selections=2, result="📊 ?\nr"
)


def test_a_poll_from_matrix() -> None:
    start = MxPollStart(question="Eat?", options=OPTIONS, max_selections=1)
    assert to_whatsapp(start, TO_WHATSAPP) == WaSend(
        content=rich.WaPoll(question="Eat?", options=("a", "b", "c"), selectable=1)
    )
    anything = to_whatsapp(replace(start, max_selections=3), TO_WHATSAPP)
    assert isinstance(anything, WaSend)
    assert isinstance(anything.content, rich.WaPoll)
    assert anything.content.selectable == 0


def test_votes_from_matrix() -> None:
    context = replace(with_target(own_target(is_own=False)), poll=KNOWN_POLL)

    def voted(*names: str) -> tuple[bytes, ...]:
        result = to_whatsapp(MxPollVote(poll=EVENT, options=names), context)
        assert isinstance(result, WaSend)
        assert isinstance(result.content, rich.WaPollVote)
        return result.content.options

    assert voted("b") == (digest_of("b"),)
    assert voted("c", "c", "b", "a") == (digest_of("c"), digest_of("b"))
    assert voted() == ()


def test_the_end_of_a_poll_is_told() -> None:
    context = replace(with_target(own_target()), poll=KNOWN_POLL)
    quote = WaQuote(message_id=WaMessageId("3EB0AA"), sender=ALICE, preview=WaPreview(kind=WaKind.POLL, text="?"))
    assert to_whatsapp(MxPollEnd(poll=EVENT), context) == WaSend(
        content=WaText(body="The poll is over.\n\n📊 ?\nr", context=WaContext(quote=quote))
    )


def options(*texts: str) -> tuple[MxPollOption, ...]:
    return tuple(MxPollOption(id=str(index), text=text) for index, text in enumerate(texts))


REFUSED: dict[str, tuple[MxContent, ToWhatsAppContext, Refusal]] = {
    "hidden": (MxPollStart(question="?", options=OPTIONS, is_hidden=True), TO_WHATSAPP, Refusal.POLL_HIDDEN),
    "no question": (MxPollStart(question="", options=OPTIONS), TO_WHATSAPP, Refusal.POLL_QUESTION),
    "long question": (MxPollStart(question="x" * 256, options=OPTIONS), TO_WHATSAPP, Refusal.POLL_QUESTION),
    "one option": (MxPollStart(question="?", options=options("a")), TO_WHATSAPP, Refusal.POLL_OPTIONS),
    "13 options": (
        MxPollStart(question="?", options=options(*"abcdefghijklm")),
        TO_WHATSAPP,
        Refusal.POLL_OPTIONS,
    ),
    "long option": (MxPollStart(question="?", options=options("a", "b" * 101)), TO_WHATSAPP, Refusal.POLL_OPTIONS),
    "same options": (MxPollStart(question="?", options=options("a", "a")), TO_WHATSAPP, Refusal.POLL_REPEATS),
    "vote in nothing": (MxPollVote(poll=EVENT, options=("a",)), TO_WHATSAPP, Refusal.POLL_UNKNOWN),
    "vote for nothing there is": (
        MxPollVote(poll=EVENT, options=("z",)),
        replace(with_target(own_target()), poll=KNOWN_POLL),
        Refusal.POLL_UNKNOWN,
    ),
    "end of nothing": (MxPollEnd(poll=EVENT), TO_WHATSAPP, Refusal.POLL_UNKNOWN),
    "end of another's": (
        MxPollEnd(poll=EVENT),
        replace(with_target(own_target(is_own=False)), poll=KNOWN_POLL),
        Refusal.POLL_NOT_OWN,
    ),
    "location on no planet": (
        MxMessageContent(msgtype=MxMsgType.LOCATION, body="x"),
        TO_WHATSAPP,
        Refusal.KIND,
    ),
}


@pytest.mark.parametrize(("content", "context", "refusal"), REFUSED.values(), ids=REFUSED)
def test_refusals(content: MxContent, context: ToWhatsAppContext, refusal: Refusal) -> None:
    assert to_whatsapp(content, context) == Refused(refusal=refusal)


# Places and contacts


@pytest.mark.parametrize(
    ("body", "name"), [("The zoo", "The zoo"), ("Location was shared at geo:1,2 as of now", "")]
)
def test_a_place_from_matrix(body: str, name: str) -> None:
    at = MxLocation(latitude=1, longitude=2)
    content = MxMessageContent(msgtype=MxMsgType.LOCATION, body=body, location=at)
    assert to_whatsapp(content, TO_WHATSAPP) == WaSend(content=rich.WaLocation(latitude=1, longitude=2, name=name))


def test_contacts_from_matrix() -> None:
    file = MxFile(uri=MxUri("mxc://x/y"), mime_type="text/vcard")
    content = MxMessageContent(msgtype=MxMsgType.FILE, body="a.vcf", file_name="a.vcf", file=file)
    cards = (JANE, JANE)
    sent = to_whatsapp(content, replace(TO_WHATSAPP, cards=cards))
    assert sent == WaSend(content=rich.WaContactCards(cards=cards, title="2 contacts"))
    one = to_whatsapp(content, replace(TO_WHATSAPP, cards=(JANE,)))
    assert one == WaSend(content=rich.WaContactCards(cards=(JANE,)))


@pytest.mark.parametrize(
    ("mime_type", "name", "is_one"),
    [
        ("text/vcard", "x", True),
        ("text/x-vcard; charset=utf-8", "x", True),
        ("", "a.VCF", True),
        ("application/octet-stream", "a.vcf", True),
        ("text/plain", "a.vcf", False),
        ("", "a.txt", False),
    ],
)
def test_files_of_contacts(mime_type: str, name: str, is_one: bool) -> None:
    assert is_vcard(mime_type, name) is is_one


def test_cards_survive_a_file() -> None:
    shared = rich.WaContactCards(cards=(JANE, rich.WaVcard(name="B, C; D", text="nonsense")))
    jane, other = read_vcards(write_vcards(shared))
    assert (jane.name, jane.text) == ("Jane Doe", VCARD)
    assert other.name == "B, C; D"


ODD_FILES = {
    "empty": b"",
    "no card": b"hello",
    "no end": b"BEGIN:VCARD\nFN:x",
    "not utf-8": b"BEGIN:VCARD\nFN:\xff\xfe\nEND:VCARD",
    "folded": b"begin:vcard\r\nFN:Ja\r\n ne\r\nEND:vcard",
    "too many": b"BEGIN:VCARD\nEND:VCARD\n" * 65,
}


@pytest.mark.parametrize("data", ODD_FILES.values(), ids=ODD_FILES)
def test_odd_files_of_contacts(data: bytes) -> None:
    cards = read_vcards(data)
    assert len(cards) == (1 if b"FN" in data and b"END" in data.upper()[5:] and data != ODD_FILES["no end"] else 0)
    if cards:
        assert tell_contacts(rich.WaContactCards(cards=cards)).startswith("👤")


def test_a_file_that_was_uploaded_is_no_contact() -> None:
    file = MxFile(uri=MxUri("mxc://x/y"), mime_type="text/vcard")
    content = MxMessageContent(msgtype=MxMsgType.FILE, body="a.vcf", file_name="a.vcf", file=file)
    refused = to_whatsapp(content, TO_WHATSAPP)
    assert refused == Refused(refusal=Refusal.KIND)
