"""A linked WhatsApp account, as the bridge remembers it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mautrix_whatsapp_py.ids import LoginId, MxUserId, WaJid


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One account of one Matrix user; it stays when WhatsApp ended the link, so that the user can link again."""

    id: LoginId
    user: MxUserId
    jid: WaJid
    """Address of our device; a new link of the same account gets another one."""
    lid: WaJid | None = None
    push_name: str = ""
    business_name: str = ""
    platform: str = ""
    linked_at: datetime
    told_error: str = ""
    """The trouble its user was told of last and that is not over yet."""

    @property
    def number(self) -> str:
        """Its phone number as people write it."""
        return f"+{self.id}"
