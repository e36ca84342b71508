"""Files by their address on the internet; nothing of this machine's own networks can be reached so."""

from __future__ import annotations

import ipaddress
import logging
import socket
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from mautrix_whatsapp_py.channel.faults import ChannelFault, FaultKind, bad_request, not_allowed

log = logging.getLogger(__name__)

MAX_REDIRECTS: Final = 5
_TIMEOUT: Final = ClientTimeout(total=120, sock_connect=10, sock_read=20)
_CHUNK: Final = 1 << 16
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PRIVATE: Final = "The url leads to an address of a private network."


class _PrivateAddress(OSError):
    """A name that leads where nobody from outside may go."""


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses those that lead into private networks: what is checked is what is dialled."""

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See AbstractResolver."""
        found = await self._inner.resolve(host, port, family)
        if not found or not all(is_public(one["host"]) for one in found):
            raise _PrivateAddress
        return found

    async def close(self) -> None:
        """See AbstractResolver."""
        await self._inner.close()


def is_public(address: str) -> bool:
    """Whether an address is on the internet, also when it is wrapped into another one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return is_public(str(parsed.ipv4_mapped))
        if parsed.sixtofour is not None or parsed.teredo is not None or parsed in _NAT64:
            return False
    return parsed.is_global and not parsed.is_multicast


_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class Fetcher:
    """Downloads, with every step of a redirect looked at like the first."""

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver

    async def fetch(self, url: str, into: Path, *, max_bytes: int) -> None:
        """Fetch a file; ChannelFault says why not."""
        connector = TCPConnector(resolver=PublicResolver(self._resolver), use_dns_cache=False)
        # No proxy of the environment: it would resolve names for us, unchecked.
        async with ClientSession(connector=connector, timeout=_TIMEOUT, trust_env=False) as session:
            try:
                await self._follow(session, url, into, max_bytes)
            except ChannelFault:
                raise
            except (ClientError, OSError, TimeoutError, ValueError) as error:
                cause = error.__cause__ or getattr(error, "os_error", None)
                if isinstance(error, _PrivateAddress) or isinstance(cause, _PrivateAddress):
                    raise not_allowed(_PRIVATE) from None
                log.info("a file could not be fetched: %s", type(error).__name__)
                raise bad_request("The file at the url could not be fetched.") from None

    async def _follow(self, session: ClientSession, url: str, into: Path, max_bytes: int) -> None:
        for _ in range(MAX_REDIRECTS + 1):
            require_public(url)
            async with session.get(url, allow_redirects=False) as response:
                if response.status in _REDIRECTS and "Location" in response.headers:
                    url = urljoin(url, response.headers["Location"])
                    continue
                if response.status != 200:
                    raise bad_request(f"The server of the url answered {response.status}.")
                await _save(response, into, max_bytes)
                return
        raise bad_request("The url redirects too often.")


def require_public(url: str) -> None:
    """ChannelFault for what is no address on the internet; names are looked at when they are resolved."""
    try:
        parsed = URL(url)
        host = parsed.host
    except ValueError:
        raise bad_request("The url is none.") from None
    if parsed.scheme not in ("http", "https") or not host:
        raise bad_request("The url must begin with https:// or http://.")
    if parsed.user is not None or parsed.password is not None:
        raise bad_request("The url must not hold a password.")
    # The connector resolves no literal addresses, in whatever spelling.
    try:
        literal = socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        literal = host if ":" in host else ""
    if literal and not is_public(literal):
        raise not_allowed(_PRIVATE)


async def _save(response: ClientResponse, into: Path, max_bytes: int) -> None:
    size = 0
    with into.open("xb") as out:
        async for chunk in response.content.iter_chunked(_CHUNK):
            size += len(chunk)
            if size > max_bytes:
                raise ChannelFault(FaultKind.TOO_LARGE, "The file at the url is too large.")
            out.write(chunk)
