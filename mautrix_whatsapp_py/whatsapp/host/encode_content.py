"""Body of a message: from the model to protobuf. Kinds beyond text grow here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mautrix_whatsapp_py.ids import LID_SERVER, USER_SERVER, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import (
    WaEdit,
    WaEphemeralTimer,
    WaMessageRef,
    WaReaction,
    WaRevoke,
    WaSendable,
    WaText,
)
from mautrix_whatsapp_py.model.media import WaMedia
from mautrix_whatsapp_py.whatsapp.host.encode_context import encode_context, encode_link_preview
from mautrix_whatsapp_py.whatsapp.host.encode_media import encode_media
from mautrix_whatsapp_py.whatsapp.host.encode_rich import RichSending, encode_rich
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf
from mautrix_whatsapp_py.whatsapp.host.secrets import StoredSecret

_DIRECT = frozenset({USER_SERVER, LID_SERVER})


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAddresses:
    """The account's own number and, where it is known, its LID."""

    pn: WaJid
    lid: WaJid | None = None

    def __contains__(self, jid: WaJid) -> bool:
        return jid.bare in {self.pn.bare, self.lid.bare if self.lid else None}


def no_secrets(_chat: WaJid, _message_id: WaMessageId) -> Sequence[StoredSecret]:
    """Where no message's secret is known."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Where a message goes, from whom and when; its secret tells it from all others."""

    chat: WaJid
    own: OwnAddresses
    secret: bytes
    at_ms: int
    get_secrets: Callable[[WaJid, WaMessageId], Sequence[StoredSecret]] = no_secrets


def encode_content(content: WaSendable, sending: Sending, protobuf: Protobuf) -> bytes:
    """A serialized waE2E.Message; ValueError when the content cannot be said in this chat."""
    message = _encode(content, sending, protobuf)
    if sending.secret:
        message.messageContextInfo.messageSecret = sending.secret
    body: bytes = message.SerializeToString()
    return body


def _encode(content: WaSendable, sending: Sending, protobuf: Protobuf) -> Any:
    match content:
        case WaText():
            return _encode_text(content, sending, protobuf)
        case WaMedia():
            return encode_media(content, sending.chat, sending.at_ms, protobuf)
        case WaEdit():
            return _encode_edit(content, sending, protobuf)
        case WaRevoke(target=target):
            message, protocol = _protocol(protobuf.e2e.ProtocolMessage.REVOKE, protobuf)
            _encode_key(protocol.key, target, sending)
            return message
        case WaReaction(target=target, emoji=emoji):
            message = protobuf.e2e.Message()
            _encode_key(message.reactionMessage.key, target, sending)
            message.reactionMessage.text = emoji
            message.reactionMessage.senderTimestampMS = sending.at_ms
            return message
        case WaEphemeralTimer():
            return _encode_timer(content, sending, protobuf)
        case _:
            return encode_rich(content, _rich(sending), protobuf)


def _rich(sending: Sending) -> RichSending:
    return RichSending(
        chat=sending.chat,
        own_pn=sending.own.pn,
        own_lid=sending.own.lid,
        at_ms=sending.at_ms,
        get_secrets=sending.get_secrets,
        encode_key=partial(_encode_key, sending=sending),
    )


def _encode_text(content: WaText, sending: Sending, protobuf: Protobuf) -> Any:
    message = protobuf.e2e.Message()
    extended = message.extendedTextMessage
    extended.text = content.body
    encode_context(extended, content.context, sending.chat, protobuf)
    if content.link_preview is not None:
        encode_link_preview(extended, content.link_preview)
    return message


def _encode_edit(content: WaEdit, sending: Sending, protobuf: Protobuf) -> Any:
    sender = content.target.sender
    if sender is not None and sender not in sending.own:
        raise ValueError("an edit of somebody else's message")
    inner, protocol = _protocol(protobuf.e2e.ProtocolMessage.MESSAGE_EDIT, protobuf)
    _name(protocol.key, content.target, sending)
    protocol.key.fromMe = True
    protocol.timestampMS = sending.at_ms
    protocol.editedMessage.CopyFrom(_encode_text(content.content, sending, protobuf))
    message = protobuf.e2e.Message()
    message.editedMessage.message.CopyFrom(inner)
    return message


def _encode_timer(content: WaEphemeralTimer, sending: Sending, protobuf: Protobuf) -> Any:
    if sending.chat.server not in _DIRECT:
        raise ValueError("the timer of a group is a setting of the group")
    message, protocol = _protocol(protobuf.e2e.ProtocolMessage.EPHEMERAL_SETTING, protobuf)
    protocol.ephemeralExpiration = content.timer_s
    protocol.ephemeralSettingTimestamp = sending.at_ms // 1000
    mode = protobuf.e2e.DisappearingMode
    protocol.disappearingMode.initiator = mode.INITIATED_BY_ME if content.is_automatic else mode.CHANGED_IN_CHAT
    return message


def _protocol(kind: int, protobuf: Protobuf) -> tuple[Any, Any]:
    message = protobuf.e2e.Message()
    message.protocolMessage.type = kind
    return message, message.protocolMessage


def _encode_key(key: Any, target: WaMessageRef, sending: Sending) -> None:
    """Name a message as WhatsApp does: whether it is ours, and in chats of many people whose it is."""
    if target.sender is None:
        raise ValueError("nobody knows whose message this is")
    _name(key, target, sending)
    key.fromMe = target.sender in sending.own
    if not key.fromMe and sending.chat.server not in _DIRECT:
        key.participant = str(target.sender.bare)


def _name(key: Any, target: WaMessageRef, sending: Sending) -> None:
    # A message is always acted upon in its own chat, under the address the chat has now.
    key.remoteJID = str(sending.chat.bare)
    key.ID = target.message_id
