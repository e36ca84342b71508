"""Every event the library can give becomes one of ours, or a WaUnknown; nothing raises."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mautrix_whatsapp_py.ids import JournalSeq, WaJid
from mautrix_whatsapp_py.model import wa
from mautrix_whatsapp_py.model.content import WaSilent, WaText
from mautrix_whatsapp_py.model.wa_link import WaLinkKind
from mautrix_whatsapp_py.whatsapp.host.decode import Account, decode_row
from mautrix_whatsapp_py.whatsapp.host.encode import encode_device_props
from mautrix_whatsapp_py.whatsapp.host.facts import LINK_CODES, decode_end, decode_fact
from mautrix_whatsapp_py.whatsapp.host.journal import LARGE_BYTES, Row
from mautrix_whatsapp_py.whatsapp.host.library import SUBSCRIBED
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf
from mautrix_whatsapp_py.whatsapp.wire import LinkOptions

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
PROTOBUF = Protobuf()
M = PROTOBUF.messages
ACCOUNT = Account(
    own=WaJid(user="1", server="s.whatsapp.net"), get_secrets=lambda _chat, _id: (), protobuf=PROTOBUF
)


def jid(user: str = "1", server: str = "lid", device: int = 0) -> Any:
    return M.JID(User=user, Server=server, Device=device, RawAgent=0, Integrator=0, IsEmpty=False)


def no_jid() -> Any:
    return M.JID(User="", Server="", Device=0, RawAgent=0, Integrator=0, IsEmpty=True)


def source(**changes: Any) -> Any:
    fields = {
        "Chat": jid("2"),
        "Sender": jid("1", device=3),
        "IsFromMe": False,
        "IsGroup": False,
        "AddressingMode": "LID",
        "SenderAlt": jid("1555", "s.whatsapp.net"),
        "RecipientAlt": no_jid(),
        "BroadcastListOwner": no_jid(),
    }
    return M.MessageSource(**{**fields, **changes})


def info(**changes: Any) -> Any:
    fields = {
        "MessageSource": source(),
        "ID": "ABC",
        "ServerID": 0,
        "Type": "text",
        "Pushname": "Bob",
        "Timestamp": SECONDS * 1000 + 5,
        "Category": "",
        "Multicast": False,
        "MediaType": "",
        "Edit": "",
    }
    return M.MessageInfo(**{**fields, **changes})


def message(**changes: Any) -> Any:
    fields = {
        "Info": info(),
        "Message": PROTOBUF.e2e.Message(conversation="hi"),
        **dict.fromkeys(
            (
                "IsEphemeral",
                "IsViewOnce",
                "IsViewOnceV2",
                "IsViewOnceV2Extension",
                "IsDocumentWithCaption",
                "IsLottieSticker",
                "IsEdit",
            ),
            False,
        ),
        "UnavailableRequestID": "",
        "RetryCount": 0,
    }
    return M.Message(**{**fields, **changes})


def decode(code: int, event: Any, file: Path | None = None) -> wa.WaEvent:
    body = event if isinstance(event, bytes) else event.SerializeToString()
    if file is not None:
        file.write_bytes(body)
    row = Row(seq=JournalSeq(1), code=code, received_at=NOW, body=b"" if file else body, file=file)
    return decode_row(row, ACCOUNT)


def test_message() -> None:
    event = decode(17, message())
    assert isinstance(event, wa.WaMessage)
    assert event.source.chat == WaJid(user="2", server="lid")
    assert event.source.sender == WaJid(user="1", server="lid", device=3)
    assert event.source.sender_alt == WaJid(user="1555", server="s.whatsapp.net")
    assert event.source.recipient_alt is None
    assert event.source.is_lid_addressed
    assert (event.message_id, event.push_name) == ("ABC", "Bob")
    assert event.timestamp == datetime.fromtimestamp(SECONDS + 0.005, tz=UTC)
    assert event.content == WaText(body="hi")


def test_a_key_distribution_alone_says_nothing_to_users() -> None:
    body = PROTOBUF.e2e.Message()
    body.senderKeyDistributionMessage.groupID = "g"
    event = decode(17, message(Message=body))
    assert isinstance(event, wa.WaMessage)
    assert event.content == WaSilent(kind="none")


def test_a_zero_time_is_when_it_came() -> None:
    event = decode(17, message(Info=info(Timestamp=-62135596800000)))
    assert isinstance(event, wa.WaMessage)
    assert event.timestamp == NOW


def test_a_large_body_is_read_from_its_file(tmp_path: Path) -> None:
    body = PROTOBUF.e2e.Message(conversation="x" * (LARGE_BYTES + 1))
    event = decode(17, message(Message=body), tmp_path / "blob")
    assert isinstance(event, wa.WaMessage)
    assert isinstance(event.content, WaText)
    assert len(event.content.body) <= LARGE_BYTES


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("DELIVERED", wa.WaReceiptKind.DELIVERED),
        ("READ", wa.WaReceiptKind.READ),
        ("READ_SELF", wa.WaReceiptKind.READ_SELF),
        ("PLAYED", wa.WaReceiptKind.PLAYED),
        ("SERVER_ERROR", wa.WaReceiptKind.PLAYED_SELF),
        ("INACTIVE", wa.WaReceiptKind.INACTIVE),
    ],
)
def test_receipts(name: str, kind: wa.WaReceiptKind) -> None:
    event = decode(18, M.Receipt(MessageSource=source(), MessageIDs=["A", "B"], Timestamp=SECONDS, Type=name))
    assert isinstance(event, wa.WaReceipt)
    assert (event.kind, event.message_ids, event.timestamp) == (kind, ("A", "B"), NOW)


def test_every_receipt_type_is_known() -> None:
    for name in M.Receipt.DESCRIPTOR.fields_by_name["Type"].enum_type.values_by_name:
        event = decode(18, M.Receipt(MessageSource=source(), MessageIDs=["A"], Timestamp=1, Type=name))
        assert isinstance(event, wa.WaReceipt)


def test_typing_and_presence() -> None:
    event = decode(19, M.ChatPresence(MessageSource=source(), State="COMPOSING", Media="AUDIO"))
    assert isinstance(event, wa.WaTyping)
    assert (event.is_typing, event.is_audio) == (True, True)
    presence = decode(20, M.Presence(From=jid(), Unavailable=True, LastSeen=-62135596800))
    assert presence == wa.WaPresence(person=WaJid(user="1", server="lid"), is_available=False)


def group(**changes: Any) -> Any:
    fields = {"JID": jid("9", "g.us"), "Notify": "", "Timestamp": SECONDS}
    texts = dict.fromkeys(("PrevParticipantsVersionID", "ParticipantVersionID", "JoinReason"), "")
    return M.GroupInfoEvent(**{**fields, **texts, **changes})


def test_group_changes() -> None:
    name = M.GroupName(Name="New", NameSetAt=1, NameSetBy=jid())
    event = decode(22, group(Name=name, Join=[jid("7")], Ephemeral={"IsEphemeral": True, "DisappearingTimer": 60}))
    assert isinstance(event, wa.WaGroupChanged)
    assert (event.name, event.topic, event.disappearing_seconds) == ("New", None, 60)
    assert event.joined == (WaJid(user="7", server="lid"),)
    off = decode(22, group(Ephemeral={"IsEphemeral": False, "DisappearingTimer": 0}))
    assert isinstance(off, wa.WaGroupChanged)
    assert off.disappearing_seconds == 0


def test_calls() -> None:
    meta = {
        "timestamp": SECONDS,
        "callCreator": jid(),
        "callCreatorAlt": no_jid(),
        "callID": "C",
        "from": jid("5"),
    }
    event = decode(42, M.CallTerminate(basicCallMeta=meta, reason="timeout", data=node({"group-jid": "9@g.us"})))
    assert isinstance(event, wa.WaCall)
    assert (event.kind, event.call_id, event.reason) == (wa.WaCallKind.TERMINATE, "C", "timeout")
    assert event.group == WaJid(user="9", server="g.us")


def node(attributes: dict[str, str]) -> Any:
    return M.Node(
        Tag="x", Attrs=[M.NodeAttrs(name=name, text=text) for name, text in attributes.items()], Nil=True
    )


def test_other_events() -> None:
    assert decode(44, M.UndecryptableMessage(Info=info(), IsUnavailable=True, DecryptFailMode="DECRYPT_FAIL_HIDE"))
    picture = decode(23, M.Picture(JID=jid(), Author=no_jid(), Timestamp=SECONDS, Remove=True))
    assert isinstance(picture, wa.WaPictureChanged)
    assert (picture.author, picture.is_removed) == (None, True)
    identity = decode(24, M.IdentityChange(JID=jid(), Timestamp=SECONDS, Implicit=False))
    assert isinstance(identity, wa.WaIdentityChanged)
    counts = {"AppDataChanges": 0, "Message": 1, "Notifications": 0, "Receipts": 0}
    assert decode(26, M.OfflineSyncPreview(Total=4, **counts)) == wa.WaOfflineSync(is_complete=False, count=4)
    assert decode(27, M.OfflineSyncCompleted(Count=4)) == wa.WaOfflineSync(is_complete=True, count=4)
    changes = [M.BlocklistChange(JID=jid("3"), BlockAction="UNBLOCK")]
    blocked = decode(30, M.BlocklistEvent(Action="DEFAULT", DHASH="", PrevDHash="", Changes=changes))
    assert blocked == wa.WaBlocklistChanged(unblocked=(WaJid(user="3", server="lid"),))


@given(st.sampled_from(sorted(SUBSCRIBED)), st.binary(max_size=200))
def test_garbage_is_unknown_and_never_raises(code: int, body: bytes) -> None:
    event = decode(code, body)
    assert isinstance(event, wa.WaEvent)  # type: ignore[misc,arg-type]


def test_what_is_not_understood_keeps_its_kind_and_nothing_else() -> None:
    assert decode(17, b"secret") == wa.WaUnknown(kind="Message", size=6)
    assert decode(99, b"secret") == wa.WaUnknown(kind="code-99", size=6)


def test_a_lost_file_is_unknown(tmp_path: Path) -> None:
    row = Row(seq=JournalSeq(1), code=13, received_at=NOW, body=b"", file=tmp_path / "gone")
    assert decode_row(row, ACCOUNT) == wa.WaUnknown(kind="HistorySync")


@pytest.mark.parametrize(
    ("code", "event", "kind", "detail"),
    [
        (3, M.Connected(status=True), WaLinkKind.CONNECTED, ""),
        (4, M.KeepAliveTimeout(ErrorCount=1, LastSuccess=1), WaLinkKind.KEEPALIVE_TIMEOUT, ""),
        (5, None, WaLinkKind.KEEPALIVE_RESTORED, ""),
        (6, M.LoggedOut(OnConnect=True, Reason="MAIN_DEVICE_GONE"), WaLinkKind.LOGGED_OUT, "403"),
        (6, M.LoggedOut(OnConnect=True, Reason="UNKNOWN_LOGOUT"), WaLinkKind.LOGGED_OUT, "406"),
        (6, M.LoggedOut(OnConnect=False, Reason="GENERIC"), WaLinkKind.LOGGED_OUT, "401"),
        (7, None, WaLinkKind.REPLACED, ""),
        (8, M.TemporaryBan(Code="BLOCKED_BY_USERS", Expire=60), WaLinkKind.TEMPORARY_BAN, "BLOCKED_BY_USERS"),
        (
            9,
            M.ConnectFailure(Reason="BAD_USER_AGENT", Message="", Raw=node({})),
            WaLinkKind.CONNECT_FAILURE,
            "409",
        ),
        (10, None, WaLinkKind.OUTDATED, ""),
        (11, M.StreamError(Code="503", Raw=node({})), WaLinkKind.STREAM_ERROR, "503"),
        (12, M.Disconnected(status=True), WaLinkKind.DISCONNECTED, ""),
    ],
)
def test_facts(code: int, event: Any, kind: WaLinkKind, detail: str) -> None:
    fact = decode_fact(code, event.SerializeToString() if event is not None else b"", PROTOBUF, NOW)
    assert fact is not None
    assert (fact.kind, fact.code) == (kind, detail)


def test_link_codes_say_something_or_are_handled_elsewhere() -> None:
    silent = {code for code in LINK_CODES if code in (0, 1, 2)}
    assert all(decode_fact(code, b"", PROTOBUF, NOW) is None for code in silent)


def test_ends() -> None:
    assert decode_end("no such host", False, NOW).kind is WaLinkKind.DIAL_FAILED
    assert decode_end("proto: required field", True, NOW).kind is WaLinkKind.PUMP_DIED


def test_device_props() -> None:
    options = LinkOptions(os_name="Mine", platform="FIREFOX", wants_full_history=True, history_days=9)
    props = PROTOBUF.device_props.FromString(encode_device_props(options, PROTOBUF))
    assert (props.os, props.requireFullSync, props.historySyncConfig.fullSyncDaysLimit) == ("Mine", True, 9)
