"""Which sessions there are, as the bridge's side of the hosts sees them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from typing import Protocol

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa_link import WaDevice
from mautrix_whatsapp_py.whatsapp.adoption import adopt_session
from mautrix_whatsapp_py.whatsapp.folders import DataFolder, SessionFolder
from mautrix_whatsapp_py.whatsapp.keeping import pairing_key


class Sessions(Protocol):
    """Where sessions are kept; nobody uses a session while it is adopted or deleted."""

    async def get_logins(self) -> Sequence[LoginId]:
        """Logins with a session, most recently used first where that is known."""

    async def get_paused(self) -> frozenset[LoginId]:
        """Logins whose users want them disconnected."""

    async def set_paused(self, login: LoginId, *, is_paused: bool) -> None:
        """A user wants a login disconnected, or up again."""

    async def has_session(self, login: LoginId) -> bool:
        """Whether a login has credentials."""

    async def adopt(self, device: WaDevice, folder: SessionFolder) -> None:
        """Make the session of a finished pairing that of its login, instead of the one it may have."""

    async def delete(self, login: LoginId) -> None:
        """Forget credentials, journal and payloads of a login."""


class SessionRecords(Protocol):
    """Sessions in a database, by the key under which a pairing's events are."""

    async def get_logins(self) -> Sequence[LoginId]: ...

    async def get_paused(self) -> frozenset[LoginId]: ...

    async def set_paused(self, login: LoginId, *, is_paused: bool) -> None: ...

    async def has_session(self, login: LoginId) -> bool: ...

    async def adopt(self, login: LoginId, *, jid: str, pairing: str) -> None: ...

    async def delete(self, login: LoginId) -> None: ...


class FolderSessions:
    """Every session in its folder."""

    def __init__(self, data: DataFolder) -> None:
        self._data = data

    async def get_logins(self) -> Sequence[LoginId]:
        """See Sessions."""
        return self._data.get_logins()

    async def get_paused(self) -> frozenset[LoginId]:
        """See Sessions."""
        logins = self._data.get_logins()
        return frozenset(login for login in logins if self._data.get_session(login).paused.exists())

    async def set_paused(self, login: LoginId, *, is_paused: bool) -> None:
        """See Sessions."""
        paused = self._data.get_session(login).ensure().paused
        if is_paused:
            paused.touch(mode=0o600)
        else:
            paused.unlink(missing_ok=True)

    async def has_session(self, login: LoginId) -> bool:
        """See Sessions."""
        return self._data.get_session(login).database.exists()

    async def adopt(self, device: WaDevice, folder: SessionFolder) -> None:
        """See Sessions."""
        await asyncio.to_thread(adopt_session, folder, self._data.get_session(device.login))

    async def delete(self, login: LoginId) -> None:
        """See Sessions."""
        await asyncio.to_thread(self._data.delete_session, login)


class DatabaseSessions:
    """All sessions in the bridge's database; what their folders hold besides can be done without."""

    def __init__(self, data: DataFolder, records: SessionRecords) -> None:
        self._data = data
        self._records = records

    async def get_logins(self) -> Sequence[LoginId]:
        """See Sessions."""
        return await self._records.get_logins()

    async def get_paused(self) -> frozenset[LoginId]:
        """See Sessions."""
        return await self._records.get_paused()

    async def set_paused(self, login: LoginId, *, is_paused: bool) -> None:
        """See Sessions."""
        await self._records.set_paused(login, is_paused=is_paused)

    async def has_session(self, login: LoginId) -> bool:
        """See Sessions."""
        return await self._records.has_session(login)

    async def adopt(self, device: WaDevice, folder: SessionFolder) -> None:
        """See Sessions."""
        await self._records.adopt(device.login, jid=str(device.jid), pairing=pairing_key(folder))

    async def delete(self, login: LoginId) -> None:
        """See Sessions."""
        await self._records.delete(login)
        await asyncio.to_thread(shutil.rmtree, self._data.get_session(login).path, ignore_errors=True)
