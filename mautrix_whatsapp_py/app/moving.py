"""Moves sessions that a bridge kept in files while it was alone into the database it now shares."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from pathlib import Path

from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.ids import LoginId, login_tag
from mautrix_whatsapp_py.store.session_import import import_session
from mautrix_whatsapp_py.store.sessions import SessionRecords
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.whatsapp.blank import NoTables, make_shared_tables
from mautrix_whatsapp_py.whatsapp.folders import DataFolder, FolderBusy, SessionFolder, lock_file
from mautrix_whatsapp_py.whatsapp.keeping import Keeping
from mautrix_whatsapp_py.whatsapp.session_files import put_aside, read_session

log = logging.getLogger(__name__)

ASIDE = "moved"


async def move_sessions(files: Path, data: DataFolder, store: Store, keeping: Keeping) -> None:
    """Move what lies in the folder of a bridge that was alone; what cannot be moved stays and is told of."""
    former = DataFolder(path=files)
    if not former.sessions.is_dir():
        return
    logins = [login for login in former.get_logins() if former.get_session(login).database.exists()]
    if not logins:
        return
    try:
        await asyncio.to_thread(make_shared_tables, keeping)
    except NoTables:
        log.error("sessions in files cannot be moved: the client library made no tables in the database")
        return
    for login in logins:
        await _move(login, former, data, store)


async def _move(login: LoginId, former: DataFolder, data: DataFolder, store: Store) -> None:
    folder = former.get_session(login)
    try:
        lock = lock_file(folder.lock)
    except FolderBusy:
        log.warning("the session of login %s stays in its folder: a host uses it still", login_tag(login))
        return
    try:
        await _copy(login, folder, store)
        await asyncio.to_thread(put_aside, folder, former.path / ASIDE, data.get_session(login).history)
        log.info("the session of login %s is in the database now", login_tag(login))
    except (sqlite3.Error, OSError, StoreError) as error:
        log.error("the session of login %s could not be moved: %s", login_tag(login), type(error).__name__)
    finally:
        os.close(lock)


async def _copy(login: LoginId, folder: SessionFolder, store: Store) -> None:
    if await SessionRecords(store).has_session(login):
        # Moved before, but for the folder; or linked anew since.
        return
    await import_session(store, login, await asyncio.to_thread(read_session, folder))
