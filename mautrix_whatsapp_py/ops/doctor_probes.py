"""Tries what only shows when it is done: typing that comes back, devices, tokens for users."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote

from aiohttp import ClientSession

from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.ops.doctor_network import Reply, ask, own_address
from mautrix_whatsapp_py.ops.findings import Finding, ill, odd, skipped, well

HEARD = "/_matrix/app/v1/net.mautrix_whatsapp_py/heard"
"""Where the running bridge says how many ephemeral events have come; for whoever has the homeserver's token."""
PATIENCE_SECONDS, LOOK_SECONDS = 5.0, 0.2
DEVICE_NAME = "WhatsApp bridge"
CIPHERS = ("olm", "Crypto", "unpaddedbase64", "base58")
_NO_DEVICE = "start the bridge; if that does not help, write the registration anew and restart the homeserver"
_TOKEN_KIND = "as_token:"  # noqa: S105  says what follows
_OUTDATED = "wa-client-outdated"


async def check_ephemeral(config: Config, http: ClientSession) -> Finding:
    """Whether typing and receipts come; the bot types for a moment to see."""
    name = "typing and receipts"
    if not config.appservice.ephemeral_events:
        return skipped(name, "appservice.ephemeral_events is false: neither reaches WhatsApp")
    before = await _count_heard(config, http)
    if before is None:
        return skipped(name, "the bridge does not say what it has heard")
    rooms = (await _as_bot(config, http, "GET", "joined_rooms")).get("joined_rooms")
    if not isinstance(rooms, list) or not rooms:
        return skipped(name, "the bot is in no room to try it in; write to it first")
    path = f"rooms/{quote(str(rooms[0]))}/typing/{quote(config.bot_id)}"
    reply = await _as_bot(config, http, "PUT", path, {"typing": True, "timeout": 10_000})
    if reply.status != 200:
        return skipped(name, f"the bot may not type ({reply.errcode or reply.fault})")
    has_come = await _hears_more(config, http, before)
    await _as_bot(config, http, "PUT", path, {"typing": False})
    if has_come:
        return well(name, "come from the homeserver")
    mend = (
        "write the registration anew with -g (it says receive_ephemeral), give it to the homeserver, restart that"
    )
    return ill(name, "the homeserver does not send them", mend)


async def _hears_more(config: Config, http: ClientSession, before: int) -> bool:
    for _ in range(int(PATIENCE_SECONDS / LOOK_SECONDS)):
        heard = await _count_heard(config, http)
        if heard is None or heard > before:
            return heard is not None
        await asyncio.sleep(LOOK_SECONDS)
    return False


async def _count_heard(config: Config, http: ClientSession) -> int | None:
    url = f"{own_address(config)}{HEARD}"
    count = (await ask(http, "GET", url, token=config.appservice.hs_token)).get("ephemeral")
    return count if isinstance(count, int) else None


async def check_encryption(config: Config, http: ClientSession) -> list[Finding]:
    """Whether the bot has a device for encrypted rooms, and what the homeserver says of what it takes."""
    section = config.encryption
    if not section.allow:
        return [skipped("encryption", "encryption.allow is false")]
    missing = [package for package in CIPHERS if find_spec(package) is None]
    if missing:
        mend = "run pip install 'mautrix-whatsapp-py[encryption]'"
        return [ill("encryption", f"packages are missing: {', '.join(missing)}", mend)]
    found = [await _check_server(config, http)]
    bot: dict[str, list[str]] = {config.bot_id: []}
    reply = await _as_bot(config, http, "POST", "keys/query", {"device_keys": bot})
    keys = _own(reply.get("device_keys"), config.bot_id)
    named = {
        name: one for name, one in keys.items() if _own(one, "unsigned").get("device_display_name") == DEVICE_NAME
    }
    if not named:
        return [*found, ill("device", "the bot has none, so encrypted rooms cannot be bridged", _NO_DEVICE)]
    found.append(well("device", f"the bot's is {', '.join(named)}"))
    if section.self_sign:
        is_signed = any(len(_own(_own(one, "signatures"), config.bot_id)) > 1 for one in named.values())
        text = "the bot vouches for its device" if is_signed else "the bot does not vouch for its device"
        found.append(well("signature", text) if is_signed else odd("signature", text, "start the bridge anew"))
    return found


