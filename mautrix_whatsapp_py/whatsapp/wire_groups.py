"""The part of the language between bridge and hosts that changes groups and fetches pictures."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import LoginId, WaJid
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa_group import (
    WaBlocklist,
    WaMemberChange,
    WaMemberOutcomes,
    WaPicture,
    WaPictureSet,
)


class RenameGroup(WaStruct, frozen=True, kw_only=True):
    """Name a group."""

    login: LoginId
    chat: WaJid
    name: str


class DescribeGroupAnew(WaStruct, frozen=True, kw_only=True):
    """Give a group another topic."""

    login: LoginId
    chat: WaJid
    topic: str
    previous_id: str = ""


class SetGroupPicture(WaStruct, frozen=True, kw_only=True):
    """Give a group a picture: a JPEG, or nothing to remove it."""

    login: LoginId
    chat: WaJid
    data: bytes = b""


class SetAnnouncement(WaStruct, frozen=True, kw_only=True):
    """Let only admins write, or everybody."""

    login: LoginId
    chat: WaJid
    is_announcement: bool


class SetLocked(WaStruct, frozen=True, kw_only=True):
    """Let only admins change name, topic and picture, or everybody."""

    login: LoginId
    chat: WaJid
    is_locked: bool


class ChangeMembers(WaStruct, frozen=True, kw_only=True):
    """Add, remove, promote or demote people."""

    login: LoginId
    chat: WaJid
    people: tuple[WaJid, ...]
    change: WaMemberChange


class FetchPicture(WaStruct, frozen=True, kw_only=True):
    """Somebody's picture, unless it is the known one."""

    login: LoginId
    jid: WaJid
    known_id: str = ""
    is_community: bool = False


class ListBlocked(WaStruct, frozen=True, kw_only=True):
    """Whom has the account blocked?"""

    login: LoginId


class SetBlocked(WaStruct, frozen=True, kw_only=True):
    """Block somebody, or let them through again."""

    login: LoginId
    person: WaJid
    is_blocked: bool


GroupCall = (
    RenameGroup
    | DescribeGroupAnew
    | SetGroupPicture
    | SetAnnouncement
    | SetLocked
    | ChangeMembers
    | FetchPicture
    | ListBlocked
    | SetBlocked
)
GroupResult = WaMemberOutcomes | WaPicture | WaPictureSet | WaBlocklist
