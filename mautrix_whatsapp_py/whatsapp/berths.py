"""Where sessions have their places: in the hosts of this process, or wherever else somebody runs hosts."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import msgspec

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa_link import WaHostStats
from mautrix_whatsapp_py.tasks import end_all, spawn
from mautrix_whatsapp_py.whatsapp.folders import DataFolder
from mautrix_whatsapp_py.whatsapp.options import NetworkOptions
from mautrix_whatsapp_py.whatsapp.slot import Slot, SlotListener
from mautrix_whatsapp_py.whatsapp.way import Way

log = logging.getLogger(__name__)


class Berths(Protocol):
    """Places for sessions."""

    async def start(self) -> Collection[LoginId]:
        """Begin; the sessions that have their places already."""

    async def stop(self) -> None:
        """Let go of the hosts, or take all links down, as configured."""

    def hold(self, options: NetworkOptions) -> None:
        """Tell hosts for how long their sessions are ours."""

    def has(self, login: LoginId) -> bool:
        """Whether a session has its place."""

    async def place(self, logins: Sequence[LoginId]) -> None:
        """Give sessions their places; they come up there."""

    async def displace(self, login: LoginId) -> None:
        """Take a session's place away; nobody uses it when this returns."""

    def way_to(self, login: LoginId) -> Way | None:
        """The way to a session's host while there is one."""

    def stats(self) -> Sequence[WaHostStats]:
        """Figures of the hosts, a few seconds old."""

    def exclusively(self, login: LoginId) -> asyncio.Lock:
        """Held by whoever changes a session's place."""

    def forget(self, login: LoginId) -> None:
        """A login is no more."""


class OwnBerths:
    """Implements Berths with hosts of this process's own, each in a slot."""

    def __init__(self, data: DataFolder, options: NetworkOptions, listener: SlotListener) -> None:
        """`on_worn` of the listener is not called: worn hosts are replaced here."""
        self.slots: list[Slot] = []
        self.options = options
        self._data = data
        self._listener = SlotListener(on_frame=listener.on_frame, on_lost=listener.on_lost, on_worn=self._on_worn)
        self._places: dict[LoginId, Slot] = {}
        self._changing: dict[LoginId, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> Collection[LoginId]:
        """See Berths: hosts of an earlier run are taken over."""
        for folder in sorted(self._data.hosts.iterdir()):
            await self._adopt_host(folder)
        return tuple(self._places)

    def warm(self) -> None:
        """Have a host before there is a session for it: its start would be a part of the time a link is down."""
        if not self.slots:
            self._open_slot()

    async def _adopt_host(self, folder: Path) -> None:
        slot = self._new_slot()
        if not await slot.adopt(folder):
            shutil.rmtree(folder, ignore_errors=True)
            return
        log.info("took over session host %s with %d sessions", slot.name, len(slot.logins))
        self.slots.append(slot)
        self._places.update(dict.fromkeys(slot.logins, slot))
        slot.start()

    async def stop(self) -> None:
        """See Berths."""
        await end_all(self._tasks)
        keeps_host = self.options.keeps_links_on_stop
        await asyncio.gather(*(slot.stop(keeps_host=keeps_host) for slot in self.slots))

    def hold(self, options: NetworkOptions) -> None:
        """See Berths."""
        self.options = options
        for slot in self.slots:
            slot.hold(options)

    def has(self, login: LoginId) -> bool:
        """See Berths."""
        return login in self._places

    async def place(self, logins: Sequence[LoginId]) -> None:
        """See Berths."""
        for login in logins:
            await self.add(login)

    async def add(self, login: LoginId, epoch: int = 0) -> None:
        """Give a session its place, under the epoch in which it is ours."""
        slot = next((slot for slot in self.slots if slot.room > 0), None)
        if slot is None:
            slot = self._open_slot()
        self._places[login] = slot
        await slot.add(login, epoch)

    async def displace(self, login: LoginId) -> None:
        """See Berths."""
        slot = self._places.pop(login, None)
        if slot is not None:
            await slot.remove(login)

    def way_to(self, login: LoginId) -> Way | None:
        """See Berths."""
        slot = self._places.get(login)
        return slot.connection if slot is not None else None

    def stats(self) -> Sequence[WaHostStats]:
        """See Berths."""
        return tuple(slot.stats for slot in self.slots if slot.stats is not None)

    def exclusively(self, login: LoginId) -> asyncio.Lock:
        """See Berths."""
        return self._changing.setdefault(login, asyncio.Lock())

    def forget(self, login: LoginId) -> None:
        """See Berths."""
        self._changing.pop(login, None)

    # Worn hosts

    def _open_slot(self) -> Slot:
        slot = self._new_slot()
        self.slots.append(slot)
        slot.start()
        return slot

    def _new_slot(self) -> Slot:
        return Slot(self._data, self.options, self._listener)

    def _on_worn(self, slot: Slot) -> None:
        slot.is_retiring = True
        log.info("session host %s is worn: its sessions move", slot.name)
        spawn(self._recycle(slot), name="recycle-host", tasks=self._tasks)

    async def recycle(self, slot_name: str) -> None:
        """Move the sessions of a host to another and end it."""
        for slot in tuple(self.slots):
            if slot.name == slot_name and not slot.is_retiring:
                slot.is_retiring = True
                await self._recycle(slot)

    async def _recycle(self, slot: Slot) -> None:
        for login, epoch in tuple(slot.logins.items()):
            async with self.exclusively(login):
                if self._places.get(login) is slot:
                    await self.displace(login)
                    await self.add(login, epoch)
        await slot.stop(keeps_host=False)
        self.slots.remove(slot)


def held_until(options: NetworkOptions, until: float) -> NetworkOptions:
    """The same options with sessions that are ours until then, by the machine's clock."""
    if options.keeping is None:
        return options
    keeping = msgspec.structs.replace(options.keeping, until=until)
    return replace(options, keeping=keeping)
