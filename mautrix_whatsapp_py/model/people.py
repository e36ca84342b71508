"""People as either side sees them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from mautrix_whatsapp_py.ids import LID_SERVER, USER_SERVER, MxUri, MxUserId, PersonId, WaJid


@dataclass(frozen=True, slots=True, kw_only=True)
class MxPerson:
    """Who stands for a WhatsApp person on Matrix: their own user where they have one, else their ghost."""

    user_id: MxUserId
    name: str


class NameRank(IntEnum):
    """How good a name is; a name never gives way to a worse one."""

    NONE = 0
    PHONE = 1
    PUSH = 2
    BUSINESS = 3
    CONTACT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One human being or business on WhatsApp, whatever address WhatsApp uses, with one ghost for life."""

    id: PersonId
    ghost: MxUserId
    pn: str | None = None
    """Digits of the phone number, once known."""
    lid: str | None = None
    """WhatsApp's number-less address, once known."""
    name: str = ""
    name_rank: NameRank = NameRank.NONE
    shown_name: str = ""
    """What the ghost was last called at the homeserver."""
    avatar_id: str = ""
    avatar_uri: MxUri | None = None

    def jid(self, *, is_lid_addressed: bool) -> WaJid:
        """An address of theirs, the wanted kind if there is one."""
        if self.lid is not None and (is_lid_addressed or self.pn is None):
            return WaJid(user=self.lid, server=LID_SERVER)
        return WaJid(user=self.pn or "", server=USER_SERVER)

    @property
    def jids(self) -> tuple[WaJid, ...]:
        """Every address of theirs."""
        found = []
        if self.lid is not None:
            found.append(WaJid(user=self.lid, server=LID_SERVER))
        if self.pn is not None:
            found.append(WaJid(user=self.pn, server=USER_SERVER))
        return tuple(found)
