"""An endpoint on a free port, with or without a real database behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import aiohttp
import pytest

from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.appservice import AppService, Hooks
from mautrix_whatsapp_py.matrix.intake import Intake
from mautrix_whatsapp_py.matrix.transaction import MxToDevice
from tests.fakes.mx_inbox import FakeMxInbox
from tests.fakes.mx_sink import FakeMxSink

BOT = MxUserId("@bot:example.org")
TOKEN = "hs-token-äöü"


@dataclass(kw_only=True)
class Endpoint:
    """The endpoint with everything around it."""

    inbox: FakeMxInbox = field(default_factory=FakeMxInbox)
    sink: FakeMxSink = field(default_factory=FakeMxSink)
    to_device: list[MxToDevice] = field(default_factory=list)
    unready: list[str] = field(default_factory=list)
    max_body_bytes: int = 1024 * 1024

    def create(self) -> AppService:
        async def is_ghost(user: MxUserId) -> bool:
            if "boom" in user:
                raise ZeroDivisionError
            return user.startswith("@whatsapp_")

        def on_to_device(messages: Sequence[MxToDevice]) -> None:
            self.to_device += messages

        return AppService(
            Intake(self.inbox, self.sink, on_to_device=on_to_device),
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
