"""Composition of the takeover of another bridge."""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from mautrix_whatsapp_py.app.running import opened_store
from mautrix_whatsapp_py.bridge.names import GhostNames
from mautrix_whatsapp_py.config import Config, RunOptions
from mautrix_whatsapp_py.errors import ExitCode, StartupError, StoreUnavailable
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.ops.folder import FolderLock
from mautrix_whatsapp_py.ops.takeover.accounts import OldDevice, SessionUnusable, copy_session
from mautrix_whatsapp_py.ops.takeover.report import OnProgress, Report
from mautrix_whatsapp_py.ops.takeover.run import NotTheirs, Takeover, take_over
from mautrix_whatsapp_py.store.foreign import ForeignDatabase
from mautrix_whatsapp_py.store.url import DatabaseAddress, SqliteAddress, decode_database_url
from mautrix_whatsapp_py.whatsapp.blank import NoTables, make_blank_session
from mautrix_whatsapp_py.whatsapp.folders import (
    PRIVATE_FILE,
    DataFolder,
    FolderBusy,
    SessionFileError,
    SessionFolder,
    lock_file,
    require_session_jid,
)


def run_takeover(config: Config, source: DatabaseAddress, on_progress: OnProgress, *, is_dry: bool) -> Report:
    """Copy what another bridge knows into the database and session folder of a configuration.

    Dry, into a folder that is deleted afterwards.
    """
    if isinstance(source, SqliteAddress) and not source.path.is_file():
        raise StartupError(
            f"{source} does not exist", mend="name the old database with --database", code=ExitCode.USAGE
        )
    if not is_dry:
        return _run_locked(config, source, on_progress)
    with tempfile.TemporaryDirectory(prefix="mautrix-whatsapp-py-") as name:
        return _run_locked(_moved(config, Path(name)), source, on_progress)


def _moved(config: Config, folder: Path) -> Config:
    database = replace(config.database, uri=f"sqlite:///{folder / 'whatsapp.db'}")
    whatsapp = replace(config.whatsapp, session_folder=None)
    return replace(config, database=database, whatsapp=whatsapp, data_folder=folder)


def _run_locked(config: Config, source: DatabaseAddress, on_progress: OnProgress) -> Report:
    lock = FolderLock(config.data_folder)
    lock.acquire()
    sessions = DataFolder(path=config.session_folder).ensure()
    try:
        # Of session hosts that live on without a bridge too: they would write to the files meanwhile.
        descriptor = lock_file(sessions.lock)
    except FolderBusy as error:
        lock.release()
        raise StartupError(
            f"another bridge uses {config.session_folder}", mend="stop it first", code=ExitCode.DATA_FOLDER
        ) from error
    try:
        return asyncio.run(_run(config, source, sessions, on_progress))
    finally:
        os.close(descriptor)
        lock.release()


async def _run(config: Config, source: DatabaseAddress, sessions: DataFolder, on_progress: OnProgress) -> Report:
    async def place(database: ForeignDatabase, login: LoginId, device: OldDevice) -> None:
        await _place_session(database, device, sessions.get_session(login), login)

    names = GhostNames(template=config.appservice.username_template, domain=config.homeserver.domain)
    target = decode_database_url(config.database.uri)
    if target == source:
        raise StartupError(
            "source and target are the same database", mend="name another with --to", code=ExitCode.USAGE
        )
    async with opened_store(target, RunOptions()) as store:
        deps = Takeover(
            source=source,
            store=store,
            names=names,
            place_session=place,
            now=datetime.now(UTC),
            on_progress=on_progress,
        )
        try:
            return await take_over(deps)
        except NotTheirs:
            raise StartupError(
                f"{source} is no database of mautrix-whatsapp",
                mend="name the right one with --database",
                code=ExitCode.USAGE,
            ) from None
        except StoreUnavailable as error:
            raise StartupError(
                f"{source} or {target} cannot be reached",
                mend="check both addresses",
                code=ExitCode.DATABASE_UNAVAILABLE,
            ) from error


async def _place_session(
    database: ForeignDatabase, device: OldDevice, folder: SessionFolder, login: LoginId
) -> None:
    """Copy a session to its folder, unless one is there: that one has lived on since."""
    if folder.database.exists():
        return
    folder.ensure()
    with tempfile.TemporaryDirectory(prefix="takeover-", dir=folder.path) as name:
        draft = SessionFolder(path=Path(name))
        try:
            await asyncio.to_thread(make_blank_session, draft.database)
            await copy_session(database, device, draft.database)
            require_session_jid(draft, login)
        except (NoTables, SessionFileError) as error:
            raise SessionUnusable from error
        draft.database.chmod(PRIVATE_FILE)
        draft.database.replace(folder.database)
