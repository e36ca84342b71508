"""Looks at what the bridge talks to: the homeserver, the bridge itself, WhatsApp."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.ops.findings import Finding, ill, odd, skipped, well
from mautrix_whatsapp_py.ops.socks import SocksRefused, connect_through

WHATSAPP = "https://web.whatsapp.com/"
WHATSAPP_HOST, WHATSAPP_PORT = "web.whatsapp.com", 443
MAX_SKEW_SECONDS = 10.0
TIMEOUT = ClientTimeout(total=15)
_WELL_STATES = ("CONNECTED", "CONNECTING", "STARTING")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, or why there is none."""

    status: int = 0
    body: Any = None
    date: str = ""
    fault: str = ""

    @property
    def errcode(self) -> str:
        """What a homeserver calls its refusal."""
        return str(self.body.get("errcode", "")) if isinstance(self.body, dict) else ""

    def get(self, key: str) -> object:
        """A field of the answer."""
        return self.body.get(key) if isinstance(self.body, dict) else None


async def ask(
    http: ClientSession, method: str, url: str, *, token: str = "", body: object = None, proxy: str | None = None
) -> Reply:
    """One request; never raises."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with http.request(method, url, headers=headers, json=body, timeout=TIMEOUT, proxy=proxy) as response:
            is_json = response.content_type == "application/json"
            return Reply(
                status=response.status,
                body=await response.json() if is_json else None,
                date=response.headers.get("Date", ""),
            )
    except (ClientError, OSError, TimeoutError, ValueError) as error:
        return Reply(fault=type(error).__name__)


async def check_homeserver(config: Config, http: ClientSession) -> list[Finding]:
    """Whether it answers, takes our token for our bot, and gives us our ghosts."""
    address = config.homeserver.address
    reply = await ask(http, "GET", f"{address}/_matrix/client/versions")
    versions = reply.get("versions")
    if reply.fault or not isinstance(versions, list):
        what = reply.fault or f"status {reply.status}"
        return [ill("homeserver", f"{address} does not answer as one ({what})", "correct homeserver.address")]
    found = [well("homeserver", f"{address} speaks Matrix up to {versions[-1] if versions else 'nothing'}")]
    found.append(check_skew("clock", reply.date, "the homeserver's"))
    whoami = f"{address}/_matrix/client/v3/account/whoami"
    reply = await ask(http, "GET", whoami, token=config.appservice.as_token)
    if reply.status == 401:
        text, mend = "the homeserver does not know appservice.as_token", "give it registration.yaml and restart it"
        return [*found, ill("token", text, mend)]
    found.append(await _check_bot(config, http, whoami))
    found.append(await _check_ghosts(config, http, whoami))
    return found


async def _check_bot(config: Config, http: ClientSession, whoami: str) -> Finding:
    reply = await ask(http, "GET", f"{whoami}?user_id={quote(config.bot_id)}", token=config.appservice.as_token)
    if reply.get("user_id") == config.bot_id:
        return well("bot", f"is {config.bot_id}")
    what = reply.errcode or reply.fault or f"status {reply.status}"
    mend = "start the bridge once; if that does not help, write the registration anew and restart the homeserver"
    return ill("bot", f"the homeserver does not let us be {config.bot_id} ({what})", mend)


async def _check_ghosts(config: Config, http: ClientSession, whoami: str) -> Finding:
    """A ghost that was never made is refused in other words than a user who is not ours."""
    name = config.appservice.username_template.replace("{{.}}", "doctor")
    ghost = quote(f"@{name}:{config.homeserver.domain}")
    reply = await ask(http, "GET", f"{whoami}?user_id={ghost}", token=config.appservice.as_token)
    said = str(reply.get("error") or "").lower()
    if reply.status == 200 or "register" in said:
        return well("ghosts", f"the homeserver gives us the users like {name}")
    if "masquerade" in said or "namespace" in said:
        text = f"the homeserver has no users like {name} for us"
        return ill("ghosts", text, "write the registration anew with -g and restart the homeserver")
    return skipped("ghosts", "the homeserver does not tell whose these users are")


async def check_bridge(config: Config, http: ClientSession) -> tuple[list[Finding], bool]:
    """Whether the bridge runs, and the homeserver reaches it; and whether it runs."""
    reply = await ask(http, "GET", f"{own_address(config)}/_matrix/mau/ready")
    if reply.fault or reply.get("ready") is None:
        return [skipped("bridge", "it does not run here, so nothing that runs was looked at")], False
    waiting = reply.get("waiting_for")
    found = [well("bridge", "it runs and is ready")]
    if waiting and isinstance(waiting, list):
        found = [ill("bridge", f"not working: {', '.join(map(str, waiting))}", "see its log")]
    ping = f"{config.homeserver.address}/_matrix/client/v1/appservice/{quote(config.appservice.id)}/ping"
    reply = await ask(http, "POST", ping, token=config.appservice.as_token, body={"transaction_id": "doctor"})
    if reply.status == 200:
        found.append(well("ping", f"the homeserver reaches us in {reply.get('duration_ms')} ms"))
    elif reply.status == 404:
        found.append(skipped("ping", "the homeserver has no way to test that it reaches us"))
    else:
        text = f"the homeserver does not reach {config.appservice.address} ({reply.errcode or reply.fault})"
        found.append(ill("ping", text, "correct appservice.address, and the url of the registration with it"))
    return found, True


async def fetch_links(config: Config, http: ClientSession, logins: Iterable[Login]) -> dict[str, list[Any]] | None:
    """What the running bridge tells of everybody's links; None where it may not be asked."""
    section = config.provisioning
    secret = section.usable_secret
    if secret is None or not section.is_enabled:
        return None
    found: dict[str, list[Any]] = {}
    for user in dict.fromkeys(login.user for login in logins):
        url = f"{own_address(config)}{section.prefix}/v3/whoami?user_id={quote(user)}"
        told = (await ask(http, "GET", url, token=secret)).get("logins")
        found[user] = told if isinstance(told, list) else []
    return found


