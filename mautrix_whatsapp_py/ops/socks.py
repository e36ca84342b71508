"""Just enough of SOCKS 5 (RFC 1928, 1929) to see whether a proxy leads somewhere."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote, urlsplit

_NO_LOGIN, _PASSWORD, _DOMAIN, _CONNECT = 0, 2, 3, 1
DEFAULT_PORT = 1080


class SocksRefused(Exception):
    """The proxy said no."""


async def connect_through(proxy: str, host: str, port: int) -> None:
    """Open and close a connection; SocksRefused or OSError when that cannot be."""
    parts = urlsplit(proxy)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or DEFAULT_PORT)
    try:
        await _greet(reader, writer, unquote(parts.username or ""), unquote(parts.password or ""))
        name = host.encode("idna")
        writer.write(bytes([5, _CONNECT, 0, _DOMAIN, len(name)]) + name + port.to_bytes(2, "big"))
        if (await reader.readexactly(2))[1] != 0:
            raise SocksRefused
    finally:
        writer.close()


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, user: str, password: str) -> None:
    method = _PASSWORD if user else _NO_LOGIN
    writer.write(bytes([5, 1, method]))
    if (await reader.readexactly(2))[1] != method:
        raise SocksRefused
    if not user:
        return
    name, secret = user.encode(), password.encode()
    writer.write(bytes([1, len(name)]) + name + bytes([len(secret)]) + secret)
    if (await reader.readexactly(2))[1] != 0:
        raise SocksRefused
