"""Appservice registrations for the test homeserver."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What Synapse is told about a bridge; the sender is never the bot, or the bot is never registered."""

    url: str | None
    id: str = "whatsapp"
    as_token: str = "as-token-for-tests"
    hs_token: str = "hs-token-for-tests"
    sender_localpart: str = "sender-of-nothing"
    bot_localpart: str = "whatsappbot"
    ghost_prefix: str = "whatsapp_"
    server_name: str = "localhost"
    owns_everyone: bool = False
    msc4190: bool = True

    def write(self, path: Path) -> Path:
        """Save as JSON, which is YAML."""
        path.write_text(json.dumps(self._document(), indent=2))
        return path

    def _document(self) -> dict[str, object]:
        return {
            "id": self.id,
            "url": self.url,
            "as_token": self.as_token,
            "hs_token": self.hs_token,
            "sender_localpart": self.sender_localpart,
            "rate_limited": False,
            "namespaces": {"users": self._users(), "aliases": self._aliases(), "rooms": []},
            "receive_ephemeral": True,
            "de.sorunome.msc2409.push_ephemeral": True,
            "org.matrix.msc3202": True,
            "io.element.msc4190": self.msc4190,
        }

    def _aliases(self) -> list[dict[str, object]]:
        if self.owns_everyone:
            return []
        pattern = f"^#{re.escape(self.ghost_prefix)}.*:{re.escape(self.server_name)}$"
        return [{"regex": pattern, "exclusive": True}]

    def _users(self) -> list[dict[str, object]]:
        server = re.escape(self.server_name)
        if self.owns_everyone:
            return [{"regex": f"@.*:{server}", "exclusive": False}]
        return [
            {"regex": f"^@{re.escape(self.bot_localpart)}:{server}$", "exclusive": True},
            {"regex": f"^@{re.escape(self.ghost_prefix)}.*:{server}$", "exclusive": True},
        ]
