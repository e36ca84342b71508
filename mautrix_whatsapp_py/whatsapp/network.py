"""All links: which host holds which session, from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from mautrix_whatsapp_py.errors import ExitCode, StartupError, WhatsAppError, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa_link import WaDevice, WaHostStats
from mautrix_whatsapp_py.ports import WaEventSink
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.berths import Berths, OwnBerths, held_until
from mautrix_whatsapp_py.whatsapp.client import Client
from mautrix_whatsapp_py.whatsapp.folders import DataFolder, FolderBusy, SessionFolder, lock_file
from mautrix_whatsapp_py.whatsapp.options import NetworkOptions
from mautrix_whatsapp_py.whatsapp.pairing import PairingAttempt, clear_leftovers
from mautrix_whatsapp_py.whatsapp.sessions import DatabaseSessions, FolderSessions, SessionRecords, Sessions
from mautrix_whatsapp_py.whatsapp.slot import SlotListener

log = logging.getLogger(__name__)

_LOGOUT_SECONDS = 20.0
MakeBerths: TypeAlias = Callable[[SlotListener], Berths]
"""Makes places for sessions that tell this listener what they say."""


class Network:
    """Implements WhatsAppNetwork. Only one bridge may work on a data folder."""

    def __init__(
        self,
        options: NetworkOptions,
        sink: WaEventSink,
        records: SessionRecords | None = None,
        make_berths: MakeBerths | None = None,
    ) -> None:
        """With records, sessions are in a database and not in folders; their places are here unless said."""
        self._options = options
        self._sink = sink
        self._data = DataFolder(path=options.folder)
        self._sessions: Sessions = (
            FolderSessions(self._data) if records is None else DatabaseSessions(self._data, records)
        )
        self._lock: int | None = None
        listener = SlotListener(on_frame=self._on_frame, on_lost=self._on_lost, on_worn=lambda _slot: None)
        self.berths: Berths = (
            OwnBerths(self._data, options, listener) if make_berths is None else make_berths(listener)
        )
        self._clients: dict[LoginId, Client] = {}
        self._pairings: list[PairingAttempt] = []

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
        placed = set(await self.berths.start())
        for login in placed:
            self._ensure_client(login)
        paused = await self._sessions.get_paused()
        logins = [login for login in await self._sessions.get_logins() if login not in placed]
        for login in logins:
            client = self._ensure_client(login)
            if login in paused:
                client.on_disconnected()
        await self.berths.place([login for login in logins if login not in paused])

    def hold(self, until: float) -> None:
        """The sessions are ours until then, by the machine's clock; hosts that are not told later end."""
        self._options = held_until(self._options, until)
        self.berths.hold(self._options)
        for pairing in self._pairings:
            pairing.hold(self._options)

    async def stop(self) -> None:
        """Let go of the hosts, or take all links down, as configured."""
        for client in self._clients.values():
            client.flush()
        await asyncio.gather(*(pairing.cancel() for pairing in self._pairings if not pairing.is_over))
        await self.berths.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

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
            client = self._clients[login] = Client(login, self._sink, lambda: self.berths.way_to(login))
        return client

    # The port

    def get_logins(self) -> Sequence[LoginId]:
        """See WhatsAppNetwork."""
        return tuple(self._clients)

    def get_client(self, login: LoginId) -> Client | None:
        """See WhatsAppNetwork."""
        return self._clients.get(login)

    def get_hosts(self) -> Sequence[WaHostStats]:
        """See WhatsAppNetwork."""
        return self.berths.stats()

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
        async with self.berths.exclusively(login):
            await self._sessions.set_paused(login, is_paused=False)
            client = self._ensure_client(login)
            if self.berths.has(login):
                await client.request(wire.RestartSession(login=login))
            else:
                await self.berths.place([login])

    async def disconnect(self, login: LoginId) -> None:
        """See WhatsAppNetwork."""
        async with self.berths.exclusively(login):
            await self._sessions.set_paused(login, is_paused=True)
            await self.berths.displace(login)
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
        async with self.berths.exclusively(login):
            await self.berths.displace(login)
            self._clients.pop(login, None)
            await self._sessions.delete(login)
        self.berths.forget(login)

    async def _adopt_session(self, device: WaDevice, folder: SessionFolder) -> bool:
        """A pairing is complete: its session becomes, or replaces, the one of its login."""
        login = device.login
        async with self.berths.exclusively(login):
            has_replaced = await self._sessions.has_session(login)
            client = self._ensure_client(login)
            if has_replaced and client.state.is_usable:
                # Frees the slot the former session holds among the phone's linked devices.
                with contextlib.suppress(WhatsAppError):
                    await client.request(wire.Logout(login=login), deadline_seconds=_LOGOUT_SECONDS)
            await self.berths.displace(login)
            await self._sessions.adopt(device, folder)
            await self.berths.place([login])
        return has_replaced

    def host_folders(self) -> Sequence[Path]:
        """Folders of the hosts, for a look from outside."""
        return tuple(sorted(self._data.hosts.iterdir()))
