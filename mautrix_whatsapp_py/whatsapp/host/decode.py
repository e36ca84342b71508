"""From the library's events to the model; reads files of large payloads and, of sealed messages, the secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.model import wa
from mautrix_whatsapp_py.whatsapp.host import decode_group
from mautrix_whatsapp_py.whatsapp.host.decode_content import Scene, decode_content
from mautrix_whatsapp_py.whatsapp.host.journal import Row
from mautrix_whatsapp_py.whatsapp.host.protobuf import (
    HISTORY_CODE,
    MESSAGE_CODE,
    Protobuf,
    get_jid,
    get_time_ms,
    get_time_s,
    require_jid,
)
from mautrix_whatsapp_py.whatsapp.host.secrets import StoredSecret

_RECEIPTS = {
    "DELIVERED": wa.WaReceiptKind.DELIVERED,
    "SENDER": wa.WaReceiptKind.SENDER,
    "RETRY": wa.WaReceiptKind.RETRY,
    "READ": wa.WaReceiptKind.READ,
    "READ_SELF": wa.WaReceiptKind.READ_SELF,
    "PLAYED": wa.WaReceiptKind.PLAYED,
    "PLAYED_SELF": wa.WaReceiptKind.PLAYED_SELF,
    # The library's encoder gives played-self this name; a true server-error never arrives.
    "SERVER_ERROR": wa.WaReceiptKind.PLAYED_SELF,
    "INACTIVE": wa.WaReceiptKind.INACTIVE,
    "PEER_MSG": wa.WaReceiptKind.PEER,
    "HISTORY_SYNC": wa.WaReceiptKind.HISTORY_SYNC,
}
_CALLS = {
    36: wa.WaCallKind.OFFER,
    37: wa.WaCallKind.ACCEPT,
    38: wa.WaCallKind.PRE_ACCEPT,
    40: wa.WaCallKind.OFFER_NOTICE,
    42: wa.WaCallKind.TERMINATE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose events are decoded: the own number, and the secrets of messages the account has seen."""

    own: WaJid
    get_secrets: Callable[[WaJid, WaMessageId], Sequence[StoredSecret]]
    protobuf: Protobuf = field(default_factory=Protobuf)
    take_history: Callable[[Row], wa.WaEvent] | None = None
    """Takes a chunk of history over."""


def decode_row(row: Row, account: Account) -> wa.WaEvent:
    """The event of a journal row; WaUnknown when this version cannot make sense of it."""
    name = account.protobuf.name_of(row.code)
    size = row.file.stat().st_size if row.file is not None and row.file.exists() else len(row.body)
    try:
        event = _decode(row, account)
    except Exception:  # noqa: BLE001 adapter edge: protobuf errors have no common base, and a bad event must not stop the rest
        return wa.WaUnknown(kind=name, size=size)
    return event or wa.WaUnknown(kind=name, size=size)


def _decode(row: Row, account: Account) -> wa.WaEvent | None:
    if row.code == MESSAGE_CODE:
        return _decode_message(row, account)
    if row.code == HISTORY_CODE:
        return None if account.take_history is None else account.take_history(row)
    decoder = _DECODERS.get(row.code)
    return decoder(row, account.protobuf) if decoder is not None else None


def decode_source(source: Any) -> wa.WaSource:
    """Chat, sender and their other addresses."""
    return wa.WaSource(
        chat=require_jid(source.Chat),
        sender=require_jid(source.Sender),
        sender_alt=get_jid(source.SenderAlt),
        recipient_alt=get_jid(source.RecipientAlt),
        broadcast_owner=get_jid(source.BroadcastListOwner),
        is_from_me=source.IsFromMe,
        is_group=source.IsGroup,
        is_lid_addressed=source.HasField("AddressingMode")
        and source.DESCRIPTOR.fields_by_name["AddressingMode"]
        .enum_type.values_by_number[source.AddressingMode]
        .name
        == "LID",
    )


def _decode_message(row: Row, account: Account) -> wa.WaEvent:
    event = account.protobuf.parse(MESSAGE_CODE, row.read())
    info = event.Info
    source = decode_source(info.MessageSource)
    scene = Scene(
        source=source,
        own=account.own,
        get_secrets=account.get_secrets,
        protobuf=account.protobuf,
        is_view_once=event.IsViewOnce or event.IsViewOnceV2 or event.IsViewOnceV2Extension,
    )
    details = info.VerifiedName.Details if info.HasField("VerifiedName") else None
    newsletter = event.NewsLetterMeta if event.HasField("NewsLetterMeta") else None
    return wa.WaMessage(
        source=source,
        message_id=WaMessageId(info.ID),
        timestamp=_require_time_ms(info.Timestamp, row),
        content=decode_content(event.Message, scene),
        server_id=info.ServerID,
        wire_type=info.Type,
        media_type=info.MediaType,
        category=info.Category,
        edit=info.Edit,
        push_name=info.Pushname,
        business_name=getattr(details, "verifiedName", "") if details is not None else "",
        sent_to=info.DeviceSentMeta.DestinationJID if info.HasField("DeviceSentMeta") else "",
        is_ephemeral=event.IsEphemeral,
        is_view_once=scene.is_view_once,
        is_document_with_caption=event.IsDocumentWithCaption,
        is_edit=event.IsEdit,
        retry_count=event.RetryCount,
        unavailable_request_id=event.UnavailableRequestID,
        newsletter_edited_at=get_time_s(newsletter.EditTS) if newsletter is not None else None,
    )


