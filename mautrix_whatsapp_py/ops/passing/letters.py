"""What a worker that stands by and the leader write to each other about a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import msgspec

PART_BYTES = 1 << 17
"""How much of a body one letter holds."""
Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]


class _Content(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """In one letter."""

    def __repr__(self) -> str:
        return type(self).__name__


class Ask(_Content, frozen=True, kw_only=True):
    """A request, with the beginning of its body; `door` is the listener it came to."""

    door: str
    method: str
    path: bytes
    headers: Headers
    body: bytes
    is_whole: bool
    is_socket: bool = False


class BodyPart(_Content, frozen=True, kw_only=True):
    """More of the request's body, or a text of the client's."""

    body: bytes
    is_last: bool


class Gone(_Content, frozen=True, kw_only=True):
    """Who asked does not wait any more."""


class Taken(_Content, frozen=True, kw_only=True):
    """The leader has the request."""


class Head(_Content, frozen=True, kw_only=True):
    """The answer begins, with the beginning of its body."""

    status: int
    headers: Headers
    body: bytes
    is_whole: bool


class Part(_Content, frozen=True, kw_only=True):
    """More of the answer's body, or a text of the leader's."""

    body: bytes


class Over(_Content, frozen=True, kw_only=True):
    """The answer ends; not whole: somewhere in the middle of it, or before it began."""

    is_whole: bool


class Read(_Content, frozen=True, kw_only=True):
    """So many more parts were read."""

    parts: int


class Beat(_Content, frozen=True, kw_only=True):
    """I am there; how many letters I have sent on each line."""

    sent: dict[str, int]


Content: TypeAlias = Ask | BodyPart | Gone | Taken | Head | Part | Over | Read | Beat
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[tuple[int, Content]] = msgspec.msgpack.Decoder(tuple[int, Content])


def encode(number: int, content: Content) -> bytes:
    """A letter; `number` counts those of a line from 1 on."""
    return _encoder.encode((number, content))


def decode(body: bytes) -> tuple[int, Content] | None:
    """What `encode` made; None for what another version says."""
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError:
        return None


class Letter(Protocol):
    """What has come."""

    @property
    def sender(self) -> str: ...

    @property
    def line(self) -> str: ...

    @property
    def body(self) -> bytes: ...


class PostOffice(Protocol):
    """The way of letters; see HttpPost."""

    async def ask(self, line: str, body: bytes, *, sender: str) -> str | None: ...

    async def put(self, recipient: str, line: str, body: bytes, *, sender: str, leader: str) -> bool: ...

    async def take(self, recipient: str) -> Sequence[Letter]: ...

    async def withdraw(self, recipient: str, line: str) -> bool: ...

    async def drop(self, line: str) -> None: ...

    async def tidy(self, leader: str) -> None: ...
