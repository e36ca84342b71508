"""All links: which host holds which session, from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from mautrix_whatsapp_py.errors import ExitCode, StartupError, WhatsAppError, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa_link import WaDevice, WaHostStats
from mautrix_whatsapp_py.ports import WaEventSink
from mautrix_whatsapp_py.tasks import end_all, spawn
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.client import Client
from mautrix_whatsapp_py.whatsapp.connection import HostConnection
from mautrix_whatsapp_py.whatsapp.folders import DataFolder, FolderBusy, SessionFolder, lock_file
from mautrix_whatsapp_py.whatsapp.options import NetworkOptions
from mautrix_whatsapp_py.whatsapp.pairing import PairingAttempt, clear_leftovers
from mautrix_whatsapp_py.whatsapp.sessions import DatabaseSessions, FolderSessions, SessionRecords, Sessions
from mautrix_whatsapp_py.whatsapp.slot import Slot, SlotListener

log = logging.getLogger(__name__)

_LOGOUT_SECONDS = 20.0


class Network:
    """Implements WhatsAppNetwork. Only one bridge may work on a data folder."""

    def __init__(self, options: NetworkOptions, sink: WaEventSink, records: SessionRecords | None = None) -> None:
        """With records, sessions are in a database and not in folders."""
        self._options = options
        self._sink = sink
        self._data = DataFolder(path=options.folder)
        self._sessions: Sessions = (
            FolderSessions(self._data) if records is None else DatabaseSessions(self._data, records)
        )
        self._lock: int | None = None
        self._slots: list[Slot] = []
        self._places: dict[LoginId, Slot] = {}
        self._clients: dict[LoginId, Client] = {}
        self._pairings: list[PairingAttempt] = []
        self._changing: dict[LoginId, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # Life

    async def start(self) -> None:
        """Take over hosts that are still there, then resume all other links, most recently used first."""
        self._data.ensure()
        try:
            self._lock = lock_file(self._data.lock)
        except FolderBusy as error:
            raise StartupError(
                "another bridge uses this data folder",
                mend="stop it, or give this one a folder of its own",
                code=ExitCode.DATA_FOLDER,
            ) from error
        clear_leftovers(self._data.pairings)
        await self._adopt_hosts()
        paused = await self._sessions.get_paused()
        for login in await self._sessions.get_logins():
            client = self._ensure_client(login)
            if login in self._places:
                continue
            if login in paused:
                client.on_disconnected()
                continue
            await self._place(login)

    def hold(self, until: float) -> None:
        """The sessions are ours until then, by the machine's clock; hosts that are not told later end."""
        if self._options.keeping is not None:
            keeping = msgspec.structs.replace(self._options.keeping, until=until)
            self._options = replace(self._options, keeping=keeping)
        for slot in self._slots:
            slot.hold(self._options)
        for pairing in self._pairings:
            pairing.hold(self._options)

    async def stop(self) -> None:
        """Let go of the hosts, or take all links down, as configured."""
        for client in self._clients.values():
            client.flush()
        await asyncio.gather(*(pairing.cancel() for pairing in self._pairings if not pairing.is_over))
        await end_all(self._tasks)
        keeps_host = self._options.keeps_links_on_stop
        await asyncio.gather(*(slot.stop(keeps_host=keeps_host) for slot in self._slots))
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _adopt_hosts(self) -> None:
        for folder in sorted(self._data.hosts.iterdir()):
            slot = self._new_slot()
            if not await slot.adopt(folder):
                shutil.rmtree(folder, ignore_errors=True)
                continue
            log.info("took over session host %s with %d sessions", slot.name, len(slot.logins))
            self._slots.append(slot)
            for login in slot.logins:
                self._places[login] = slot
                self._ensure_client(login)
            slot.start()

    # Placement

    def _new_slot(self) -> Slot:
        listener = SlotListener(on_frame=self._on_frame, on_lost=self._on_lost, on_worn=self._on_worn)
        return Slot(self._data, self._options, listener)

    async def _place(self, login: LoginId) -> None:
        slot = next((slot for slot in self._slots if slot.room > 0), None)
        if slot is None:
            slot = self._new_slot()
            self._slots.append(slot)
            slot.start()
        self._places[login] = slot
        await slot.add(login)

    async def _displace(self, login: LoginId) -> None:
        slot = self._places.pop(login, None)
        if slot is not None:
            await slot.remove(login)

    def _on_worn(self, slot: Slot) -> None:
        slot.is_retiring = True
        log.info("session host %s is worn: its sessions move", slot.name)
        spawn(self._recycle(slot), name="recycle-host", tasks=self._tasks)

    async def recycle(self, slot_name: str) -> None:
        """Move the sessions of a host to another and end it."""
        for slot in tuple(self._slots):
            if slot.name == slot_name and not slot.is_retiring:
                slot.is_retiring = True
                await self._recycle(slot)

    async def _recycle(self, slot: Slot) -> None:
        for login in tuple(slot.logins):
            async with self._exclusively(login):
                if self._places.get(login) is slot:
                    await self._displace(login)
                    await self._place(login)
        await slot.stop(keeps_host=False)
        self._slots.remove(slot)

    def _exclusively(self, login: LoginId) -> asyncio.Lock:
        return self._changing.setdefault(login, asyncio.Lock())

    # What hosts say

    def _on_frame(self, frame: wire.FromHost) -> None:
        match frame:
            case wire.Event():
                self._ensure_client(frame.login).on_event(frame)
            case wire.LinkChanged():
                self._ensure_client(frame.login).on_fact(frame.fact)
            case _:
                log.debug("unexpected frame %s", type(frame).__name__)

    def _on_lost(self, logins: tuple[LoginId, ...]) -> None:
        for login in logins:
            self._ensure_client(login).on_host_lost()

    def _ensure_client(self, login: LoginId) -> Client:
        client = self._clients.get(login)
        if client is None:
            client = self._clients[login] = Client(login, self._sink, lambda: self._connection_of(login))
        return client

    def _connection_of(self, login: LoginId) -> HostConnection | None:
        slot = self._places.get(login)
        return slot.connection if slot is not None else None

    # The port

    def get_logins(self) -> Sequence[LoginId]:
        """See WhatsAppNetwork."""
        return tuple(self._clients)

    def get_client(self, login: LoginId) -> Client | None:
        """See WhatsAppNetwork."""
        return self._clients.get(login)

    def get_hosts(self) -> Sequence[WaHostStats]:
        """See WhatsAppNetwork."""
        return tuple(slot.stats for slot in self._slots if slot.stats is not None)

    async def start_pairing(self, phone: str = "") -> PairingAttempt:
        """See WhatsAppNetwork."""
        self._pairings = [pairing for pairing in self._pairings if not pairing.is_over]
        if len(self._pairings) >= self._options.max_pairings:
            raise WhatsAppUnavailable("Too many logins are under way. Try again in a few minutes.", code="busy")
        attempt = PairingAttempt(phone, self._data, self._options, self._adopt_session)
        self._pairings.append(attempt)
        attempt.start()
        return attempt

    async def connect(self, login: LoginId) -> None:
        """See WhatsAppNetwork."""
        async with self._exclusively(login):
            await self._sessions.set_paused(login, is_paused=False)
            client = self._ensure_client(login)
            if login in self._places:
                await client.request(wire.RestartSession(login=login))
            else:
                await self._place(login)

    async def disconnect(self, login: LoginId) -> None:
        """See WhatsAppNetwork."""
        async with self._exclusively(login):
            await self._sessions.set_paused(login, is_paused=True)
            await self._displace(login)
            self._ensure_client(login).on_disconnected()

    async def logout(self, login: LoginId) -> bool:
        """See WhatsAppNetwork."""
        has_told_phone = False
        client = self._clients.get(login)
        if client is not None and client.state.is_usable:
            with contextlib.suppress(WhatsAppError):
                await client.request(wire.Logout(login=login), deadline_seconds=_LOGOUT_SECONDS)
                has_told_phone = True
        await self.delete_session(login)
        return has_told_phone

    async def delete_session(self, login: LoginId) -> None:
        """See WhatsAppNetwork."""
        async with self._exclusively(login):
            await self._displace(login)
            self._clients.pop(login, None)
            await self._sessions.delete(login)
        self._changing.pop(login, None)

    async def _adopt_session(self, device: WaDevice, folder: SessionFolder) -> bool:
        """A pairing is complete: its session becomes, or replaces, the one of its login."""
        login = device.login
        async with self._exclusively(login):
            has_replaced = await self._sessions.has_session(login)
            client = self._ensure_client(login)
            if has_replaced and client.state.is_usable:
                # Frees the slot the former session holds among the phone's linked devices.
                with contextlib.suppress(WhatsAppError):
                    await client.request(wire.Logout(login=login), deadline_seconds=_LOGOUT_SECONDS)
            await self._displace(login)
            await self._sessions.adopt(device, folder)
            await self._place(login)
        return has_replaced

    def host_folders(self) -> Sequence[Path]:
        """Folders of the hosts, for a look from outside."""
        return tuple(sorted(self._data.hosts.iterdir()))