def _decode_undecryptable(row: Row, protobuf: Protobuf) -> wa.WaEvent:
    event = protobuf.parse(row.code, row.read())
    info = event.Info
    return wa.WaUndecryptable(
        source=decode_source(info.MessageSource),
        message_id=WaMessageId(info.ID),
        timestamp=_require_time_ms(info.Timestamp, row),
        push_name=info.Pushname,
        wire_type=info.Type,
        is_unavailable=event.IsUnavailable,
        is_to_be_hidden=protobuf.enum_name(event, "DecryptFailMode") == "DECRYPT_FAIL_HIDE",
    )


def _decode_receipt(row: Row, protobuf: Protobuf) -> wa.WaEvent:
    event = protobuf.parse(row.code, row.read())
    return wa.WaReceipt(
        source=decode_source(event.MessageSource),
        kind=_RECEIPTS[protobuf.enum_name(event, "Type")],
        message_ids=tuple(WaMessageId(item) for item in event.MessageIDs),
        timestamp=get_time_s(event.Timestamp) or row.received_at,
    )


def _decode_typing(row: Row, protobuf: Protobuf) -> wa.WaEvent:
    event = protobuf.parse(row.code, row.read())
    return wa.WaTyping(
        source=decode_source(event.MessageSource),
        is_typing=protobuf.enum_name(event, "State") == "COMPOSING",
        is_audio=protobuf.enum_name(event, "Media") == "AUDIO",
    )


def _decode_presence(row: Row, protobuf: Protobuf) -> wa.WaEvent:
    event = protobuf.parse(row.code, row.read())
    return wa.WaPresence(
        person=require_jid(event.From),
        is_available=not event.Unavailable,
        last_seen=get_time_s(event.LastSeen),
    )


def _decode_picture(row: Row, protobuf: Protobuf) -> wa.WaEvent:
    event = protobuf.parse(row.code, row.read())
    return wa.WaPictureChanged(
        jid=require_jid(event.JID),
        author=get_jid(event.Author),
        timestamp=get_time_s(event.Timestamp) or row.received_at,
        is_removed=event.Remove,
    )


def _decode_identity(row: Row, protobuf: Protobuf) -> wa.WaEvent:
    event = protobuf.parse(row.code, row.read())
    return wa.WaIdentityChanged(
        person=require_jid(event.JID), timestamp=get_time_s(event.Timestamp) or row.received_at
    )


def _decode_blocklist(row: Row, protobuf: Protobuf) -> wa.WaEvent:
    changes: Iterable[Any] = protobuf.parse(row.code, row.read()).Changes
    by_action: dict[str, list[WaJid]] = {"BLOCK": [], "UNBLOCK": []}
    for change in changes:
        by_action[protobuf.enum_name(change, "BlockAction")].append(require_jid(change.JID))
    return wa.WaBlocklistChanged(blocked=tuple(by_action["BLOCK"]), unblocked=tuple(by_action["UNBLOCK"]))


def _decode_call(row: Row, protobuf: Protobuf) -> wa.WaEvent:
    event = protobuf.parse(row.code, row.read())
    meta = event.basicCallMeta
    attributes = protobuf.node_attributes(event.data) if event.HasField("data") else {}
    return wa.WaCall(
        kind=_CALLS[row.code],
        call_id=meta.callID,
        caller=require_jid(getattr(meta, "from")),
        timestamp=get_time_s(meta.timestamp) or row.received_at,
        creator_alt=get_jid(meta.callCreatorAlt),
        group=protobuf.jid_attribute(attributes, "group-jid"),
        media=getattr(event, "media", ""),
        reason=getattr(event, "reason", ""),
    )


def _decode_offline(row: Row, protobuf: Protobuf, *, is_complete: bool) -> wa.WaEvent:
    event = protobuf.parse(row.code, row.read())
    return wa.WaOfflineSync(is_complete=is_complete, count=event.Count if is_complete else event.Total)


def _require_time_ms(value: int, row: Row) -> datetime:
    return get_time_ms(value) or row.received_at.astimezone(UTC)


_DECODERS: dict[int, Callable[[Row, Protobuf], wa.WaEvent | None]] = {
    18: _decode_receipt,
    19: _decode_typing,
    20: _decode_presence,
    21: decode_group.decode_joined,
    22: decode_group.decode_changed,
    23: _decode_picture,
    24: _decode_identity,
    26: partial(_decode_offline, is_complete=False),
    27: partial(_decode_offline, is_complete=True),
    30: _decode_blocklist,
    **dict.fromkeys(_CALLS, _decode_call),
    44: _decode_undecryptable,
}
