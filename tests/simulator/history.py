"""History sync: chunks of every type, inline or by blob."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.simulator.crypto import sha256
from tests.simulator.jids import Jid
from tests.simulator.media_crypto import encrypt_media
from tests.simulator.protobufs import e2e, history_sync

if TYPE_CHECKING:
    from tests.simulator.accounts import Device
    from tests.simulator.phone import Phone


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryVote:
    """What somebody chose in an old poll; nobody named is the account itself."""

    options: Sequence[str]
    at_seconds: int
    by: Jid | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryAnswer:
    """What somebody answered to an old event."""

    is_going: bool
    at_seconds: int
    by: Jid | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryMessage:
    """One old message, and what phones keep beside it."""

    message_id: str
    message: Any
    at_seconds: int
    is_from_me: bool = False
    participant: Jid | None = None
    push_name: str = ""
    votes: Sequence[HistoryVote] = ()
    answers: Sequence[HistoryAnswer] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryConversation:
    """One chat of the history."""

    chat: Jid
    name: str = ""
    messages: Sequence[HistoryMessage] = ()
    unread: int = 0
    is_marked_unread: bool = False
    is_archived: bool = False
    pinned_at: int = 0
    mute_end_seconds: int = 0
    ephemeral_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryChunk:
    """One chunk as the phone sends it."""

    sync_type: str = "INITIAL_BOOTSTRAP"
    order: int = 1
    progress: int = 100
    conversations: Sequence[HistoryConversation] = ()
    push_names: dict[Jid, str] = field(default_factory=dict)
    lid_of_pn: dict[Jid, Jid] = field(default_factory=dict)
    statuses: Sequence[HistoryMessage] = ()
    is_inline: bool = False
    raw: bytes | None = None
    """What is sent in its place, as a phone with a fault would."""


def encode_chunk(chunk: HistoryChunk) -> Any:
    """The protobuf message of a chunk."""
    out = history_sync.HistorySync(
        syncType=history_sync.HistorySync.HistorySyncType.Value(chunk.sync_type),
        chunkOrder=chunk.order,
        progress=chunk.progress,
    )
    for conversation in chunk.conversations:
        _encode_conversation(out.conversations.add(), conversation)
    for jid, name in chunk.push_names.items():
        out.pushnames.add(ID=str(jid), pushname=name)
    for pn, lid in chunk.lid_of_pn.items():
        out.phoneNumberToLidMappings.add(pnJID=str(pn), lidJID=str(lid))
    for status in chunk.statuses:
        _encode_message(out.statusV3Messages.add(), Jid("status", "broadcast"), status)
    return out


async def send_history_chunk(phone: Phone, device: Device, chunk: HistoryChunk) -> None:
    """Announce a chunk to one companion."""
    raw = zlib.compress(encode_chunk(chunk).SerializeToString()) if chunk.raw is None else chunk.raw
    message = e2e.Message()
    message.protocolMessage.type = e2e.ProtocolMessage.HISTORY_SYNC_NOTIFICATION
    notice = message.protocolMessage.historySyncNotification
    notice.syncType = history_sync.HistorySync.HistorySyncType.Value(chunk.sync_type)
    notice.chunkOrder, notice.progress = chunk.order, chunk.progress
    if chunk.is_inline:
        notice.initialHistBootstrapInlinePayload = raw
    else:
        media = encrypt_media(raw, "history")
        stored = phone.world.media.store(media.blob)
        notice.mediaKey, notice.fileLength = media.key, len(raw)
        notice.fileSHA256, notice.fileEncSHA256 = sha256(raw), sha256(media.blob)
        notice.directPath = stored.direct_path
    await phone.send_peer(device, message)


def _encode_conversation(out: Any, conversation: HistoryConversation) -> None:
    out.ID, out.name, out.unreadCount = str(conversation.chat), conversation.name, conversation.unread
    out.markedAsUnread = conversation.is_marked_unread
    out.archived, out.pinned = conversation.is_archived, conversation.pinned_at
    out.muteEndTime, out.ephemeralExpiration = conversation.mute_end_seconds, conversation.ephemeral_seconds
    if conversation.messages:
        out.conversationTimestamp = max(m.at_seconds for m in conversation.messages)
    for order, message in enumerate(conversation.messages):
        item = out.messages.add()
        item.msgOrderID = order
        _encode_message(item.message, conversation.chat, message)


def _encode_message(out: Any, chat: Jid, message: HistoryMessage) -> None:
    out.key.remoteJID, out.key.fromMe = str(chat), message.is_from_me
    out.key.ID, out.messageTimestamp = message.message_id, message.at_seconds
    if message.participant:
        out.key.participant = out.participant = str(message.participant)
    if message.push_name:
        out.pushName = message.push_name
    out.message.CopyFrom(message.message)
    if message.message.HasField("messageContextInfo"):
        out.messageSecret = message.message.messageContextInfo.messageSecret
    for vote in message.votes:
        made = out.pollUpdates.add(senderTimestampMS=vote.at_seconds * 1000)
        made.vote.selectedOptions.extend(sha256(option.encode()) for option in vote.options)
        _encode_author(made.pollUpdateMessageKey, vote.by)
    for answer in message.answers:
        kind = e2e.EventResponseMessage
        reply = out.eventResponses.add(timestampMS=answer.at_seconds * 1000)
        reply.eventResponseMessage.response = kind.GOING if answer.is_going else kind.NOT_GOING
        _encode_author(reply.eventResponseMessageKey, answer.by)


def _encode_author(key: Any, by: Jid | None) -> None:
    key.fromMe = by is None
    if by is not None:
        key.participant = str(by)
