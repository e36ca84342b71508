"""Walks through a history chunk piece by piece, so that one of any size takes the memory of its largest message.

The library's classes would hold all of it at once. The wire format is protobuf's: a tag, then a number or a length
and so many bytes; https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

MAX_PIECE_BYTES = 1 << 20
"""Larger messages do not fit the socket either."""
_BLOCK_BYTES = 1 << 16
_MAX_VARINT_BYTES = 10
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_CONVERSATIONS, _MESSAGES = 2, 2


class PieceKind(StrEnum):
    """What a piece of a chunk is."""

    MESSAGE = "message"
    CHAT = "chat"
    CHAT_BEGINS = "chat-begins"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Bytes of a HistorySyncMsg, of a Conversation without its messages, or of a HistorySync without its chats."""

    kind: PieceKind
    body: bytes


class ChunkDamaged(Exception):
    """A chunk ends too early or is none; what came before is good."""


class _Stream:
    """Bytes of a compressed file, in order, once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._inflate = zlib.decompressobj()
        self._buffer = bytearray()
        self._start = 0
        self.digest = sha256()
        self.position = 0

    def close(self) -> None:
        self._file.close()

    def has_more(self) -> bool:
        return self._start < len(self._buffer) or self._fill()

    def read(self, size: int) -> bytes:
        while len(self._buffer) - self._start < size:
            if not self._fill():
                raise ChunkDamaged("it ends too early")
        taken = bytes(self._buffer[self._start : self._start + size])
        self._start += size
        self.position += size
        return taken

    def skip(self, size: int) -> None:
        while size > 0:
            size -= len(self.read(min(size, _BLOCK_BYTES)))

    def read_varint(self) -> tuple[int, bytes]:
        value, raw = 0, b""
        for index in range(_MAX_VARINT_BYTES):
            byte = self.read(1)
            raw += byte
            value |= (byte[0] & 0x7F) << (7 * index)
            if byte[0] < 0x80:
                return value, raw
        raise ChunkDamaged("it is no history")

    def _fill(self) -> bool:
        """Decompress some more; False at the end."""
        del self._buffer[: self._start]
        self._start = 0
        while not self._inflate.eof:
            source = self._inflate.unconsumed_tail or self._file.read(_BLOCK_BYTES)
            try:
                more = self._inflate.decompress(source, _BLOCK_BYTES)
            except zlib.error as error:
                raise ChunkDamaged("it cannot be unpacked") from error
            if more:
                self.digest.update(more)
                self._buffer += more
                return True
            if not source:
                raise ChunkDamaged("it ends too early")
        return False


@dataclass(slots=True)
class Walk:
    """One pass over a chunk."""

    path: Path
    oversized: int = 0
    """Messages that were left out because of their size."""
    digest: str = ""
    """Known after the walk came to its end."""

    def pieces(self) -> Iterator[Piece]:
        """The pieces in their order; ChunkDamaged when it is not whole."""
        stream = _Stream(self.path)
        try:
            while stream.has_more():
                yield from self._read_top(stream)
            self.digest = stream.digest.hexdigest()
        finally:
            stream.close()

    def _read_top(self, stream: _Stream) -> Iterator[Piece]:
        tag, raw = stream.read_varint()
        if tag >> 3 == _CONVERSATIONS and tag & 7 == _BYTES:
            size, _ = stream.read_varint()
            yield from self._read_chat(stream, stream.position + size)
            return
        body = self._read_field(stream, tag, raw)
        if body:
            yield Piece(kind=PieceKind.OTHER, body=body)

    def _read_chat(self, stream: _Stream, end: int) -> Iterator[Piece]:
        head, has_begun = b"", False
        while stream.position < end:
            tag, raw = stream.read_varint()
            if tag >> 3 != _MESSAGES or tag & 7 != _BYTES:
                head += self._read_field(stream, tag, raw)
                continue
            if not has_begun:
                has_begun = True
                yield Piece(kind=PieceKind.CHAT_BEGINS, body=head)
            size, _ = stream.read_varint()
            if stream.position + size > end:
                raise ChunkDamaged("it is no history")
            if size > MAX_PIECE_BYTES:
                self.oversized += 1
                stream.skip(size)
                continue
            yield Piece(kind=PieceKind.MESSAGE, body=stream.read(size))
        if stream.position != end:
            raise ChunkDamaged("it is no history")
        yield Piece(kind=PieceKind.CHAT, body=head)

    @staticmethod
    def _read_field(stream: _Stream, tag: int, raw: bytes) -> bytes:
        """A field with its tag; nothing when it is too large to matter."""
        match tag & 7:
            case 0:
                return raw + stream.read_varint()[1]
            case 2:
                size, length = stream.read_varint()
                if size > MAX_PIECE_BYTES:
                    stream.skip(size)
                    return b""
                return raw + length + stream.read(size)
            case kind if kind in _FIXED:
                return raw + stream.read(_FIXED[kind])
            case _:
                raise ChunkDamaged("it is no history")
