"""Requests of the bridge that ask the library for something."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from mautrix_whatsapp_py.ids import SendId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import WaMessageRef, WaReaction, WaText
from mautrix_whatsapp_py.model.wa import WaReceipt, WaReceiptKind, WaSource
from mautrix_whatsapp_py.model.wa_link import WaLinkKind, WaSendUncertain, WaSent
from mautrix_whatsapp_py.whatsapp.host import calls as calls_module
from mautrix_whatsapp_py.whatsapp.host.calls import CallFailed, Calls
from mautrix_whatsapp_py.whatsapp.host.decode import decode_row
from mautrix_whatsapp_py.whatsapp.host.protobuf import MESSAGE_CODE, RECEIPT_CODE
from mautrix_whatsapp_py.whatsapp.host.settling import MOST_REMEMBERED, MOST_REPEATS, Settling
from mautrix_whatsapp_py.whatsapp.wire import FetchSend, SendMessage
from mautrix_whatsapp_py.whatsapp.wire_directory import DescribeGroup
from tests.unit.whatsapp.host.test_session import LOGIN, Stand, stand

CLUB = WaJid(user="12036300", server="g.us")
ASK = DescribeGroup(login=LOGIN, chat=CLUB)
SEND = SendMessage(
    login=LOGIN,
    send_id=SendId("s"),
    chat=WaJid(user="1", server="lid"),
    content=WaText(body="x"),
    secret=b"k" * 32,
)


def calls_of(made: Stand) -> Calls:
    return Calls(made.session, made.library, made.protobuf)


async def test_a_group_is_asked_for(tmp_path: Path) -> None:
    async with stand(tmp_path) as made:
        await made.until_fact(WaLinkKind.CONNECTED)
        answer = made.protobuf.messages.GetGroupInfoReturnFunction()
        answer.GroupInfo.GroupName.Name = "Club"
        jid = made.protobuf.encode_jid(CLUB)
        answer.GroupInfo.JID.ParseFromString(jid)
        member = answer.GroupInfo.Participants.add(IsAdmin=True)
        member.JID.ParseFromString(made.protobuf.encode_jid(WaJid(user="1000002", server="lid")))
        made.library.answer = lambda name: answer.SerializePartialToString() if name == "GetGroupInfo" else b""
        group = await calls_of(made).run(ASK)
        assert group.jid == CLUB
        assert group.name == "Club"
        assert [(one.jid.user, one.is_admin) for one in group.members] == [("1000002", True)]
        assert ("GetGroupInfo", (jid, len(jid))) in made.library.calls


@pytest.mark.parametrize(
    ("error", "code", "is_final"),
    [
        ("you're not participating in that group", "not-a-member", True),
        ("info query returned status 404: item-not-found", "not-found", True),
        ("websocket not connected", "not-connected", False),
        ("info query timed out", "not-connected", False),
        ("something else", "refused", True),
    ],
)
async def test_a_question_that_fails_leaves_nothing_open(
    tmp_path: Path, error: str, code: str, is_final: bool
) -> None:
    async with stand(tmp_path) as made:
        await made.until_fact(WaLinkKind.CONNECTED)
        answer = made.protobuf.messages.GetGroupInfoReturnFunction(Error=error)
        made.library.answer = lambda name: answer.SerializePartialToString() if name == "GetGroupInfo" else b""
        with pytest.raises(CallFailed) as failed:
            await calls_of(made).run(ASK)
        assert (failed.value.code, failed.value.is_final, failed.value.is_certain) == (code, is_final, True)


def answer_sends(made: Stand, *, error: str = "") -> None:
    answer = made.protobuf.messages.SendMessageReturnFunction(Error=error)
    answer.SendResponse.ID = "3EB0"
    made.library.answer = lambda name: answer.SerializePartialToString() if name == "SendMessage" else b""


def sends(made: Stand) -> int:
    return sum(1 for name, _ in made.library.calls if name == "SendMessage")


async def test_a_send_is_noted_and_answered_again_without_the_library(tmp_path: Path) -> None:
    async with stand(tmp_path) as made:
        await made.until_fact(WaLinkKind.CONNECTED)
        calls = calls_of(made)
        answer_sends(made)
        first = await calls.run(SEND)
        assert isinstance(first, WaSent)
        assert first.message_id == "3EB0"
        assert await calls.run(SEND) == first
        made.session.gate.close()
        assert await calls.run(SEND) == first
        assert sends(made) == 1
        row = made.session.journal.get_send("s")
        assert row is not None
        assert (row.secret, row.message_id) == (SEND.secret, "3EB0")


async def test_without_a_link_nothing_is_noted(tmp_path: Path) -> None:
    async with stand(tmp_path) as made:
        await made.until_fact(WaLinkKind.CONNECTED)
        answer_sends(made)
        made.session.gate.close()
        with pytest.raises(CallFailed) as failed:
            await calls_of(made).run(SEND)
        assert (failed.value.code, failed.value.is_certain, sends(made)) == ("not-connected", True, 0)
        assert made.session.journal.get_send("s") is None


@pytest.mark.parametrize(
    ("error", "is_forgotten"),
    [("websocket not connected", True), ("server returned error 405", True), ("eof", False)],
)
async def test_what_may_have_left_stays_noted(tmp_path: Path, error: str, *, is_forgotten: bool) -> None:
    async with stand(tmp_path) as made:
        await made.until_fact(WaLinkKind.CONNECTED)
        answer_sends(made, error=error)
        with pytest.raises(CallFailed):
            await calls_of(made).run(SEND)
        assert (made.session.journal.get_send("s") is None) == is_forgotten


REACT = replace(
    SEND,
    content=WaReaction(
        target=WaMessageRef(chat=SEND.chat, message_id=WaMessageId("A"), sender=SEND.chat),
        emoji="👍",
    ),
)


@pytest.fixture
def have_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library has begun to send whatever it was asked to."""
    monkeypatch.setattr(calls_module, "get_message_id", lambda _database, _secret: WaMessageId("3EB0"))


