"""The sessions a worker holds, and whoever leads listening to them."""

from __future__ import annotations

import asyncio
import logging
import shutil
from typing import Protocol

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa_link import WaLinkKind
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.berths import OwnBerths, held_until
from mautrix_whatsapp_py.whatsapp.connection import HostSpeaksOtherVersion, HostUnreachable, connect_host
from mautrix_whatsapp_py.whatsapp.folders import DataFolder
from mautrix_whatsapp_py.whatsapp.options import NetworkOptions
from mautrix_whatsapp_py.whatsapp.slot import SlotListener
from mautrix_whatsapp_py.whatsapp.way import Way

log = logging.getLogger(__name__)


class Ear(Protocol):
    """Who leads, in this process or another."""

    def on_held(self, logins: dict[LoginId, int]) -> None:
        """These are held, each in an epoch."""

    def on_let_go(self, login: LoginId, epoch: int) -> None:
        """This one is held no more."""

    def on_frame(self, frame: wire.FromHost) -> None:
        """A host says something."""

    def on_lost(self, logins: tuple[LoginId, ...]) -> None:
        """The host of these is gone; another takes over."""


class Keeper:
    """Nobody listening, hosts go on and keep what comes."""

    def __init__(self, options: NetworkOptions) -> None:
        self._data = DataFolder(path=options.folder)
        listener = SlotListener(on_frame=self._on_frame, on_lost=self._on_lost, on_worn=lambda _slot: None)
        self.berths = OwnBerths(self._data, options, listener)
        self.logins: dict[LoginId, int] = {}
        """Those held, each in its epoch."""
        self._leaving: set[LoginId] = set()
        self._ear: Ear | None = None

    async def start(self) -> None:
        """End what hosts an earlier run left: their leases were of that run."""
        self._data.ensure()
        for folder in sorted(self._data.hosts.iterdir()):
            await _end_host(self._data, folder.name)
            shutil.rmtree(folder, ignore_errors=True)

    async def stop(self) -> None:
        """Take all links down."""
        await self.berths.stop()

    def hold(self, until: float) -> None:
        """All sessions here are ours until then, by the machine's clock."""
        self.berths.hold(held_until(self.berths.options, until))

    async def take(self, login: LoginId, epoch: int) -> None:
        """Bring a session up that is ours from now on."""
        async with self.berths.exclusively(login):
            self.logins[login] = epoch
            if self._ear is not None:
                self._ear.on_held({login: epoch})
            await self.berths.add(login, epoch)

    async def drop(self, login: LoginId) -> None:
        """Take a session down; when this returns nobody uses it here."""
        async with self.berths.exclusively(login):
            self._leaving.add(login)
            try:
                await self.berths.displace(login)
            finally:
                self._leaving.discard(login)
            epoch = self.logins.pop(login, 0)
            if self._ear is not None:
                self._ear.on_let_go(login, epoch)
        self.berths.forget(login)

    async def listen(self, ear: Ear) -> None:
        """Tell somebody everything from now on, and once more what the one before has not acknowledged."""
        self._ear = ear
        ear.on_held(dict(self.logins))
        await asyncio.gather(*(slot.reattach() for slot in self.berths.slots))

    def deafen_all(self) -> None:
        """Nobody listens."""
        self._ear = None

    def deafen(self, ear: Ear) -> None:
        """Somebody listens no more."""
        if self._ear is ear:
            self._ear = None

    def way_to(self, login: LoginId) -> Way | None:
        """The way to a session's host while there is one."""
        return self.berths.way_to(login)

    def _on_frame(self, frame: wire.FromHost) -> None:
        if self._ear is not None and not self._is_no_news(frame):
            self._ear.on_frame(frame)

    def _is_no_news(self, frame: wire.FromHost) -> bool:
        """Whether a session says that it stops which goes on elsewhere."""
        return (
            isinstance(frame, wire.LinkChanged)
            and frame.login in self._leaving
            and frame.fact.kind is WaLinkKind.STOPPED
        )

    def _on_lost(self, logins: tuple[LoginId, ...]) -> None:
        if self._ear is not None:
            self._ear.on_lost(logins)


async def _end_host(data: DataFolder, name: str) -> None:
    try:
        connection = await connect_host(data.hosts / name / "sock", "bridge", lambda _frame: None)
    except (HostUnreachable, HostSpeaksOtherVersion):
        return
    log.info("session host %s of an earlier run ends", name)
    connection.put(wire.Shutdown())
    await connection.close()
