"""What the leader and the workers that hold sessions write to each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

import msgspec

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa_link import WaHostStats
from mautrix_whatsapp_py.whatsapp import wire

BEAT_SECONDS = 2.0
SILENCE_SECONDS = 12.0
"""After so long without a letter a link is taken for broken and made anew."""


class Attach(WaStruct, frozen=True, kw_only=True):
    """The leader begins a link; an earlier one is over. A leader of an earlier epoch is not listened to."""

    epoch: int


class Detach(WaStruct, frozen=True, kw_only=True):
    """The leader leads no more."""


class Held(WaStruct, frozen=True, kw_only=True):
    """A worker has these logins, each in an epoch."""

    logins: dict[LoginId, int]


class LetGo(WaStruct, frozen=True, kw_only=True):
    """A worker has this login no more."""

    login: LoginId
    epoch: int


class HostLost(WaStruct, frozen=True, kw_only=True):
    """The host of these is gone; another takes over."""

    logins: tuple[LoginId, ...]


class Beat(WaStruct, frozen=True, kw_only=True):
    """I am alive; workers add the figures of their hosts."""

    stats: tuple[WaHostStats, ...] = ()


class Broken(WaStruct, frozen=True, kw_only=True):
    """Letters of this link went missing: it is to be made anew."""


class FilePart(WaStruct, frozen=True, kw_only=True):
    """The next part of a file that a host is to be given."""

    id: int
    name: str
    body: bytes
    is_first: bool


class FileOver(WaStruct, frozen=True, kw_only=True):
    """A file is not needed any more."""

    name: str


Down: TypeAlias = Attach | Detach | Beat | wire.Request | wire.Ack | FilePart | FileOver
"""From the leader to a worker."""
Up: TypeAlias = Held | LetGo | HostLost | Beat | Broken | wire.Reply | wire.Refusal | wire.Event | wire.LinkChanged
"""From a worker to the leader."""


class Cover(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Around every letter: which link it belongs to, and which of its letters it is, from 1 on."""

    link: str
    number: int
    is_down: bool
    content: msgspec.Raw


class Letter(Protocol):
    """What has come."""

    @property
    def sender(self) -> str: ...

    @property
    def body(self) -> bytes: ...


Send: TypeAlias = Callable[[str, Sequence[bytes]], Awaitable[bool]]
"""Sends letters to a holder, in order; False when we may not any more."""
_encoder = msgspec.msgpack.Encoder()
_down = msgspec.msgpack.Decoder(Down)
_up = msgspec.msgpack.Decoder(Up)
_cover = msgspec.msgpack.Decoder(Cover)


def encode(link: str, number: int, content: Down | Up, *, is_down: bool) -> bytes:
    """A letter as bytes."""
    raw = msgspec.Raw(_encoder.encode(content))
    return _encoder.encode(Cover(link=link, number=number, is_down=is_down, content=raw))


def decode(body: bytes) -> Cover | None:
    """The cover of a letter; None for one of another version."""
    try:
        return _cover.decode(body)
    except msgspec.MsgspecError:
        return None


def open_down(cover: Cover) -> Down | None:
    """What the leader says; None for what another version says."""
    try:
        content: Down = _down.decode(cover.content)
    except msgspec.MsgspecError:
        return None
    return content


def open_up(cover: Cover) -> Up | None:
    """What a worker says; None for what another version says."""
    try:
        content: Up = _up.decode(cover.content)
    except msgspec.MsgspecError:
        return None
    return content