def make_settling(made: Stand) -> Settling:
    journal = made.session.journal
    return Settling(
        lambda row: decode_row(row, made.session.account), 0, get_fact=journal.get_fact, set_fact=journal.set_fact
    )


async def fail(made: Stand, calls: Calls, call: SendMessage) -> CallFailed:
    answer_sends(made, error="message send: websocket disconnected")
    with pytest.raises(CallFailed) as failed:
        await calls.run(call)
    answer_sends(made)
    return failed.value


@pytest.mark.usefixtures("have_left")
async def test_a_reaction_that_may_have_left_is_sent_again(tmp_path: Path) -> None:
    """Nobody sees the same reaction twice, while one that is lost stays lost."""
    async with stand(tmp_path) as made:
        await made.until_fact(WaLinkKind.CONNECTED)
        calls = calls_of(made)
        assert not (await fail(made, calls, REACT)).is_certain
        assert isinstance(await calls.run(REACT), WaSent)
        assert isinstance(await calls.run(REACT), WaSent)
        assert sends(made) == 2


@pytest.mark.usefixtures("have_left")
async def test_a_reaction_nobody_answers_for_is_not_sent_for_ever(tmp_path: Path) -> None:
    async with stand(tmp_path) as made:
        await made.until_fact(WaLinkKind.CONNECTED)
        made.session.settling = make_settling(made)
        calls = calls_of(made)
        for _ in range(1 + MOST_REPEATS):
            await fail(made, calls, REACT)
        assert isinstance(await calls.run(REACT), WaSendUncertain)
        assert sends(made) == 1 + MOST_REPEATS


@pytest.mark.usefixtures("have_left")
async def test_a_reaction_that_may_have_left_waits_for_the_link(tmp_path: Path) -> None:
    async with stand(tmp_path) as made:
        await made.until_fact(WaLinkKind.CONNECTED)
        calls = calls_of(made)
        await fail(made, calls, REACT)
        made.session.gate.close()
        with pytest.raises(CallFailed) as failed:
            await calls.run(REACT)
        assert (failed.value.code, sends(made)) == ("not-connected", 1)


