"""Headers that belong to a request or an answer, and not to the connection it came over."""

from __future__ import annotations

from collections.abc import Iterable

from multidict import CIMultiDict

from mautrix_whatsapp_py.ops.passing.letters import Headers

_OF_CONNECTIONS = frozenset(
    {b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect"}
    | {b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"}
)
_OF_SERVERS = frozenset({b"date", b"server"})
_OF_PACKED = frozenset({b"content-encoding", b"content-length"})


def end_to_end(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """What is to be passed on."""
    return tuple((name, value) for name, value in raw if name.lower() not in _OF_CONNECTIONS | _OF_SERVERS)


def of_request(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """What of a request is to be passed on, whose body the HTTP library has unpacked."""
    headers = end_to_end(raw)
    if not any(name.lower() == b"content-encoding" for name, _ in headers):
        return headers
    return tuple((name, value) for name, value in headers if name.lower() not in _OF_PACKED)


def to_mapping(headers: Headers, *, has_length: bool) -> CIMultiDict[str]:
    """As the HTTP library takes them; without a length it counts itself."""
    named = ((to_text(name), to_text(value)) for name, value in headers)
    return CIMultiDict((name, value) for name, value in named if has_length or name.lower() != "content-length")


def to_text(raw: bytes) -> str:
    """As the HTTP library reads and writes bytes."""
    return raw.decode("utf-8", "surrogateescape")
