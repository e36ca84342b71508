"""What WhatsApp answers when it is asked about people, groups, channels and links."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.struct import WaStruct


class WaLookup(WaStruct, frozen=True, kw_only=True):
    """Whether a phone number is on WhatsApp, and by which addresses."""

    number: str
    jid: WaJid | None = None
    lid: WaJid | None = None
    is_registered: bool = False
    business_name: str = ""


class WaLookups(WaStruct, frozen=True, kw_only=True):
    """One answer per number that was asked about."""

    items: tuple[WaLookup, ...] = ()


class WaContact(WaStruct, frozen=True, kw_only=True):
    """Somebody the account knows: names of the contact book, and those they gave themselves."""

    jid: WaJid
    lid: WaJid | None = None
    full_name: str = ""
    first_name: str = ""
    push_name: str = ""
    business_name: str = ""

    @property
    def name(self) -> str:
        """The best name there is."""
        return self.full_name or self.first_name or self.business_name or self.push_name


class WaContacts(WaStruct, frozen=True, kw_only=True):
    """A page of contacts; `next_row` is 0 after the last one."""

    items: tuple[WaContact, ...] = ()
    next_row: int = 0


class WaGroupBrief(WaStruct, frozen=True, kw_only=True):
    """A group without its members."""

    jid: WaJid
    name: str = ""
    member_count: int = 0
    is_community: bool = False
    community: WaJid | None = None


class WaGroupBriefs(WaStruct, frozen=True, kw_only=True):
    """All groups the account is in."""

    items: tuple[WaGroupBrief, ...] = ()


class WaNewsletter(WaStruct, frozen=True, kw_only=True):
    """A channel."""

    jid: WaJid
    name: str = ""
    topic: str = ""
    subscriber_count: int = 0
    is_subscribed: bool = False
    is_owner: bool = False
    is_muted: bool = False


class WaNewsletters(WaStruct, frozen=True, kw_only=True):
    """The channels the account follows."""

    items: tuple[WaNewsletter, ...] = ()


class WaTargetKind(StrEnum):
    """What a link leads to."""

    GROUP = "group"
    NEWSLETTER = "newsletter"
    CONTACT = "contact"
    BUSINESS = "business"


class WaLinkTarget(WaStruct, frozen=True, kw_only=True):
    """Where a link leads."""

    kind: WaTargetKind
    jid: WaJid
    name: str = ""
    topic: str = ""
    member_count: int = 0
    message: str = ""
    """What a business wants written to it."""


class WaJoinOutcome(WaStruct, frozen=True, kw_only=True):
    """We are in, or have asked its admins to let us in."""

    jid: WaJid
    is_pending: bool = False


class WaInviteLink(WaStruct, frozen=True, kw_only=True):
    """The link by which others join a group."""

    url: str


class WaChatSetting(WaStruct, frozen=True, kw_only=True):
    """How the account has put a chat."""

    chat: WaJid
    muted_until: datetime | None = None
    is_pinned: bool = False
    is_archived: bool = False


class WaChatSettings(WaStruct, frozen=True, kw_only=True):
    """Every chat that is muted, pinned or archived."""

    items: tuple[WaChatSetting, ...] = ()
    mark: str = ""
    """Stands for the state of the session's tables; empty where nothing does."""
    is_unchanged: bool = False
    """Nothing was written since the mark that was asked with, so nothing was read."""
