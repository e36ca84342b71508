"""Hands what the bot shows in Matrix to a simulated phone."""

from __future__ import annotations

import os
from pathlib import Path

import aiohttp
import msgspec

from mautrix_whatsapp_py.config import load
from mautrix_whatsapp_py.errors import ConfigError, StartupError
from mautrix_whatsapp_py.ops.local_homeserver import LocalCredentials
from tests.homeserver.accounts import log_in
from tests.homeserver.client import MatrixClient, MatrixRequestFailed
from tests.homeserver.events import Event

_TIMEOUT = aiohttp.ClientTimeout(total=60)


class PhoneError(Exception):
    """The phone could not do it; the text says why."""


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulator of its own says first."""

    control: str
    proxy: str
    host_command: list[str]


def read_addresses(folder: Path) -> Addresses:
    """Those of the simulator that runs, or ran last, in a folder."""
    first, end, _ = (folder / "simulator.out").read_bytes().partition(b"\n")
    return msgspec.json.decode(first + end, type=Addresses)


async def scan(data: Path, number: str) -> int:
    """Show a phone the newest QR code; the number of the device that is linked then."""
    return await _tell_phone(data, number, "scan", body=await _fetch_newest_qr(data))


async def enter_code(data: Path, number: str, code: str) -> int:
    """Type a code into a phone; the number of the device that is linked then."""
    return await _tell_phone(data, number, "code", body=msgspec.json.encode({"code": code}))


async def _tell_phone(data: Path, number: str, action: str, *, body: bytes) -> int:
    control = _control(data)
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
            url = f"{control}/accounts/{number.lstrip('+')}/{action}"
            async with http.post(url, data=body) as response:
                text = await response.text()
    except (aiohttp.ClientError, TimeoutError):
        raise _not_running(data) from None
    if response.status != 200:
        raise PhoneError(_reason(text))
    device: int = msgspec.json.decode(text)["device"]
    return device


async def _fetch_newest_qr(data: Path) -> bytes:
    try:
        config = load(data / "config.yaml", os.environ)
        credentials = msgspec.json.decode(
            (data / "homeserver" / "credentials.json").read_bytes(), type=LocalCredentials
        )
        url = config.homeserver.address
        account = await log_in(url, credentials.user, credentials.password)
        async with MatrixClient(url, user_id=account.user_id, access_token=account.access_token) as client:
            try:
                return await client.download(_newest_qr(client.events, config.bot_id))
            finally:
                # A device for every scan would fill the user's list.
                await client.request("POST", "/logout", body={})
    except (OSError, StartupError, ConfigError, TimeoutError, aiohttp.ClientError, MatrixRequestFailed):
        raise _not_running(data) from None


def _newest_qr(events: list[Event], bot: str) -> str:
    """The address of the picture on show; one that was taken away has no content any more."""
    for event in sorted(events, key=lambda event: event.origin_server_ts, reverse=True):
        content = event.content.get("m.new_content", event.content)
        if event.sender == bot and content.get("msgtype") == "m.image":
            return str(content["url"])
    raise PhoneError("the bot shows no QR code: send it  login  first")


def _control(data: Path) -> str:
    try:
        return read_addresses(data / "simulator").control
    except (OSError, msgspec.MsgspecError):
        raise _not_running(data) from None


def _not_running(data: Path) -> PhoneError:
    return PhoneError(f"the demo on {data} does not answer: start it with  make demo")


def _reason(text: str) -> str:
    try:
        return str(msgspec.json.decode(text)["error"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        return text
