"""A channel in this process: WhatsApp in memory, a real database, real HTTP."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer

from mautrix_whatsapp_py.app.channel import ChannelParts, Ground, make_parts
from mautrix_whatsapp_py.bridge.names import GhostNames
from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.channel.alone import AloneDoor
from mautrix_whatsapp_py.channel.fetching import Fetcher
from mautrix_whatsapp_py.channel.hooks import Hook
from mautrix_whatsapp_py.channel.posting import post
from mautrix_whatsapp_py.config.channel import ChannelAccount, ChannelAccounts, ChannelSection
from mautrix_whatsapp_py.errors import MediaFailed
from mautrix_whatsapp_py.ids import JournalSeq, LoginId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.channel import HookEvent
from mautrix_whatsapp_py.model.content import WaContent, WaKind, WaText
from mautrix_whatsapp_py.model.media import WaFile
from mautrix_whatsapp_py.model.wa import WaMessage, WaSource
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.tasks import Growth
from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDirectory
from tests.fakes.whatsapp import FakeClient, FakeNetwork, device_of

TOKEN = "a-long-word-for-tests-only"
LOGIN, BEN, EVE = LoginId("15550001111"), "15550002222", "15550003333"
OWN_LID, BEN_LID = WaJid(user="1000001", server="lid"), WaJid(user="1000002", server="lid")
CLUB = WaJid(user="12036300", server="g.us")


def number(digits: str) -> WaJid:
    """A person's address by number."""
    return WaJid(user=digits, server="s.whatsapp.net")


async def refuse_posts(_hook: Hook, _event: HookEvent) -> str:
    """For channels whose webhooks nobody looks at."""
    return "nobody is there"


class Shelf:
    """WhatsApp's media hosts: the port WaFileSource."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    async def download_file(self, file: WaFile, kind: WaKind, into: Path, growth: Growth | None = None) -> None:
        data = self.files.get(file.direct_path)
        if data is None:
            raise MediaFailed(f"the {kind} is gone.")
        into.write_bytes(data)


class Desk:
    """One linked account and a client of the channel."""

    def __init__(
        self, store: Store, folder: Path, section: ChannelSection, *, fetcher: Fetcher | None = None
    ) -> None:
        self.store, self.clock, self.network, self.shelf = store, FakeClock(), FakeNetwork(), Shelf()
        self.directory = FakeDirectory(LOGIN)
        self.section = section
        self._folder = folder
        self._fetcher = fetcher
        self._seqs, self._ids = itertools.count(1), itertools.count(1)
        self.parts: ChannelParts
        self.http: TestClient[Any, Any]

    async def open(self) -> None:
        """A channel starts on what is stored."""
        persons = Persons(self.store, GhostNames(template="whatsapp_{{.}}", domain="channel.invalid"))
        self.door = AloneDoor(persons=persons, clock=self.clock)
        self.network.sink = self.door
        if LOGIN not in self.network.clients:
            self.network.link(device_of(LOGIN))
        await persons.resolve(number(LOGIN), OWN_LID)
        ground = Ground(
            store=self.store,
            network=self.network,
            persons=persons,
            door=self.door,
            clock=self.clock,
            open_directory=lambda _: self.directory,
            source=self.shelf,
            folder=self._folder,
        )
        self._session = ClientSession()
        self.parts = make_parts(
            self.section, ground, token=TOKEN, post=partial(post, self._session), fetcher=self._fetcher
        )
        self.door.bind(self.network, self.parts.intake.take)
        await self.parts.channel.deps.sender.resume()
        server = TestServer(self.parts.server.app, host="127.0.0.1")
        self.http = TestClient(server, headers={"Authorization": f"Bearer {TOKEN}"})
        await self.http.start_server()

    async def close(self) -> None:
        """The channel ends in order."""
        self.parts.channel.deps.feed.close()
        await self.http.close()
        await self.parts.stop()
        await self.door.stop()
        await self._session.close()

    async def restart(self) -> None:
        """Another channel takes over what is stored."""
        await self.close()
        await self.open()

    @property
    def client(self) -> FakeClient:
        return self.network.clients[LOGIN]

    @property
    def texts(self) -> list[str]:
        """What left, as far as it is text."""
        return [one.content.body for one in self.client.messages if isinstance(one.content, WaText)]

    async def hear(
        self,
        said: str | WaContent,
        *,
        sender: WaJid | None = None,
        chat: WaJid | None = None,
        is_from_me: bool = False,
        message_id: str | None = None,
    ) -> WaMessageId:
        """Ben, or somebody else, writes; the id."""
        who = sender or number(BEN)
        content = WaText(body=said) if isinstance(said, str) else said
        where = chat or who
        event = WaMessage(
            source=WaSource(chat=where, sender=who, is_from_me=is_from_me, is_group=where.is_group),
            message_id=WaMessageId(message_id or f"M{next(self._ids)}"),
            timestamp=self.clock.now() + timedelta(seconds=next(self._ids)),
            content=content,
            push_name="Ben",
        )
        await self.deliver(event)
        return event.message_id

    async def deliver(self, event: WaMessage) -> None:
        """WhatsApp tells of an event; what comes of it has come."""
        self.door.on_wa_event(LOGIN, JournalSeq(next(self._seqs)), event)
        await self.door.idle()

    async def call(self, method: str, path: str, body: object = None, **how: Any) -> tuple[int, Any]:
        """A request; its status and answer."""
        async with self.http.request(method, path, json=body, **how) as response:
            raw = await response.read()
            is_json = response.content_type == "application/json"
            return response.status, msgspec.json.decode(raw) if is_json else raw

    async def operate(self, operation: str, payload: object) -> tuple[int, Any]:
        """One operation of the contract."""
        body = {"id": "7", "operation": operation, "payload": payload}
        status, answer = await self.call("POST", "/bridge", body)
        return status, answer["payload"] if status == 200 else answer

    async def batch(self, **payload: object) -> list[Any]:
        """The next batch."""
        status, answer = await self.operate("receive_batch", payload)
        assert status == 200, answer
        return list(answer["messages"])

    async def texts_read(self) -> list[str]:
        """What waits for the reader."""
        _, answer = await self.call("GET", "/v1/events")
        return [item["text"] for item in answer["items"]]

    async def ack(self, item: Any) -> None:
        """The item was dealt with."""
        assert await self.operate("ack_inbound", {"message": item}) == (200, {"ok": True})


@asynccontextmanager
async def desk_of(
    store: Store,
    folder: Path,
    *,
    fetcher: Fetcher | None = None,
    accounts: dict[str, dict[str, Any]] | None = None,
    **keys: Any,
) -> AsyncIterator[Desk]:
    """A channel with these keys."""
    folder.mkdir(exist_ok=True)
    shared = {"enabled": True, **keys}
    named = {name: ChannelAccount(**{**_of_account(shared), **own}) for name, own in (accounts or {}).items()}
    section = ChannelSection(**shared, accounts=ChannelAccounts(MappingProxyType(named)))
    desk = Desk(store, folder, section, fetcher=fetcher)
    await desk.open()
    try:
        yield desk
    finally:
        await desk.close()


def _of_account(shared: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(ChannelAccount)}
    return {name: value for name, value in shared.items() if name in names}
