"""Users of the test homeserver."""

from __future__ import annotations

from dataclasses import dataclass, field

import aiohttp

from tests.homeserver.client import request_json
from tests.homeserver.events import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user and one device of theirs."""

    user_id: str
    access_token: str = field(repr=False)
    device_id: str


def decode_account(answer: Json) -> Account:
    """What register and login answer."""
    return Account(
        user_id=str(answer["user_id"]),
        access_token=str(answer["access_token"]),
        device_id=str(answer["device_id"]),
    )


async def log_in(url: str, user: str, password: str) -> Account:
    """A new device of an existing user."""
    body: Json = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user},
        "password": password,
    }
    async with aiohttp.ClientSession() as http:
        return decode_account(await request_json(http, "POST", f"{url}/_matrix/client/v3/login", body=body))
