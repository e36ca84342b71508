"""Addresses of WhatsApp users, devices, groups and servers."""

from __future__ import annotations

from typing import Final, NamedTuple

PN: Final = "s.whatsapp.net"
LID: Final = "lid"
GROUP: Final = "g.us"
CONTACT: Final = "c.us"
NEWSLETTER: Final = "newsletter"
BROADCAST: Final = "broadcast"


class Jid(NamedTuple):
    """One address; a device of 0 is the primary phone."""

    user: str
    server: str
    device: int = 0

    @classmethod
    def parse(cls, text: str) -> Jid:
        """Read `user[:device]@server` or a bare server name."""
        if "@" not in text:
            return cls("", text)
        user, server = text.split("@", 1)
        device = 0
        if ":" in user:
            user, digits = user.split(":")
            device = int(digits)
        if server in (PN, LID):
            user = user.split(".")[0]
        return cls(user, server, device)

    @property
    def bare(self) -> Jid:
        """The same user without a device."""
        return Jid(self.user, self.server)

    def with_device(self, device: int) -> Jid:
        """The given device of the same user."""
        return Jid(self.user, self.server, device)

    @property
    def hash_form(self) -> str:
        """The spelling that enters the hash over a device list."""
        return f"{self.user}.0:{self.device}@{self.server}"

    def __str__(self) -> str:
        if not self.user:
            return self.server
        device = f":{self.device}" if self.device else ""
        return f"{self.user}{device}@{self.server}"


SERVER: Final = Jid("", PN)
GROUP_SERVER: Final = Jid("", GROUP)
STATUS: Final = Jid("status", BROADCAST)
