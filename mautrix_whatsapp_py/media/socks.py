"""Connections through a SOCKS proxy, with the errors of the HTTP library."""

from __future__ import annotations

from aiohttp import ClientConnectionError, ClientRequest, ClientTimeout
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError


class SocksConnector(ProxyConnector):
    """Opens connections for an HTTP session."""

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Connection:
        """See BaseConnector; a proxy that fails is a failed connection like any other."""
        try:
            return await super().connect(req, traces, timeout)
        except (ProxyError, ProxyConnectionError, ProxyTimeoutError) as error:
            raise ClientConnectionError("the proxy failed") from error
