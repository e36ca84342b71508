"""What WhatsApp tells us: events of one login, as the rest of the bridge sees them.

The structs are tagged so that they cross the socket of a session host as they are.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import WaContent
from mautrix_whatsapp_py.model.struct import WaStruct


class WaSource(WaStruct, frozen=True, kw_only=True):
    """Where something happened and who did it, under every address WhatsApp gave."""

    chat: WaJid
    sender: WaJid
    sender_alt: WaJid | None = None
    recipient_alt: WaJid | None = None
    broadcast_owner: WaJid | None = None
    is_from_me: bool = False
    is_group: bool = False
    is_lid_addressed: bool = False


class WaMessage(WaStruct, frozen=True, kw_only=True):
    """A message, edit, reaction, revocation, vote or protocol message; `content` tells which."""

    source: WaSource
    message_id: WaMessageId
    timestamp: datetime
    content: WaContent
    server_id: int = 0
    wire_type: str = ""
    media_type: str = ""
    category: str = ""
    edit: str = ""
    push_name: str = ""
    business_name: str = ""
    sent_to: str = ""
    is_ephemeral: bool = False
    is_view_once: bool = False
    is_document_with_caption: bool = False
    is_edit: bool = False
    retry_count: int = 0
    unavailable_request_id: str = ""
    newsletter_edited_at: datetime | None = None


class WaUndecryptable(WaStruct, frozen=True, kw_only=True):
    """A message that could not be read; the sender is asked to send it again unless it is unavailable here."""

    source: WaSource
    message_id: WaMessageId
    timestamp: datetime
    push_name: str = ""
    wire_type: str = ""
    is_unavailable: bool = False
    is_to_be_hidden: bool = False


class WaReceiptKind(StrEnum):
    """What a receipt says."""

    DELIVERED = "delivered"
    SENDER = "sender"
    RETRY = "retry"
    READ = "read"
    READ_SELF = "read-self"
    PLAYED = "played"
    PLAYED_SELF = "played-self"
    INACTIVE = "inactive"
    PEER = "peer"
    HISTORY_SYNC = "history-sync"


class WaReceipt(WaStruct, frozen=True, kw_only=True):
    """Somebody received, read or played messages; whose messages they are must be looked up."""

    source: WaSource
    kind: WaReceiptKind
    message_ids: tuple[WaMessageId, ...]
    timestamp: datetime


class WaTyping(WaStruct, frozen=True, kw_only=True):
    """Somebody types, records, or stopped."""

    source: WaSource
    is_typing: bool
    is_audio: bool = False


class WaPresence(WaStruct, frozen=True, kw_only=True):
    """A contact came online or left."""

    person: WaJid
    is_available: bool
    last_seen: datetime | None = None


class WaHistorySync(WaStruct, frozen=True, kw_only=True):
    """A chunk of history came; its session holds it until it is asked for it."""

    size: int
    """Bytes, as it is stored."""


class WaGroupMember(WaStruct, frozen=True, kw_only=True):
    """A member of a group."""

    jid: WaJid
    lid: WaJid | None = None
    phone_number: WaJid | None = None
    is_admin: bool = False
    is_super_admin: bool = False


class WaGroup(WaStruct, frozen=True, kw_only=True):
    """A group as it is now."""

    jid: WaJid
    name: str = ""
    topic: str = ""
    topic_id: str = ""
    owner: WaJid | None = None
    created_at: datetime | None = None
    is_locked: bool = False
    is_announcement: bool = False
    is_community: bool = False
    is_default_subgroup: bool = False
    community: WaJid | None = None
    disappearing_seconds: int = 0
    members: tuple[WaGroupMember, ...] = ()


class WaGroupJoined(WaStruct, frozen=True, kw_only=True):
    """We are now in a group."""

    group: WaGroup
    reason: str = ""
    create_key: str = ""
    sender: WaJid | None = None


class WaGroupChanged(WaStruct, frozen=True, kw_only=True):
    """Something about a group changed; only what is not None or empty did."""

    chat: WaJid
    timestamp: datetime
    sender: WaJid | None = None
    name: str | None = None
    topic: str | None = None
    topic_id: str | None = None
    is_locked: bool | None = None
    is_announcement: bool | None = None
    disappearing_seconds: int | None = None
    is_deleted: bool = False
    invite_link: str | None = None
    linked: WaJid | None = None
    unlinked: WaJid | None = None
    joined: tuple[WaJid, ...] = ()
    left: tuple[WaJid, ...] = ()
    promoted: tuple[WaJid, ...] = ()
    demoted: tuple[WaJid, ...] = ()
    join_reason: str = ""


class WaPictureChanged(WaStruct, frozen=True, kw_only=True):
    """A person's or group's picture changed or went."""

    jid: WaJid
    author: WaJid | None
    timestamp: datetime
    is_removed: bool = False


class WaIdentityChanged(WaStruct, frozen=True, kw_only=True):
    """A contact has new encryption keys."""

    person: WaJid
    timestamp: datetime


class WaBlocklistChanged(WaStruct, frozen=True, kw_only=True):
    """Contacts were blocked or unblocked on another device; nothing listed means: fetch the list."""

    blocked: tuple[WaJid, ...] = ()
    unblocked: tuple[WaJid, ...] = ()


class WaCallKind(StrEnum):
    """A step of a call."""

    OFFER = "offer"
    OFFER_NOTICE = "offer-notice"
    ACCEPT = "accept"
    PRE_ACCEPT = "pre-accept"
    TERMINATE = "terminate"


class WaCall(WaStruct, frozen=True, kw_only=True):
    """Somebody calls, answered or hung up."""

    kind: WaCallKind
    call_id: str
    caller: WaJid
    timestamp: datetime
    creator_alt: WaJid | None = None
    group: WaJid | None = None
    media: str = ""
    reason: str = ""


class WaOfflineSync(WaStruct, frozen=True, kw_only=True):
    """The server announces (not complete) or has delivered (complete) what waited for us."""

    is_complete: bool
    count: int


class WaUnknown(WaStruct, frozen=True, kw_only=True):
    """An event this version does not understand."""

    kind: str
    size: int = 0


WaEvent = (
    WaMessage
    | WaUndecryptable
    | WaReceipt
    | WaTyping
    | WaPresence
    | WaHistorySync
    | WaGroupJoined
    | WaGroupChanged
    | WaPictureChanged
    | WaIdentityChanged
    | WaBlocklistChanged
    | WaCall
    | WaOfflineSync
    | WaUnknown
)
