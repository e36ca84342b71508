"""What works on how chats are put."""

from __future__ import annotations

from dataclasses import dataclass

from mautrix_whatsapp_py.bridge.management import ManagementRooms
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.ids import BROADCAST_SERVER
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.ports import MatrixApi
from mautrix_whatsapp_py.ports_doubles import MatrixAccounts

STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkSettings:
    """What the configuration wants of them."""

    pinned_tag: str | None = "m.favourite"
    archive_tag: str | None = "m.lowpriority"
    status_tag: str | None = "m.lowpriority"
    is_status_quiet: bool = True
    bridges_mutes: bool = True
    mutes_new_only: bool = False
    tags_new_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkDeps:
    """What they work with."""

    talk: Talk
    accounts: MatrixAccounts
    management: ManagementRooms
    matrix: MatrixApi
    settings: MarkSettings


def is_status(portal: Portal) -> bool:
    """Whether a chat is that of status updates, which nobody pins or archives."""
    return portal.key.chat.server == BROADCAST_SERVER and portal.key.chat.user == STATUS


def tag_of_archive(portal: Portal, settings: MarkSettings) -> str | None:
    """The tag of a chat that is put aside."""
    return settings.status_tag if is_status(portal) else settings.archive_tag
