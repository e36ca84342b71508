"""What a client can do wrong, as errors that carry the offending stanza."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class ViolationKind(enum.StrEnum):
    """Kinds of client mistakes the server never hides."""

    MALFORMED_NODE = "malformed node"
    MISSING_ATTRIBUTE = "missing attribute"
    MISSING_CHILD = "missing child"
    BAD_MAC = "wrong MAC"
    BAD_SIGNATURE = "wrong signature"
    UNDECRYPTABLE = "undecryptable message"
    UNKNOWN_USER = "message to an unknown user"
    UNKNOWN_CHAT = "message to an unknown chat"
    CONSUMED_PREKEY = "use of a consumed prekey"
    UNKNOWN_REQUEST = "unknown request"
    BAD_UPLOAD = "upload that does not match its hash"
    SIMULATOR_DEFECT = "defect of the simulator"


class ProtocolViolationError(Exception):
    """A client broke the protocol."""

    def __init__(self, kind: ViolationKind, text: str, stanza: str = "") -> None:
        super().__init__(f"{kind}: {text}")
        self.kind, self.text, self.stanza = kind, text, stanza


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One recorded mistake with the stanza that shows it."""

    kind: ViolationKind
    text: str
    peer: str
    stanza: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}\n    from {self.peer}\n    {self.stanza}"
