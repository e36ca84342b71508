"""An endpoint on a free port, with or without a real database behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest

from mautrix_whatsapp_py.errors import StoreUnavailable
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.appservice import AppService, Hooks
from mautrix_whatsapp_py.matrix.intake import Intake
from mautrix_whatsapp_py.matrix.transaction import MxKeyNews
from tests.fakes.mx_inbox import FakeMxInbox
from tests.fakes.mx_sink import FakeMxSink

BOT = MxUserId("@bot:example.org")
TOKEN = "hs-token-äöü"


@dataclass(kw_only=True)
class Endpoint:
    """The endpoint with everything around it."""

    inbox: FakeMxInbox = field(default_factory=FakeMxInbox)
    sink: FakeMxSink = field(default_factory=FakeMxSink)
    keys: list[MxKeyNews] = field(default_factory=list)
    key_failures: int = 0
    unready: list[str] = field(default_factory=list)
    max_body_bytes: int = 1024 * 1024

    def create(self) -> AppService:
        async def is_ghost(user: MxUserId) -> bool:
            if "boom" in user:
                raise ZeroDivisionError
            return user.startswith("@whatsapp_")

        async def take_keys(news: MxKeyNews) -> None:
            if self.key_failures:
                self.key_failures -= 1
                raise StoreUnavailable("The keys of encrypted rooms cannot be read.")
            self.keys.append(news)

        return AppService(
            Intake(self.inbox, self.sink, take_keys=take_keys),
            Hooks(is_ghost=is_ghost, unready_parts=lambda: self.unready),
            bot=BOT,
            hs_token=TOKEN,
            max_body_bytes=self.max_body_bytes,
        )


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
async def appservice(endpoint: Endpoint) -> AsyncIterator[AppService]:
    appservice = endpoint.create()
    await appservice.start("127.0.0.1", 0)
    yield appservice
    await appservice.stop()


@pytest.fixture
async def http(appservice: AppService) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that knows the token."""
    async with aiohttp.ClientSession(
        base_url=f"http://127.0.0.1:{appservice.port}",
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=aiohttp.ClientTimeout(total=20),
    ) as session:
        yield session
