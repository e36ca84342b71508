"""Places, contacts, polls, events, invitations and pins: from protobuf and back, sealed parts included."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.model import rich
from mautrix_whatsapp_py.model.content import WaContent, WaContext, WaMedia, WaMessageRef, WaRichSendable
from mautrix_whatsapp_py.model.rich import WaAnswer, WaCard, WaCardKind
from mautrix_whatsapp_py.whatsapp.host.decode_content import decode_content
from mautrix_whatsapp_py.whatsapp.host.encode_content import Sending, encode_content
from mautrix_whatsapp_py.whatsapp.host.secrets import get_secrets
from tests.simulator.api import kinds
from tests.simulator.jids import Jid
from tests.simulator.kinds.actions import MessageRef
from tests.unit.whatsapp.host.contents import (
    ANA,
    ANA_LID,
    AT_MS,
    BEN,
    E2E,
    FROM_ANA,
    FROM_BEN,
    GROUP,
    ME,
    OWN,
    OWN_LID,
    PROTOBUF,
    SECRET,
    Message,
    add_secret,
    make_tables,
    scene,
)

LUNCH = hashlib.sha256(b"Lunch").digest()
DINNER = hashlib.sha256(b"Dinner").digest()
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
NOON_S = int(NOON.timestamp())
REF = WaMessageRef(chat=ANA, message_id=WaMessageId("T"), sender=ANA)
CARD = "BEGIN:VCARD\nFN:Ana\nEND:VCARD"


def jid_of(jid: WaJid) -> Jid:
    return Jid(jid.user, jid.server)


def card(kind: WaCardKind, **fields: Any) -> WaCard:
    return WaCard(kind=kind, **fields)


DECODED: dict[str, tuple[Any, WaContent]] = {
    "location": (
        kinds.location(52.5, 13.4, name="Zoo", address="Street 1").message,
        rich.WaLocation(latitude=52.5, longitude=13.4, name="Zoo", address="Street 1"),
    ),
    "location off the earth": (
        Message(locationMessage=E2E.LocationMessage(degreesLatitude=float("nan"), degreesLongitude=1e300)),
        rich.WaLocation(latitude=0.0, longitude=180.0),
    ),
    "live location": (
        kinds.live_location(1.0, 2.0, caption="on my way", sequence=7).message,
        rich.WaLiveLocation(latitude=1.0, longitude=2.0, caption="on my way", sequence=7),
    ),
    "location that is live": (
        Message(locationMessage=E2E.LocationMessage(degreesLatitude=1, isLive=True, comment="c")),
        rich.WaLiveLocation(latitude=1.0, longitude=0.0, caption="c"),
    ),
    "contact": (
        kinds.contact("Ana", CARD).message,
        rich.WaContactCards(cards=(rich.WaVcard(name="Ana", text=CARD),)),
    ),
    "contacts": (
        kinds.contacts("2 contacts", {"Ana": CARD, "Ben": ""}).message,
        rich.WaContactCards(
            title="2 contacts", cards=(rich.WaVcard(name="Ana", text=CARD), rich.WaVcard(name="Ben", text=""))
        ),
    ),
    "result": (
        Message(
            pollResultSnapshotMessage=E2E.PollResultSnapshotMessage(
                name="?", pollVotes=[E2E.PollResultSnapshotMessage.PollVote(optionName="a", optionVoteCount=3)]
            )
        ),
        rich.WaPollResult(question="?", votes=(rich.WaTally(option="a", count=3),)),
    ),
    "event": (
        kinds.event("Party", start_seconds=NOON_S, place="Here", description="*Come*").message,
        rich.WaOccasion(name="Party", starts_at=NOON, place="Here", description="*Come*"),
    ),
    "invite": (
        kinds.group_invite(
            Jid("12036300", "g.us"), "C0DE", "Club", expires_seconds=NOON_S, caption="join"
        ).message,
        rich.WaGroupInvite(
            group=WaJid(user="12036300", server="g.us"), code="C0DE", name="Club", caption="join", expires_at=NOON
        ),
    ),
    "album": (kinds.album(images=2, videos=1).message, rich.WaAlbum(images=2, videos=1)),
    "order": (
        Message(
            orderMessage=E2E.OrderMessage(
                orderTitle="Shoes", itemCount=2, totalAmount1000=12_500, totalCurrencyCode="EUR"
            )
        ),
        card(
            WaCardKind.ORDER,
            title="Shoes",
            details=("2 items",),
            amount=rich.WaAmount(thousandths=12_500, currency="EUR"),
        ),
    ),
    "payment request": (
        Message(
            requestPaymentMessage=E2E.RequestPaymentMessage(
                noteMessage=Message(conversation="rent"),
                amount=E2E.Money(value=500, offset=100, currencyCode="USD"),
            )
        ),
        card(WaCardKind.PAYMENT_REQUEST, body="rent", amount=rich.WaAmount(thousandths=5_000, currency="USD")),
    ),
    "buttons": (
        kinds.buttons("Choose", ["A", "B"]).message,
        card(WaCardKind.BUTTONS, body="Choose", choices=("A", "B")),
    ),
    "list": (
        kinds.list_message("Menu", "What?", ["Soup", "Cake"]).message,
        card(WaCardKind.LIST, title="Menu", body="What?", choices=("Soup", "Cake")),
    ),
    "template": (kinds.template("Your code").message, card(WaCardKind.TEMPLATE, body="Your code")),
    "buttons with parameters": (
        Message(
            interactiveMessage=E2E.InteractiveMessage(
                body=E2E.InteractiveMessage.Body(text="hi"),
                nativeFlowMessage=E2E.InteractiveMessage.NativeFlowMessage(
                    buttons=[
                        E2E.InteractiveMessage.NativeFlowMessage.NativeFlowButton(buttonParamsJSON=text)
                        for text in ('{"display_text": "Go", "url": "https://x.y"}', "[1", "[]", '{"title": 5}')
                    ]
                ),
            )
        ),
        card(WaCardKind.INTERACTIVE, body="hi", choices=("Go https://x.y",)),
    ),
    "missed call": (
        Message(callLogMesssage=E2E.CallLogMessage(isVideo=True, callOutcome=E2E.CallLogMessage.MISSED)),
        card(WaCardKind.CALL_LOG, details=("video", "missed", "0")),
    ),
    "kept": (
        kinds.keep(MessageRef(chat=jid_of(ANA), message_id="T", sender=jid_of(ANA), is_own=True)).message,
        card(WaCardKind.KEPT),
    ),
    "placeholder": (kinds.view_once_placeholder().message, card(WaCardKind.PHONE_ONLY)),
    "mentioned in a status": (
        Message(
            statusMentionMessage=E2E.FutureProofMessage(
                message=Message(
                    protocolMessage=E2E.ProtocolMessage(type=E2E.ProtocolMessage.STATUS_MENTION_MESSAGE)
                )
            )
        ),
        card(WaCardKind.MENTIONED_IN_STATUS),
    ),
    "sharing limited": (
        Message(
            protocolMessage=E2E.ProtocolMessage(
                type=E2E.ProtocolMessage.LIMIT_SHARING, limitSharing={"sharingLimited": True}
            )
        ),
        card(WaCardKind.SHARING_LIMITED),
    ),
}


@pytest.mark.parametrize(("message", "content"), DECODED.values(), ids=DECODED)
def test_what_a_phone_sends(message: Any, content: WaContent) -> None:
    assert decode_content(message, FROM_ANA) == content


@pytest.mark.parametrize("version", ["", "V2", "V3", "V5", "V6"])
def test_polls_of_every_version(version: str) -> None:
    message = kinds.poll("Eat?", ["Lunch", "Dinner"], selectable=2, version=version).message
    expected = rich.WaPoll(question="Eat?", options=("Lunch", "Dinner"), selectable=2)
    assert decode_content(message, FROM_ANA) == expected
    wrapped = Message(pollCreationMessageV4=E2E.FutureProofMessage(message=message))
    assert decode_content(wrapped, FROM_ANA) == expected


@pytest.mark.parametrize("value", [NOON_S, NOON_S * 1000])
def test_the_end_of_a_poll_in_seconds_and_in_milliseconds(value: int) -> None:
    message = Message(pollCreationMessageV3=E2E.PollCreationMessage(name="?", endTime=value))
    content = decode_content(message, FROM_ANA)
    assert isinstance(content, rich.WaPoll)
    assert content.ends_at == NOON


def test_a_file_names_the_head_of_its_album() -> None:
    head = MessageRef(chat=jid_of(ANA), message_id="HEAD", sender=jid_of(ANA), is_own=True)
    file = kinds.Uploaded(
        url="", direct_path="/v/x", key=b"k" * 32, sha256=b"", encrypted_sha256=b"", size_bytes=1
    )
    content = decode_content(kinds.in_album(kinds.image(file), head, 0).message, FROM_ANA)
    assert isinstance(content, WaMedia)
    assert content.context == WaContext(album=WaMessageId("HEAD"))


# Sealed with the secret of the poll, event or announcement


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    return make_tables(tmp_path / "session.db")


def decode(message: Any, tables: Path, chat: WaJid, sender: WaJid) -> WaContent:
    return decode_content(message, scene(chat, sender, get_secrets=partial(get_secrets, tables)))


def in_group(author: WaJid, *, is_own: bool = False) -> MessageRef:
    return MessageRef(chat=jid_of(GROUP), message_id="T", sender=jid_of(author), is_own=is_own, secret=SECRET)


def test_a_vote_opens(tables: Path) -> None:
    add_secret(tables, GROUP, ANA_LID, "T")
    vote = kinds.poll_vote(in_group(ANA_LID), jid_of(BEN), ["Lunch", "Dinner"]).message
    target = WaMessageRef(chat=GROUP, message_id=WaMessageId("T"), sender=ANA_LID)
    assert decode(vote, tables, GROUP, BEN) == rich.WaPollVote(target=target, options=(LUNCH, DINNER))
    none = kinds.poll_vote(in_group(ANA_LID), jid_of(BEN), []).message
    assert decode(none, tables, GROUP, BEN) == rich.WaPollVote(target=target, options=())


def test_a_vote_that_does_not_open_is_told_of(tables: Path) -> None:
    vote = kinds.poll_vote(in_group(ANA_LID), jid_of(BEN), ["Lunch"]).message
    assert decode(vote, tables, GROUP, BEN) == card(WaCardKind.SEALED_VOTE)
    add_secret(tables, GROUP, ANA_LID, "T")
    # Nobody votes in the name of another.
    assert decode(vote, tables, GROUP, ANA) == card(WaCardKind.SEALED_VOTE)


def test_answers_and_comments_open(tables: Path) -> None:
    add_secret(tables, GROUP, ANA_LID, "T")
    target = WaMessageRef(chat=GROUP, message_id=WaMessageId("T"), sender=ANA_LID)
    answer = kinds.event_response(in_group(ANA_LID), jid_of(BEN), is_going=True).message
    assert decode(answer, tables, GROUP, BEN) == rich.WaOccasionAnswer(target=target, answer=WaAnswer.GOING)
    comment = kinds.secret_comment(in_group(ANA_LID), jid_of(BEN), "nice").message
    assert decode(comment, tables, GROUP, BEN) == rich.WaComment(target=target, body="nice")


@pytest.mark.parametrize(("author", "voter"), [(ANA, OWN), (ANA_LID, OWN_LID)])
def test_what_we_seal_opens_for_others(tables: Path, author: WaJid, voter: WaJid) -> None:
    add_secret(tables, ANA, author, "T")
    target = WaMessageRef(chat=ANA, message_id=WaMessageId("T"), sender=author)
    contents: list[WaRichSendable] = [
        rich.WaPollVote(target=target, options=(DINNER,)),
        rich.WaOccasionAnswer(target=target, answer=WaAnswer.MAYBE, guests=2),
    ]
    for content in contents:
        body = encode_content(content, sealing(tables), PROTOBUF)
        opened = decode(Message.FromString(body), tables, ANA, voter)
        assert opened == rich_with_target(content, target_of(opened))


def sealing(tables: Path) -> Sending:
    return Sending(chat=ANA, own=ME, secret=SECRET, at_ms=AT_MS, get_secrets=partial(get_secrets, tables))


def target_of(content: WaContent) -> WaMessageRef:
    assert isinstance(content, rich.WaPollVote | rich.WaOccasionAnswer)
    assert content.target.message_id == "T"
    return content.target


def rich_with_target(content: WaRichSendable, target: WaMessageRef) -> WaContent:
    if isinstance(content, rich.WaPollVote):
        return rich.WaPollVote(target=target, options=content.options)
    assert isinstance(content, rich.WaOccasionAnswer)
    return rich.WaOccasionAnswer(target=target, answer=content.answer, guests=content.guests)


def test_what_has_no_known_secret_is_not_sent(tables: Path) -> None:
    with pytest.raises(ValueError, match="secret"):
        encode_content(rich.WaPollVote(target=REF, options=()), sealing(tables), PROTOBUF)


def test_pins_name_their_message_and_their_time() -> None:
    ref = MessageRef(chat=jid_of(GROUP), message_id="T", sender=jid_of(ANA_LID), is_own=False)
    target = WaMessageRef(chat=GROUP, message_id=WaMessageId("T"), sender=ANA_LID)
    pinned = decode_content(kinds.pin(ref, seconds=60).message, FROM_BEN)
    assert pinned == rich.WaPin(target=target, is_pinned=True, seconds=60)
    unpinned = decode_content(kinds.pin(ref, is_pinned=False).message, FROM_BEN)
    assert unpinned == rich.WaPin(target=target, is_pinned=False)
