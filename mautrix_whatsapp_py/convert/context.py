"""The facts a conversion needs beside the message; `needs` says which ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mautrix_whatsapp_py.convert.media import Uploaded
from mautrix_whatsapp_py.convert.relay import Relaying
from mautrix_whatsapp_py.ids import MxEventId, MxUserId, WaJid
from mautrix_whatsapp_py.model.content import (
    MxMessageContent,
    MxPreviewImage,
    WaLinkPreview,
    WaMessageRef,
)
from mautrix_whatsapp_py.model.media import MediaUnavailable, MxFile
from mautrix_whatsapp_py.model.people import MxPerson
from mautrix_whatsapp_py.model.polls import PollOption
from mautrix_whatsapp_py.model.rich import WaVcard


class DeletedPolicy(StrEnum):
    """What becomes of a message that was deleted on WhatsApp."""

    REDACT = "redact"
    MARK = "mark"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class MxTarget:
    """An event of the room and the user it is from."""

    event_id: MxEventId
    sender: MxUserId


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnReaction:
    """The event of the reaction a person has on a message so far."""

    event_id: MxEventId
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToMatrixOptions:
    """How people want their rooms."""

    deleted: DeletedPolicy = DeletedPolicy.REDACT
    with_link_previews: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ToMatrixContext:
    """Facts for a message from WhatsApp.

    `people` is keyed by addresses without device. `reply_to` is the quoted message's first event,
    None when it is not in this room. `targets` are the events of the message that is edited,
    reacted to or deleted, in order. `placeholder` stands where this message could not be decrypted.
    `file` is the message's own, `edited` what the first target says, which may have a file.
    """

    chat: WaJid
    sender: WaJid
    sender_user: MxUserId
    is_from_me: bool = False
    people: Mapping[WaJid, MxPerson] = field(default_factory=dict)
    reply_to: MxTarget | None = None
    targets: tuple[MxEventId, ...] = ()
    own_reaction: OwnReaction | None = None
    placeholder: MxEventId | None = None
    file: MxFile | MediaUnavailable | None = None
    edited: MxMessageContent | None = None
    album: MxEventId | None = None
    """The event of the album the file belongs to."""
    preview_image: MxPreviewImage | None = None
    options: ToMatrixOptions = ToMatrixOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class WaTarget:
    """A message on WhatsApp that an event of the room stands for."""

    ref: WaMessageRef
    sent_at: datetime
    is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WaReactionTarget:
    """A reaction of ours on WhatsApp that an event of the room stands for."""

    ref: WaMessageRef
    is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """The message a reply answers: its author on WhatsApp, and what the homeserver has of it now."""

    ref: WaMessageRef
    sender: WaJid
    content: MxMessageContent | None = None
    thumbnail: bytes | None = None
    relaying: Relaying | None = None
    """Who said it, where that was not the owner of the account that sent it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPoll:
    """How the two sides name a poll's options, how many one may choose, and its text form with the votes."""

    options: tuple[PollOption, ...]
    max_selections: int = 1
    result: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    """What the options say, by their id on Matrix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToWhatsAppOptions:
    """How people want their messages sent."""

    with_notices: bool = False
    with_link_previews: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ToWhatsAppContext:
    """Facts for an event from Matrix.

    `written_at` is the event's time, `now` that of the conversion: a message may have waited.
    `addressed` says how this chat addresses the users one may mention in it. `target` is the
    message that is edited or reacted to, or the message or reaction that is redacted.
    """

    chat: WaJid
    written_at: datetime
    now: datetime
    addressed: Mapping[MxUserId, WaJid] = field(default_factory=dict)
    quoted: Quoted | None = None
    target: WaTarget | WaReactionTarget | None = None
    is_group_admin: bool = False
    link_preview: WaLinkPreview | None = None
    uploaded: Uploaded | None = None
    cards: tuple[WaVcard, ...] = ()
    """The contacts in the file of the message."""
    poll: KnownPoll | None = None
    """The poll that is voted in or ended."""
    disappears_after_s: int | None = None
    relaying: Relaying | None = None
    """Who says it, where that is not the account itself."""
    options: ToWhatsAppOptions = ToWhatsAppOptions()