def check_links(links: Mapping[str, Sequence[Any]] | None, logins: Sequence[Login]) -> list[Finding]:
    """How the links of everybody are doing."""
    if links is None:
        users = {login.user for login in logins}
        return [skipped("links", f"{len(users)} users have some; ask the bot for status")] if users else []
    found = [_finding_of(user, login) for user, told in links.items() for login in told]
    return found or [well("links", "nobody has linked an account")]


def _finding_of(user: str, login: Any) -> Finding:
    state = login["state"]
    # Numbers of other people are none of our business; the end of one tells it from others.
    name, kind = f"link …{login['id'][-4:]} of {user}", state["state_event"]
    if kind in _WELL_STATES and not state.get("error"):
        return well(name, kind)
    return odd(name, f"{kind} {state.get('error', '')}", state.get("message") or "ask the bot for status")


async def check_whatsapp(config: Config, http: ClientSession) -> list[Finding]:
    """Whether WhatsApp is to be reached, on the way links take."""
    proxy = config.network.proxy
    way = "through the proxy" if proxy else "directly"
    mend = "correct network.proxy" if proxy else "look at firewall and DNS, or set network.proxy"
    if proxy and urlsplit(proxy).scheme == "socks5":
        try:
            async with asyncio.timeout(15):
                await connect_through(proxy, WHATSAPP_HOST, WHATSAPP_PORT)
        except (OSError, TimeoutError, SocksRefused, asyncio.IncompleteReadError) as error:
            return [ill("whatsapp", f"cannot be reached {way} ({type(error).__name__})", mend)]
        return [well("whatsapp", f"can be reached {way}")]
    reply = await ask(http, "GET", WHATSAPP, proxy=proxy)
    if reply.fault:
        return [ill("whatsapp", f"cannot be reached {way} ({reply.fault})", mend)]
    return [well("whatsapp", f"can be reached {way}"), check_skew("clock of WhatsApp", reply.date, "WhatsApp's")]


def check_skew(name: str, date: str, whose: str, *, now: float | None = None) -> Finding:
    """Whether our clock agrees with somebody's."""
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return skipped(name, f"{whose} time is not told")
    skew = (time.time() if now is None else now) - theirs
    if abs(skew) > MAX_SKEW_SECONDS:
        return odd(name, f"ours differs from {whose} by {skew:.0f} s", "keep the clock right with NTP")
    return well(name, f"agrees with {whose}")


def own_address(config: Config) -> str:
    """Where the bridge of a configuration listens, seen from its machine."""
    host = config.appservice.hostname
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104  what is listened on
    return f"http://{host}:{config.appservice.port}"
