"""Nodes of WhatsApp's binary XML, with accessors that name what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.simulator.jids import Jid
from tests.simulator.violations import ProtocolViolationError, ViolationKind

AttrValue = str | int | Jid | None
Content = bytes | Sequence["Node"] | None


@dataclass(slots=True)
class Node:
    """One element: a tag, attributes, and either bytes or children."""

    tag: str
    attrs: dict[str, AttrValue] = field(default_factory=dict)
    content: Content = None

    @property
    def children(self) -> list[Node]:
        """The child nodes, none when the content is bytes."""
        return [] if self.content is None or isinstance(self.content, bytes) else list(self.content)

    @property
    def data(self) -> bytes:
        """The content bytes, empty when there are none."""
        return self.content if isinstance(self.content, bytes) else b""

    @property
    def string(self) -> str:
        """The content bytes as text."""
        return self.data.decode()

    def child(self, *path: str) -> Node | None:
        """The first node at the path of tags, or None."""
        found: Node | None = self
        for tag in path:
            found = next((c for c in found.children if c.tag == tag), None) if found else None
        return found

    def require_child(self, *path: str) -> Node:
        """The first node at the path of tags; a violation when it is missing."""
        found = self.child(*path)
        if found is None:
            raise ProtocolViolationError(
                ViolationKind.MISSING_CHILD, f"<{self.tag}> lacks <{'/'.join(path)}>", str(self)
            )
        return found

    def all(self, tag: str) -> list[Node]:
        """The direct children with this tag."""
        return [c for c in self.children if c.tag == tag]

    def get(self, key: str) -> AttrValue:
        """The attribute or None."""
        return self.attrs.get(key)

    def text(self, key: str) -> str:
        """The attribute as text; a violation when it is missing."""
        value = self.attrs.get(key)
        if value is None or value == "":
            raise self._missing(key)
        return str(value)

    def get_text(self, key: str) -> str | None:
        """The attribute as text or None."""
        value = self.attrs.get(key)
        return None if value is None else str(value)

    def number(self, key: str) -> int:
        """The attribute as a number; a violation when it is missing."""
        return int(self.text(key))

    def jid(self, key: str) -> Jid:
        """The attribute as an address; a violation when it is missing or not one."""
        found = self.get_jid(key)
        if found is None:
            raise self._missing(key)
        return found

    def get_jid(self, key: str) -> Jid | None:
        """The attribute as an address or None; a violation when it is something else."""
        value = self.attrs.get(key)
        if value is None or isinstance(value, Jid):
            return value
        if isinstance(value, str) and value in ("s.whatsapp.net", "g.us", "lid"):
            return Jid("", value)
        raise ProtocolViolationError(
            ViolationKind.MALFORMED_NODE,
            f"<{self.tag} {key}> is not an encoded address: {value!r}",
            str(self),
        )

    def with_attrs(self, **attrs: AttrValue) -> Node:
        """A copy with these attributes set."""
        return Node(self.tag, {**self.attrs, **attrs}, self.content)

    def _missing(self, key: str) -> ProtocolViolationError:
        return ProtocolViolationError(
            ViolationKind.MISSING_ATTRIBUTE, f"<{self.tag}> lacks the attribute {key!r}", str(self)
        )

    def __str__(self) -> str:
        attrs = "".join(f' {k}="{v}"' for k, v in self.attrs.items() if v is not None)
        if self.content is None:
            return f"<{self.tag}{attrs}/>"
        if isinstance(self.content, bytes):
            return f"<{self.tag}{attrs}>{_printable(self.content)}</{self.tag}>"
        return f"<{self.tag}{attrs}>{''.join(map(str, self.content))}</{self.tag}>"


def node(
    tag: str,
    attrs: Mapping[str, AttrValue] | None = None,
    content: str | bytes | Sequence[Node] | None = None,
) -> Node:
    """Build a node; text content becomes bytes, empty child lists stay lists."""
    return Node(tag, dict(attrs or {}), content.encode() if isinstance(content, str) else content)


def _printable(data: bytes) -> str:
    if len(data) < 200 and data.isascii() and data.decode().isprintable():
        return data.decode()
    return f"[{len(data)}B {data[:16].hex()}…]"
