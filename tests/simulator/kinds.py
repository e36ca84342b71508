"""Builders for every kind of message a phone can send."""

from __future__ import annotations

from tests.simulator.outgoing import Outgoing
from tests.simulator.protobufs import e2e


def text(body: str) -> Outgoing:
    """Plain text."""
    return Outgoing(message=e2e.Message(conversation=body))
