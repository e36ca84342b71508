"""The shapes of requests and answers; the OpenAPI document is made of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

Word = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A name or id."""
Line = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Text = Annotated[str, Meta(max_length=200_000)]
Address = Annotated[str, Meta(min_length=1, max_length=4_096, pattern=r"^[^\x00-\x20\x7f]+$")]
Milliseconds = Annotated[int, Meta(ge=0, le=60_000)]
Count = Annotated[int, Meta(ge=1, le=100)]


class Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ours: a field nobody knows is a mistake."""


class MediaRef(Strict, frozen=True, kw_only=True):
    """A file: one that was uploaded, or an address (http, https, or file below the allowed folders)."""

    upload: Word | None = None
    url: Address | None = None
    name: Line = ""
    mime: Line = ""
    gif_playback: bool = False
    as_document: bool = False


class SendMessage(Strict, frozen=True, kw_only=True):
    """A text, a file or both."""

    target: Word
    account: Word | None = None
    text: Text = ""
    media: MediaRef | None = None
    reply_to: Line = ""
    idempotency_key: Line = ""


class SendReaction(Strict, frozen=True, kw_only=True):
    """A reaction; an empty emoji takes it back."""

    target: Word
    account: Word | None = None
    message_id: Word
    emoji: Line
    idempotency_key: Line = ""


class SendPoll(Strict, frozen=True, kw_only=True):
    """A poll; 0 selectable options is any number of them."""

    target: Word
    account: Word | None = None
    question: Annotated[str, Meta(min_length=1, max_length=255)]
    options: Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(min_length=2, max_length=12)]
    selectable: Annotated[int, Meta(ge=0, le=12)] = 1
    idempotency_key: Line = ""


class MarkRead(Strict, frozen=True, kw_only=True):
    """Messages that were read."""

    target: Word
    account: Word | None = None
    message_ids: Annotated[list[Word], Meta(min_length=1, max_length=100)]


class SendTyping(Strict, frozen=True, kw_only=True):
    """Whether an answer is being written, or recorded."""

    target: Word
    account: Word | None = None
    typing: bool
    audio: bool = False


class Ack(Strict, frozen=True, kw_only=True):
    """An item that was dealt with."""

    ack_cursor: Word


class PairingCode(Strict, frozen=True, kw_only=True):
    """A stranger's code."""

    code: Word
    account: Word | None = None


class OfAccount(Strict, frozen=True, kw_only=True):
    """Which account is meant."""

    account: Word | None = None


class EventsQuery(Strict, frozen=True, kw_only=True):
    """Items behind a cursor."""

    account: Word | None = None
    after: Line = ""
    limit: Count = 100
    wait_ms: Milliseconds = 0


class Nothing(Strict, frozen=True, kw_only=True):
    """Nothing more to say."""


class LoggedOut(Struct, frozen=True, kw_only=True):
    """The account is unlinked; false when the phone could not be told, which must be done there."""

    ok: bool = True
    phone_told: bool


class Sent(Struct, frozen=True, kw_only=True):
    """WhatsApp has it; uncertain when the connection broke before it said so."""

    ok: bool = True
    message_ids: list[str]
    uncertain: bool = False


class Okay(Struct, frozen=True, kw_only=True):
    """Done."""

    ok: bool = True


class AccountView(Struct, frozen=True, kw_only=True):
    """An account and where its link stands."""

    id: str
    number: str
    state: str
    since: datetime | None
    error: str
    message: str
    waiting: int
    checked_at: datetime | None = None
    stalls: int = 0
    attempts: int = 0


class Accounts(Struct, frozen=True, kw_only=True):
    """All accounts."""

    accounts: list[AccountView]


class ChatView(Struct, frozen=True, kw_only=True):
    """A chat."""

    target: str
    name: str
    is_group: bool


class Chats(Struct, frozen=True, kw_only=True):
    """Chats."""

    chats: list[ChatView]


class Stranger(Struct, frozen=True, kw_only=True):
    """Somebody who waits to be let in."""

    account: str
    number: str
    code: str
    made_at: datetime


