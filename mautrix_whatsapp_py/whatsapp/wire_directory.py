"""The part of the language between bridge and hosts that asks about and changes what WhatsApp keeps of chats."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import LoginId, WaJid
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa import WaGroup
from mautrix_whatsapp_py.model.wa_directory import (
    WaChatSettings,
    WaContacts,
    WaGroupBriefs,
    WaInviteLink,
    WaJoinOutcome,
    WaLinkTarget,
    WaLookups,
    WaNewsletters,
)


class FindNumbers(WaStruct, frozen=True, kw_only=True):
    """Who of these numbers is on WhatsApp?"""

    login: LoginId
    numbers: tuple[str, ...]


class ListContacts(WaStruct, frozen=True, kw_only=True):
    """Contacts of the session's own tables, from a row on."""

    login: LoginId
    first_row: int = 0
    limit: int = 1000


class ListChatSettings(WaStruct, frozen=True, kw_only=True):
    """Which chats are muted, pinned or archived."""

    login: LoginId
    since: str = ""


class ListGroups(WaStruct, frozen=True, kw_only=True):
    """The groups the account is in."""

    login: LoginId


class DescribeGroup(WaStruct, frozen=True, kw_only=True):
    """One group with its members."""

    login: LoginId
    chat: WaJid


class CreateGroup(WaStruct, frozen=True, kw_only=True):
    """Make a group; in a community where one is named."""

    login: LoginId
    name: str
    people: tuple[WaJid, ...]
    community: WaJid | None = None


class LeaveGroup(WaStruct, frozen=True, kw_only=True):
    """Leave a group."""

    login: LoginId
    chat: WaJid


class FetchInviteLink(WaStruct, frozen=True, kw_only=True):
    """The link of a group; a new one that ends the old when it is reset."""

    login: LoginId
    chat: WaJid
    is_reset: bool = False


class ResolveLink(WaStruct, frozen=True, kw_only=True):
    """Where does a link lead?"""

    login: LoginId
    url: str


class JoinLink(WaStruct, frozen=True, kw_only=True):
    """Join a group, or follow a channel, by its link."""

    login: LoginId
    url: str


class AcceptInvite(WaStruct, frozen=True, kw_only=True):
    """Join a group by an invitation that came as a message."""

    login: LoginId
    chat: WaJid
    inviter: WaJid
    code: str
    expires_at_seconds: int


class SetDisappearing(WaStruct, frozen=True, kw_only=True):
    """Have new messages of a chat disappear after so long; 0 ends it."""

    login: LoginId
    chat: WaJid
    seconds: int


class ListNewsletters(WaStruct, frozen=True, kw_only=True):
    """The channels the account follows."""

    login: LoginId


class FollowNewsletter(WaStruct, frozen=True, kw_only=True):
    """Follow a channel, or stop to."""

    login: LoginId
    chat: WaJid
    is_wanted: bool = True


class MuteNewsletter(WaStruct, frozen=True, kw_only=True):
    """Mute a channel, or end that."""

    login: LoginId
    chat: WaJid
    is_muted: bool


class ReactToPost(WaStruct, frozen=True, kw_only=True):
    """React to a post of a channel; no emoji takes the reaction back."""

    login: LoginId
    chat: WaJid
    server_id: int
    emoji: str


class RejectCall(WaStruct, frozen=True, kw_only=True):
    """Decline a call."""

    login: LoginId
    caller: WaJid
    call_id: str


DirectoryCall = (
    FindNumbers
    | ListContacts
    | ListChatSettings
    | ListGroups
    | DescribeGroup
    | CreateGroup
    | LeaveGroup
    | FetchInviteLink
    | ResolveLink
    | JoinLink
    | AcceptInvite
    | SetDisappearing
    | ListNewsletters
    | FollowNewsletter
    | MuteNewsletter
    | ReactToPost
    | RejectCall
)
DirectoryResult = (
    WaLookups
    | WaContacts
    | WaChatSettings
    | WaGroupBriefs
    | WaGroup
    | WaInviteLink
    | WaLinkTarget
    | WaJoinOutcome
    | WaNewsletters
)
