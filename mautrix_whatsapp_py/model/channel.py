"""What readers of the channel are given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from mautrix_whatsapp_py.ids import LoginId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import WaSendable
from mautrix_whatsapp_py.model.media import WaMedia
from mautrix_whatsapp_py.model.struct import WaStruct

ItemSeq = NewType("ItemSeq", int)
"""An item's place among all items; its cursor."""


class ChannelFile(WaStruct, frozen=True, kw_only=True):
    """A file of a message."""

    kind: str
    mime: str = ""
    size: int = 0
    name: str = ""
    media: WaMedia | None = None
    """Where WhatsApp keeps it."""


class ChannelBody(WaStruct, frozen=True, kw_only=True):
    """A message as it is kept until it is acknowledged."""

    session_key: str
    text: str
    plain: str = ""
    """The text as it was written, for quotes."""
    sender: str
    sender_number: str = ""
    sender_name: str = ""
    sent_at: datetime
    is_group: bool = False
    is_self_chat: bool = False
    reply_to_id: str = ""
    reply_to_body: str = ""
    reply_to_sender: str = ""
    files: tuple[ChannelFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """A message that was taken."""

    account: str
    chat: WaJid
    message_id: WaMessageId
    body: ChannelBody
    taken_at: datetime
    ready_at: datetime
    """When nothing more of the same sender is waited for."""

    def placed(self, seq: ItemSeq) -> ChannelItem:
        """The same in its place."""
        return ChannelItem(
            seq=seq,
            account=self.account,
            chat=self.chat,
            message_id=self.message_id,
            body=self.body,
            taken_at=self.taken_at,
            ready_at=self.ready_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelItem:
    """A message that waits for its reader."""

    seq: ItemSeq
    account: str
    chat: WaJid
    message_id: WaMessageId
    body: ChannelBody
    taken_at: datetime
    ready_at: datetime


class ChannelPart(WaStruct, frozen=True, kw_only=True):
    """One message of what was asked to be sent, and the secret it carries."""

    content: WaSendable
    secret: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSend:
    """Something that was asked to be sent."""

    account: str
    key: str
    chat: WaJid
    login_id: LoginId
    fingerprint: str
    """Tells whether the same was asked again."""
    parts: tuple[ChannelPart, ...] = ()
    message_ids: tuple[WaMessageId, ...] = ()
    is_done: bool = False
    made_at: datetime


HookSeq = NewType("HookSeq", int)
"""An event's place among all that webhooks are still to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHookEvent:
    """Something that a webhook is to be told."""

    hook: str
    event_id: str
    """Under which the receiver knows it again."""
    lane: str
    """What is told in order."""
    kind: str
    body: bytes
    made_at: datetime
    next_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HookEvent:
    """Something that a webhook was not told yet."""

    seq: HookSeq
    hook: str
    event_id: str
    lane: str
    kind: str
    body: bytes
    made_at: datetime
    next_at: datetime
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HookDepth:
    """How much a webhook has still to be told, what was given up, and what went wrong last."""

    waiting: int = 0
    dead: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelPoll:
    """A poll, as far as its votes need it."""

    account: str
    chat: WaJid
    message_id: WaMessageId
    question: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """Somebody who was told a code."""

    account: str
    number: str
    code: str
    message_id: WaMessageId
    """The message that the code was the answer to."""
    told_at: datetime
    is_settled: bool = False
