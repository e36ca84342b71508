"""A message on its way from a simulated phone, and what it looked like when it was sent."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from tests.simulator.jids import Jid
from tests.simulator.nodes import Node


def make_message_id() -> str:
    """An id as phones make them."""
    return "3EB0" + os.urandom(9).hex().upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message and the attributes that travel outside of the encryption."""

    message: Any
    type: str = "text"
    edit: str | None = None
    media_type: str | None = None
    extra: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a phone must remember to send a message again."""

    to: Jid
    outgoing: Outgoing


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message a simulated phone has decrypted."""

    message_id: str
    chat: Jid
    sender: Jid
    is_from_me: bool
    stanza: Node
    message: Any

    @property
    def text(self) -> str:
        """The text of a plain message, empty for other kinds."""
        return str(self.message.conversation or self.message.extendedTextMessage.text)