@pytest.mark.usefixtures("have_left")
async def test_a_message_that_may_have_left_is_not_sent_again(tmp_path: Path) -> None:
    async with stand(tmp_path) as made:
        await made.until_fact(WaLinkKind.CONNECTED)
        made.session.settling = make_settling(made)
        calls = calls_of(made)
        await fail(made, calls, SEND)
        assert isinstance(await calls.run(SEND), WaSendUncertain)
        made.session.gate.close()
        with pytest.raises(CallFailed) as failed:
            await calls.run(SEND)
        assert (failed.value.code, failed.value.is_certain, sends(made)) == ("not-connected", False, 1)


@pytest.mark.usefixtures("have_left")
@pytest.mark.parametrize("kind", [WaReceiptKind.DELIVERED, WaReceiptKind.SENDER, WaReceiptKind.READ])
async def test_a_message_that_somebody_has_was_sent(tmp_path: Path, kind: WaReceiptKind) -> None:
    async with stand(tmp_path) as made:
        await made.until_fact(WaLinkKind.CONNECTED)
        calls = calls_of(made)
        await fail(made, calls, SEND)
        at = datetime(2026, 1, 1, tzinfo=UTC)
        source = WaSource(chat=SEND.chat, sender=SEND.chat)
        receipt = WaReceipt(source=source, kind=kind, message_ids=(WaMessageId("3EB0"),), timestamp=at)
        asking = asyncio.create_task(calls.run(SEND))
        # The chat waits, others do not.
        answer_sends(made)
        assert isinstance(await calls.run(replace(SEND, send_id=SendId("other"))), WaSent)
        assert not asking.done()
        made.session.settling.note(receipt)
        outcome = await asking
        assert outcome == WaSent(send_id=SEND.send_id, message_id=WaMessageId("3EB0"), timestamp=at)
        assert await calls.run(SEND) == outcome
        assert await calls.run(FetchSend(login=LOGIN, send_id=SEND.send_id, secret=SEND.secret)) == outcome
        assert sends(made) == 2


async def test_what_has_arrived_is_not_remembered_for_ever(tmp_path: Path) -> None:
    async with stand(tmp_path) as made:
        settling, at = make_settling(made), datetime(2026, 1, 1, tzinfo=UTC)
        source = WaSource(chat=SEND.chat, sender=SEND.chat)
        ids = tuple(WaMessageId(str(number)) for number in range(MOST_REMEMBERED + 1))
        settling.note(WaReceipt(source=source, kind=WaReceiptKind.DELIVERED, message_ids=ids, timestamp=at))
        assert settling.get_arrival(ids[0]) is None
        assert settling.get_arrival(ids[1]) == at


def encode_receipt(made: Stand, kind: str, *, is_from_me: bool = False) -> bytes:
    jid = made.protobuf.encode_jid(SEND.chat)
    event = made.protobuf.messages.Receipt(MessageIDs=["3EB0"], Timestamp=1_700_000_000)
    event.Type = event.DESCRIPTOR.fields_by_name["Type"].enum_type.values_by_name[kind].number
    event.MessageSource.Chat.ParseFromString(jid)
    event.MessageSource.Sender.ParseFromString(jid)
    event.MessageSource.IsFromMe = is_from_me
    body: bytes = event.SerializePartialToString()
    return body


async def test_that_a_message_has_arrived_is_kept_only_where_that_was_in_doubt(tmp_path: Path) -> None:
    async with stand(tmp_path) as made:
        settling = make_settling(made)
        delivered = encode_receipt(made, "DELIVERED")
        assert settling.takes(RECEIPT_CODE, delivered)
        assert settling.get_arrival(WaMessageId("3EB0"))
        others = [encode_receipt(made, kind) for kind in ("READ", "PLAYED", "SENDER", "READ_SELF", "RETRY")]
        others.append(encode_receipt(made, "DELIVERED", is_from_me=True))
        for body in (*others, b"\xff", b""):
            assert not settling.takes(RECEIPT_CODE, body)
        assert not settling.takes(MESSAGE_CODE, delivered)
        settling = make_settling(made)
        assert await settling.fetch_arrival(WaMessageId("3EB0")) is None
        assert not settling.takes(RECEIPT_CODE, delivered)
        # The next host knows of it, too.
        assert not make_settling(made).takes(RECEIPT_CODE, delivered)
