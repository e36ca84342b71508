"""What work on chats as a whole needs of the two networks; adapters implement it, the fakes of the tests too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias

from mautrix_whatsapp_py.ids import LoginId, MxRoomId, MxUri, MxUserId, WaJid
from mautrix_whatsapp_py.model.content import MxPreviewImage, WaLinkPreview
from mautrix_whatsapp_py.model.levels import MxLevels
from mautrix_whatsapp_py.model.wa import WaGroup
from mautrix_whatsapp_py.model.wa_directory import (
    WaChatSetting,
    WaChatSettings,
    WaContact,
    WaGroupBrief,
    WaJoinOutcome,
    WaLinkTarget,
    WaLookup,
    WaNewsletter,
)


class LinkCards(Protocol):
    """The cards of links. Nothing raises: a message goes without its card rather than late."""

    async def fetch_card(self, url: str) -> WaLinkPreview | None:
        """What the homeserver knows of a page; None when it is not to be asked."""

    async def fetch_picture(self, uri: MxUri) -> bytes | None:
        """A picture of the homeserver's as a small JPEG."""

    async def bring_picture(self, jpeg: bytes) -> MxPreviewImage | None:
        """A small picture, in the homeserver's store."""


class WhatsAppDirectory(Protocol):
    """What one login can ask WhatsApp about people, groups, channels and links, and change about them.

    Everything raises WhatsAppUnavailable, WhatsAppRefused (its code says why: forbidden, not-found, not-a-member,
    invalid, revoked, conflict, full, too-often, refused) or WhatsAppUncertain.
    """

    async def find_numbers(self, numbers: Sequence[str]) -> Sequence[WaLookup]:
        """Who of these numbers (digits only) is on WhatsApp."""

    async def fetch_contacts(self) -> Sequence[WaContact]:
        """Everybody the session has heard of."""

    async def fetch_chat_settings(self) -> Sequence[WaChatSetting]:
        """Which chats are muted, pinned or archived."""

    async def look_at_chat_settings(self, since: str = "") -> WaChatSettings:
        """The same with a mark; given that mark, whether anything can have changed since."""

    async def fetch_groups(self) -> Sequence[WaGroupBrief]:
        """The groups the account is in."""

    async def fetch_group(self, chat: WaJid) -> WaGroup:
        """One group with its members."""

    async def create_group(self, name: str, people: Sequence[WaJid], *, community: WaJid | None = None) -> WaGroup:
        """Make a group."""

    async def leave_group(self, chat: WaJid) -> None:
        """Leave a group."""

    async def fetch_invite_link(self, chat: WaJid, *, is_reset: bool = False) -> str:
        """The link of a group; when reset a new one, and the old one is void."""

    async def resolve_link(self, url: str) -> WaLinkTarget:
        """Where a link leads."""

    async def join_link(self, url: str) -> WaJoinOutcome:
        """Join a group or follow a channel."""

    async def accept_invite(self, chat: WaJid, *, inviter: WaJid, code: str, expires: datetime) -> WaJoinOutcome:
        """Join a group by an invitation that came as a message."""

    async def set_disappearing(self, chat: WaJid, seconds: int) -> None:
        """Have new messages disappear after so long; 0 ends it."""

    async def fetch_newsletters(self) -> Sequence[WaNewsletter]:
        """The channels the account follows."""

    async def follow_newsletter(self, chat: WaJid, *, is_wanted: bool) -> None:
        """Follow a channel, or stop to."""

    async def mute_newsletter(self, chat: WaJid, *, is_muted: bool) -> None:
        """Mute a channel, or end that."""

    async def react_to_post(self, chat: WaJid, server_id: int, emoji: str) -> None:
        """React to a post of a channel; no emoji takes the reaction back."""

    async def reject_call(self, caller: WaJid, call_id: str) -> None:
        """Decline a call."""


OpenDirectory: TypeAlias = Callable[[LoginId], WhatsAppDirectory | None]
"""The directory of a login; None when it has no session."""


class MatrixRooms(Protocol):
    """The homeserver as work on whole rooms uses it; deadlines, retries and errors are those of MatrixApi."""

    async def fetch_joined_rooms(self, user: MxUserId | None = None) -> Sequence[MxRoomId]:
        """The rooms one of our users is in, or the bot."""

    async def fetch_name(self, room_id: MxRoomId) -> str:
        """What a room is called; empty when it has no name or is not to be seen."""

    async def fetch_levels(self, room_id: MxRoomId) -> MxLevels:
        """Who may do what in a room."""

    async def set_level(self, room_id: MxRoomId, user: MxUserId, level: int) -> None:
        """Give somebody a power level."""

    async def bring_bot(self, room_id: MxRoomId, *, by: MxUserId) -> None:
        """Have one of our users, who is in a room, bring the bot there, with the power it can give away."""

    async def remove_from(self, room_id: MxRoomId, user: MxUserId, *, reason: str) -> None:
        """Have the bot remove somebody; who is not there stays away."""

    async def remove_aliases(self, room_id: MxRoomId) -> None:
        """Take away the names by which the bridge finds a room."""

    async def create_direct_room(self, user: MxUserId, *, name: str) -> MxRoomId:
        """A direct chat between the bot and somebody, who is invited."""
