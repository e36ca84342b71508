"""Typed ids and the one codec of each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType

MxUserId = NewType("MxUserId", str)
MxRoomId = NewType("MxRoomId", str)
MxEventId = NewType("MxEventId", str)
MxTxnId = NewType("MxTxnId", str)
"""Transaction id of a request we make: the same effect always carries the same id."""
MxUri = NewType("MxUri", str)
LoginId = NewType("LoginId", str)
"""One linked WhatsApp account: the digits of its phone number."""
PersonId = NewType("PersonId", int)
InboxSeq = NewType("InboxSeq", int)
JournalSeq = NewType("JournalSeq", int)
"""Position of an event in a session's journal; grows for ever."""
WaMessageId = NewType("WaMessageId", str)
SendId = NewType("SendId", str)

USER_SERVER = "s.whatsapp.net"
LID_SERVER = "lid"
GROUP_SERVER = "g.us"
BROADCAST_SERVER = "broadcast"
NEWSLETTER_SERVER = "newsletter"
BOT_SERVER = "bot"

_JID = re.compile(r"^(?:(?P<user>[^@:/]+)(?::(?P<device>\d{1,5}))?@)?(?P<server>[a-z.]+)$")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class WaJid:
    """Address of a person, device, group, newsletter or list on WhatsApp."""

    user: str
    server: str
    device: int = 0

    def __str__(self) -> str:
        device = f":{self.device}" if self.device else ""
        return f"{self.user}{device}@{self.server}" if self.user else self.server

    @property
    def bare(self) -> WaJid:
        """The same address without its device."""
        return WaJid(user=self.user, server=self.server)

    @property
    def is_group(self) -> bool:
        return self.server == GROUP_SERVER


def decode_jid(text: str) -> WaJid:
    """Parse an address; ValueError when it is none."""
    match = _JID.match(text)
    if match is None:
        raise ValueError("not a WhatsApp address")
    return WaJid(user=match["user"] or "", server=match["server"], device=int(match["device"] or 0))


def login_tag(login: LoginId) -> str:
    """A login in logs: enough of its number for those who know it, too little for others."""
    return f"…{login[-4:]}"


def decode_mx_user(text: str) -> tuple[str, str]:
    """Split a Matrix user id into localpart and server; ValueError when it is none."""
    if not text.startswith("@") or ":" not in text:
        raise ValueError("not a Matrix user id")
    localpart, server = text[1:].split(":", 1)
    return localpart, server


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PortalKey:
    """A chat, and the login it belongs to; groups, communities and newsletters are shared and have none."""

    chat: WaJid
    receiver: LoginId | None = None
