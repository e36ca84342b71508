"""The way to WhatsApp's media hosts: directly, or through a proxy of either kind."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import ClientSession

if TYPE_CHECKING:
    from aiohttp import BaseConnector


def open_way(proxy: str | None) -> ClientSession:
    """A session all of whose requests go through the proxy.

    A proxy of the environment counts as long as the configuration names none, as it does for the session hosts.
    """
    if proxy and urlsplit(proxy).scheme == "socks5":
        return ClientSession(connector=_connector(proxy))
    return ClientSession(trust_env=True, proxy=proxy or None)


def _connector(proxy: str) -> BaseConnector:
    # Here and not above: few bridges have a proxy of this kind.
    from mautrix_whatsapp_py.media.socks import SocksConnector

    # Names are looked up beyond the proxy: where one is needed, nothing else may be reached or even known.
    return SocksConnector.from_url(proxy, rdns=True)
