"""Encoder and decoder of WhatsApp's binary XML."""

from __future__ import annotations

import enum
import zlib
from typing import Final

from tests.simulator.jids import LID, PN, Jid
from tests.simulator.nodes import AttrValue, Node
from tests.simulator.tokens import tokens
from tests.simulator.violations import ProtocolViolationError, ViolationKind


class Tag(enum.IntEnum):
    """Type bytes of the encoding."""

    LIST_EMPTY = 0
    DICTIONARY_0 = 236
    DICTIONARY_3 = 239
    INTEROP_JID = 245
    FB_JID = 246
    AD_JID = 247
    LIST_8 = 248
    LIST_16 = 249
    JID_PAIR = 250
    HEX_8 = 251
    BINARY_8 = 252
    BINARY_20 = 253
    BINARY_32 = 254
    NIBBLE_8 = 255


_DOMAIN: Final = {PN: 0, LID: 1, "hosted": 128, "hosted.lid": 129}
_SERVER_OF_DOMAIN: Final = {number: server for server, number in _DOMAIN.items()}
_NIBBLES: Final = "0123456789-."
_HEX: Final = "0123456789ABCDEF"


def encode(node: Node) -> bytes:
    """Encode a stanza as an uncompressed frame payload."""
    writer = _Writer()
    writer.node(node)
    return b"\0" + bytes(writer.out)


def decode(frame: bytes) -> Node:
    """Decode a frame payload; a violation when it is not well formed."""
    try:
        data = zlib.decompress(frame[1:]) if frame[0] & 2 else frame[1:]
        reader = _Reader(data)
        node = reader.node()
    except (ValueError, IndexError, KeyError, UnicodeDecodeError, zlib.error) as error:
        raise ProtocolViolationError(ViolationKind.MALFORMED_NODE, str(error), frame.hex()) from error
    if reader.position != len(data):
        raise ProtocolViolationError(ViolationKind.MALFORMED_NODE, "bytes after the end", frame.hex())
    return node