async def _check_server(config: Config, http: ClientSession) -> Finding:
    """What the homeserver says it knows; one that says nothing of MSC4190 may know it all the same."""
    features = (await ask(http, "GET", f"{config.homeserver.address}/_matrix/client/versions")).get(
        "unstable_features"
    )
    told = features if isinstance(features, dict) else {}
    known = sorted(name for name in told if any(msc in name for msc in ("msc4190", "msc3202", "msc2409")))
    refused = [name for name in known if "msc4190" in name and not told[name]]
    if refused and config.encryption.msc4190:
        mend = "switch it on in the homeserver, or set encryption.msc4190 to false"
        return ill("encryption", f"the homeserver has {refused[0]} switched off", mend)
    if told.get("org.matrix.e2e_cross_signing") is False and config.encryption.self_sign:
        return odd("encryption", "the homeserver has no cross-signing", "set encryption.self_sign to false")
    shown = ", ".join(f"{name} {'on' if told[name] else 'off'}" for name in known)
    return well("encryption", shown or "is on; the homeserver tells of no flag about it")


async def check_doubles(config: Config, http: ClientSession) -> list[Finding]:
    """Whether tokens for acting as users themselves are taken."""
    found = []
    addresses = {**config.double_puppet.servers, config.homeserver.domain: config.homeserver.address}
    for server, secret in config.double_puppet.secrets.items():
        name, address = f"double puppets of {server}", addresses.get(server)
        if address is None:
            mend = f"say under double_puppet.servers where {server} is"
            found.append(ill(name, "the address of this homeserver is not known", mend))
            continue
        user = quote(f"@doctor-of-the-bridge:{server}")
        url = f"{address}/_matrix/client/v3/account/whoami?user_id={user}"
        found.append(_about_double(name, await ask(http, "GET", url, token=secret.removeprefix(_TOKEN_KIND))))
    return found or [skipped("double puppets", "double_puppet.secrets is empty: users give tokens of their own")]


def _about_double(name: str, reply: Reply) -> Finding:
    mend = (
        "give doublepuppet.yaml to that homeserver, restart it, and write its as_token into double_puppet.secrets"
    )
    said = str(reply.get("error") or "").lower()
    if reply.fault:
        return ill(name, f"the homeserver does not answer ({reply.fault})", "correct its address")
    if reply.status == 401:
        return ill(name, "the homeserver does not know the token", mend)
    if "masquerade" in said or "namespace" in said:
        return ill(name, "the token is not for all users of the homeserver", mend)
    return well(name, "the homeserver lets us act as its users")


def check_client_version(links: Iterable[Any]) -> Finding:
    """Whether WhatsApp takes the version of the client library, which only links that were tried show."""
    name = "client version"
    states = [link["state"] for link in links]
    if any(state.get("error") == _OUTDATED for state in states):
        return ill(name, "WhatsApp does not take it any more", "update mautrix-whatsapp-py")
    if any(state.get("state_event") == "CONNECTED" for state in states):
        return well(name, "WhatsApp takes it")
    return skipped(name, "no link is up that would show it")


async def _as_bot(config: Config, http: ClientSession, method: str, path: str, body: object = None) -> Reply:
    url = f"{config.homeserver.address}/_matrix/client/v3/{path}?user_id={quote(config.bot_id)}"
    return await ask(http, method, url, token=config.appservice.as_token, body=body)


def _own(fields: object, name: str) -> dict[str, Any]:
    value = fields.get(name) if isinstance(fields, dict) else None
    return value if isinstance(value, dict) else {}
