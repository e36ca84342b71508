"""What messages say, on either side, free of where they travel and of any library."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from mautrix_whatsapp_py.ids import MxEventId, MxUri, MxUserId, WaJid
from mautrix_whatsapp_py.model.media import MxFile, WaMedia
from mautrix_whatsapp_py.model.polls import MxPollEnd as MxPollEnd
from mautrix_whatsapp_py.model.polls import MxPollStart as MxPollStart
from mautrix_whatsapp_py.model.polls import MxPollVote as MxPollVote
from mautrix_whatsapp_py.model.rich import (
    WaAlbum,
    WaCard,
    WaComment,
    WaContactCards,
    WaGroupInvite,
    WaLiveLocation,
    WaLocation,
    WaOccasion,
    WaOccasionAnswer,
    WaPin,
    WaPoll,
    WaPollResult,
    WaPollVote,
)
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa_context import WaContext as WaContext
from mautrix_whatsapp_py.model.wa_context import WaKind as WaKind
from mautrix_whatsapp_py.model.wa_context import WaMessageRef as WaMessageRef
from mautrix_whatsapp_py.model.wa_context import WaPreview as WaPreview
from mautrix_whatsapp_py.model.wa_context import WaQuote as WaQuote


class WaLinkPreview(WaStruct, frozen=True, kw_only=True):
    """The card shown for a link in a text."""

    url: str
    title: str = ""
    description: str = ""
    thumbnail: bytes | None = None


class WaText(WaStruct, frozen=True, kw_only=True):
    """A text in WhatsApp's own markup."""

    body: str
    context: WaContext = WaContext()
    link_preview: WaLinkPreview | None = None


class WaEdit(WaStruct, frozen=True, kw_only=True):
    """The target's text, or its caption, becomes this."""

    target: WaMessageRef
    content: WaText


class WaRevoke(WaStruct, frozen=True, kw_only=True):
    """The target is deleted for everyone, by its sender or by a group admin."""

    target: WaMessageRef


class WaReaction(WaStruct, frozen=True, kw_only=True):
    """Somebody's one reaction to the target; an empty emoji takes it back."""

    target: WaMessageRef
    emoji: str


class WaViewOnceNotice(WaStruct, frozen=True, kw_only=True):
    """A view-once message that linked devices are not given."""

    kind: WaKind = WaKind.OTHER


class WaUnsupported(WaStruct, frozen=True, kw_only=True):
    """A message the bridge cannot show; the kind is WhatsApp's own name of it."""

    kind: str


class WaEphemeralTimer(WaStruct, frozen=True, kw_only=True):
    """Messages of the chat now disappear after this time; 0 turns it off."""

    timer_s: int
    is_automatic: bool = False


class WaSilent(WaStruct, frozen=True, kw_only=True):
    """What devices say among themselves: nothing for users; another message may come under the same id."""

    kind: str


WaRichSendable: TypeAlias = WaLocation | WaContactCards | WaPoll | WaPollVote | WaOccasionAnswer | WaPin
"""What the bridge sends beside texts and files."""
WaRich: TypeAlias = (
    WaRichSendable | WaLiveLocation | WaPollResult | WaGroupInvite | WaOccasion | WaAlbum | WaComment | WaCard
)
"""What messages say beside texts and files."""
WaSendable: TypeAlias = WaText | WaMedia | WaEdit | WaRevoke | WaReaction | WaEphemeralTimer | WaRichSendable
"""What the bridge sends."""
WaRepeatable: TypeAlias = WaEdit | WaRevoke | WaReaction | WaPollVote | WaOccasionAnswer
"""What says how something is from now on: said twice, it is what it was."""
WaContent: TypeAlias = WaSendable | WaRich | WaViewOnceNotice | WaUnsupported | WaSilent
"""What a message that could be read says."""


class MxMsgType(StrEnum):
    """What a Matrix message is; a sticker is an event type of its own, listed here for quotes."""

    TEXT = "m.text"
    EMOTE = "m.emote"
    NOTICE = "m.notice"
    IMAGE = "m.image"
    VIDEO = "m.video"
    AUDIO = "m.audio"
    FILE = "m.file"
    LOCATION = "m.location"
    STICKER = "m.sticker"
    POLL = "m.poll.start"
    OTHER = "other"


class MxFlag(StrEnum):
    """Marks on an event beside its text; the Matrix adapter knows how each is written."""

    FORWARDED = "forwarded"
    UNDECRYPTABLE = "undecryptable"
    VIEW_ONCE = "view_once"
    UNSUPPORTED = "unsupported"
    DELETED = "deleted"
    VOICE = "voice"
    HIDES_EDITED = "hides_edited"
    """The edit completes the event; clients need not show it as edited."""
    LIVE = "live"
    """A position that others follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MxMentions:
    """Who is to be notified."""

    users: frozenset[MxUserId] = frozenset()
    room: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MxReply:
    """The event answers this one."""

    event_id: MxEventId


@dataclass(frozen=True, slots=True, kw_only=True)
class MxThread:
    """The event belongs to a thread; a reply that is only a fallback answers nothing in particular."""

    root: MxEventId
    reply_to: MxEventId | None = None
    is_falling_back: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MxEdit:
    """The event's content replaces that of this one; it notifies these and nobody again."""

    event_id: MxEventId
    notifies: MxMentions = MxMentions()


MxRelation: TypeAlias = MxReply | MxThread | MxEdit


@dataclass(frozen=True, slots=True, kw_only=True)
class MxPreviewImage:
    """The picture of a link preview."""

    uri: MxUri
    mime_type: str
    size_bytes: int
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MxLinkPreview:
    """The card shown for a link in a text."""

    matched_url: str
    title: str = ""
    description: str = ""
    image: MxPreviewImage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MxLocation:
    """A place on earth, in degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MxGroupInvite:
    """What `accept` needs of an invitation to a group."""

    group: WaJid
    code: str
    inviter: WaJid
    expires_at_s: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MxMessageContent:
    """What an `m.room.message` says; of an edit, what it says from now on.

    Without `mentions` the writer's client did not tell whom it mentions. With a `file_name`
    that differs from it, `body` is the caption of a file.
    """

    msgtype: MxMsgType = MxMsgType.TEXT
    body: str
    html: str | None = None
    mentions: MxMentions | None = None
    relation: MxRelation | None = None
    flags: frozenset[MxFlag] = frozenset()
    link_previews: tuple[MxLinkPreview, ...] = ()
    file_name: str | None = None
    file: MxFile | None = None
    location: MxLocation | None = None
    invite: MxGroupInvite | None = None
    poll: MxPollStart | None = None
    """The poll whose text form this is, where it has no event of its own."""
    album: MxEventId | None = None
    """The head of the album a file belongs to."""
    disappears_after_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MxReactionContent:
    """An annotation of an event with an emoji."""

    event_id: MxEventId
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MxRedactionContent:
    """A redaction as it was written; room versions differ in where they name its target."""

    top_level: MxEventId | None = None
    in_content: MxEventId | None = None
    reason: str = ""

    @property
    def target(self) -> MxEventId | None:
        """What is redacted; None when it is not said, or said twice and differently.

        Servers check the place of their room version and leave the other to the sender.
        """
        if self.top_level and self.in_content and self.top_level != self.in_content:
            return None
        return self.top_level or self.in_content


MxContent: TypeAlias = (
    MxMessageContent | MxReactionContent | MxRedactionContent | MxPollStart | MxPollVote | MxPollEnd
)