class _Writer:
    def __init__(self) -> None:
        self.out = bytearray()

    def binary(self, data: bytes) -> None:
        size = len(data)
        if size < 256:
            self.out += bytes((Tag.BINARY_8, size))
        elif size < 1 << 20:
            self.out += bytes((Tag.BINARY_20,)) + size.to_bytes(3, "big")
        else:
            self.out += bytes((Tag.BINARY_32,)) + size.to_bytes(4, "big")
        self.out += data

    def list_start(self, size: int) -> None:
        if size == 0:
            self.out.append(Tag.LIST_EMPTY)
        elif size < 256:
            self.out += bytes((Tag.LIST_8, size))
        else:
            self.out += bytes((Tag.LIST_16,)) + size.to_bytes(2, "big")

    def packed(self, text: str, tag: Tag, alphabet: str) -> None:
        is_odd = len(text) % 2 == 1
        self.out += bytes((tag, (len(text) + 1) // 2 | (128 if is_odd else 0)))
        values = [alphabet.index(c) for c in text] + ([15] if is_odd else [])
        self.out += bytes(values[i] << 4 | values[i + 1] for i in range(0, len(values), 2))

    def string(self, text: str) -> None:
        table = tokens()
        if text in table.single_index:
            self.out.append(table.single_index[text])
        elif text in table.double_index:
            number, index = table.double_index[text]
            self.out += bytes((Tag.DICTIONARY_0 + number, index))
        elif 0 < len(text) < 128 and all(c in _NIBBLES for c in text):
            self.packed(text, Tag.NIBBLE_8, _NIBBLES)
        elif 0 < len(text) < 128 and all(c in _HEX for c in text):
            self.packed(text, Tag.HEX_8, _HEX)
        else:
            self.binary(text.encode())

    def jid(self, jid: Jid) -> None:
        if (jid.server in (PN, LID) and jid.device) or jid.server in ("hosted", "hosted.lid"):
            self.out += bytes((Tag.AD_JID, _DOMAIN[jid.server], jid.device))
            self.string(jid.user)
            return
        self.out.append(Tag.JID_PAIR)
        if jid.user:
            self.string(jid.user)
        else:
            self.out.append(Tag.LIST_EMPTY)
        self.string(jid.server)

    def value(self, value: AttrValue) -> None:
        if isinstance(value, Jid):
            self.jid(value)
        else:
            self.string(str(value))

    def node(self, node: Node) -> None:
        attrs = {k: v for k, v in node.attrs.items() if v is not None and v != ""}
        self.list_start(2 * len(attrs) + 1 + (node.content is not None))
        self.string(node.tag)
        for key, value in attrs.items():
            self.string(key)
            self.value(value)
        if isinstance(node.content, bytes):
            # never a dictionary word: the client insists on bytes for content
            self.binary(node.content)
        elif node.content is not None:
            self.list_start(len(node.content))
            for child in node.content:
                self.node(child)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        if self.position + size > len(self.data):
            raise ValueError("truncated")
        taken = self.data[self.position : self.position + size]
        self.position += size
        return taken

    def node(self) -> Node:
        size = self.list_size(self.number(1))
        if size == 0:
            raise ValueError("empty node")
        tag = self.string()
        attrs: dict[str, AttrValue] = {}
        for _ in range((size - 1) >> 1):
            key = self.string()
            attrs[key] = self.attribute()
        return Node(tag, attrs, self.content() if size % 2 == 0 else None)

    def list_size(self, tag: int) -> int:
        match tag:
            case Tag.LIST_EMPTY:
                return 0
            case Tag.LIST_8:
                return self.number(1)
            case Tag.LIST_16:
                return self.number(2)
            case _:
                raise ValueError(f"no list: {tag}")

    def content(self) -> bytes | list[Node] | None:
        tag = self.number(1)
        if tag == Tag.LIST_EMPTY:
            return None
        if tag in (Tag.LIST_8, Tag.LIST_16):
            return [self.node() for _ in range(self.list_size(tag))]
        if tag in (Tag.BINARY_8, Tag.BINARY_20, Tag.BINARY_32):
            return self.take(self.binary_size(tag))
        return self.scalar_text(tag).encode()

    def attribute(self) -> AttrValue:
        tag = self.number(1)
        if tag in (Tag.JID_PAIR, Tag.AD_JID, Tag.FB_JID, Tag.INTEROP_JID):
            return self.jid(tag)
        return self.scalar_text(tag)

    def string(self) -> str:
        return self.scalar_text(self.number(1))

    def optional_string(self) -> str:
        tag = self.number(1)
        return "" if tag == Tag.LIST_EMPTY else self.scalar_text(tag)

    def binary_size(self, tag: int) -> int:
        return self.number({Tag.BINARY_8: 1, Tag.BINARY_20: 3, Tag.BINARY_32: 4}[Tag(tag)])

    def scalar_text(self, tag: int) -> str:
        if tag in (Tag.BINARY_8, Tag.BINARY_20, Tag.BINARY_32):
            return self.take(self.binary_size(tag)).decode()
        if Tag.DICTIONARY_0 <= tag <= Tag.DICTIONARY_3:
            return tokens().double[tag - Tag.DICTIONARY_0][self.number(1)]
        if tag == Tag.NIBBLE_8:
            return self.packed(_NIBBLES)
        if tag == Tag.HEX_8:
            return self.packed(_HEX)
        if 0 < tag < len(tokens().single):
            return tokens().single[tag]
        raise ValueError(f"no text: {tag}")

    def packed(self, alphabet: str) -> str:
        start = self.number(1)
        nibbles = [n for byte in self.take(start & 127) for n in (byte >> 4, byte & 15)]
        if start & 128:
            nibbles.pop()
        return "".join(alphabet[n] for n in nibbles)

    def jid(self, tag: int) -> Jid:
        if tag == Tag.JID_PAIR:
            return Jid(self.optional_string(), self.string())
        if tag == Tag.AD_JID:
            domain, device = self.number(1), self.number(1)
            return Jid(self.string(), _SERVER_OF_DOMAIN[domain], device)
        user, device = self.string(), self.number(2)
        if tag == Tag.INTEROP_JID:
            self.number(2)
        return Jid(user, self.string(), device)