class Strangers(Struct, frozen=True, kw_only=True):
    """Who waits to be let in."""

    requests: list[Stranger]


class Settled(Struct, frozen=True, kw_only=True):
    """Who was let in, or refused."""

    ok: bool = True
    number: str


class Uploaded(Struct, frozen=True, kw_only=True):
    """A file that can be sent for an hour."""

    upload: str
    size: int


class Session(Struct, frozen=True, kw_only=True):
    """Where an item came from."""

    platform: str = "whatsapp"
    configured_account_id: str
    account_id: str
    conversation_id: str
    participant_id: str
    thread_id: str | None = None
    session_key: str


class ReplyTarget(Struct, frozen=True, kw_only=True):
    """Where an answer goes."""

    platform: str = "whatsapp"
    kind: str = "conversation"
    id: str
    options: dict[str, str]


class Resource(Struct, frozen=True, kw_only=True):
    """A file of an item; its address works until the item is acknowledged."""

    kind: str
    mime: str
    size: int
    url: str
    name: str = ""


class Delivery(Struct, frozen=True, kw_only=True):
    """What acknowledging takes, and what the item is about."""

    ack_cursor: str
    source_message_id: str
    sender_principal_key: str
    thread_root_id: str | None = None
    parent_message_id: str | None = None
    resources: list[Resource]


class Item(Struct, frozen=True, kw_only=True):
    """A message for the reader."""

    session: Session
    reply_target: ReplyTarget
    text: str
    delivery: Delivery
    sender_name: str
    sent_at: datetime
    is_group: bool
    reply_to_id: str | None = None
    reply_to_body: str | None = None
    reply_to_sender: str | None = None


class Events(Struct, frozen=True, kw_only=True):
    """Items, and where to go on."""

    items: list[Item]
    next: str


# The contract loong_channel_bridge_v1: fields that others add are theirs.


class BridgeRequest(Struct, frozen=True, kw_only=True):
    """An operation."""

    method: Line | None = None
    id: Line | int | None = None
    operation: Line
    payload: dict[str, Any] | UnsetType = UNSET


class BridgeAnswer(Struct, frozen=True, kw_only=True):
    """What an operation came to."""

    method: str | None
    id: str | int | None
    payload: dict[str, Any]


class Batch(Struct, frozen=True, kw_only=True):
    """Items that are this reader's for a minute."""

    messages: list[Item]


class TargetRef(Struct, frozen=True, kw_only=True):
    """Where a message goes."""

    id: Word


class BridgeText(Struct, frozen=True, kw_only=True, rename={"upper": "Text"}):
    """What is sent, in either spelling."""

    upper: Text | None = None
    text: Text | None = None


class BridgeSend(Struct, frozen=True, kw_only=True):
    """The payload of send_message."""

    target: TargetRef
    message: BridgeText | None = None
    media: MediaRef | None = None
    reply_to: Line | None = None
    idempotency_key: Line | None = None


class BridgeAccountConfig(Struct, frozen=True, kw_only=True):
    """What the reader may see."""

    allowed_chat_ids: Annotated[list[Line], Meta(max_length=10_000)] | None = None


class BridgeAccount(Struct, frozen=True, kw_only=True):
    """Which account is read."""

    configured_account_id: Line | None = None
    account_id: Line | None = None
    config: BridgeAccountConfig | None = None


class RuntimeContext(Struct, frozen=True, kw_only=True):
    """Where the reader runs."""

    account: BridgeAccount | None = None


class BridgeReceive(Struct, frozen=True, kw_only=True):
    """The payload of receive_batch and complete_batch."""

    runtime_context: RuntimeContext | None = None
    wait_ms: Milliseconds = 0
    max: Count = 20


class BridgeDelivery(Struct, frozen=True, kw_only=True):
    """The cursor of an item."""

    ack_cursor: Word


class BridgeItem(Struct, frozen=True, kw_only=True):
    """An item that is handed back."""

    delivery: BridgeDelivery


class BridgeAck(Struct, frozen=True, kw_only=True):
    """The payload of ack_inbound."""

    message: BridgeItem | None = None
    ack_cursor: Word | None = None
