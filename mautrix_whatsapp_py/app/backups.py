"""Composition of backups and moves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.app.postgres_parts import KeysInTheWay, PostgresParts
from mautrix_whatsapp_py.app.running import claimed
from mautrix_whatsapp_py.bridge.clock import SystemClock
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.errors import ExitCode, StartupError, StoreError, StoreUnavailable
from mautrix_whatsapp_py.ops.backups import (
    BackupBroken,
    Manifest,
    OnStep,
    Places,
    PlaceTaken,
    Restored,
    back_up,
    copy_beside,
    restore,
)
from mautrix_whatsapp_py.ops.folder import FolderLock
from mautrix_whatsapp_py.store.copying import NotEmpty, copy_database
from mautrix_whatsapp_py.store.current import fetch_revision, is_current
from mautrix_whatsapp_py.store.migrate import migrate
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import DatabaseAddress, decode_database_url
from mautrix_whatsapp_py.whatsapp.folders import DataFolder, FolderBusy, lock_file


def places_of(config: Config, config_path: Path) -> Places:
    """Where the bridge of a configuration has its things."""
    return Places(
        database=decode_database_url(config.database.uri),
        data_folder=config.data_folder.absolute(),
        session_folder=config.session_folder.absolute(),
        config=config_path.absolute(),
    )


def run_backup(places: Places, target: Path, on_step: OnStep) -> Manifest:
    """Write a backup, whether or not the bridge runs."""
    return asyncio.run(_back_up(places, target, on_step))


async def _back_up(places: Places, target: Path, on_step: OnStep) -> Manifest:
    await _require_current(places.database)
    with _translated():
        return await back_up(
            places,
            target,
            PostgresParts(),
            program=f"mautrix-whatsapp-py {__version__}",
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            is_hot=_is_in_use(places),
            on_step=on_step,
        )


def _is_in_use(places: Places) -> bool:
    """Whether a bridge, or a session host that outlived one, works there."""
    lock = FolderLock(places.data_folder)
    try:
        lock.acquire()
    except StartupError:
        return True
    lock.release()
    return any((places.session_folder / "hosts").glob("*/sock"))


def run_restore(backup: Path, places: Places, on_step: OnStep, *, resends: bool) -> Restored:
    """Put a backup where a configuration has its things."""
    return asyncio.run(_restore(backup, places, on_step, resends=resends))


async def _restore(backup: Path, places: Places, on_step: OnStep, *, resends: bool) -> Restored:
    DataFolder(path=places.session_folder).ensure()
    async with _held(places):
        with _translated():
            return await restore(backup, places, PostgresParts(), resends=resends, on_step=on_step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What came of a copy."""

    rows: dict[str, int]
    sessions: int
    """How many were in the database, and are in files now."""


def run_copy(places: Places, target: DatabaseAddress, on_step: OnStep) -> Copied:
    """Copy the database of a bridge that does not run into another, which may be of the other kind."""
    return asyncio.run(_copy(places, target, on_step))


async def _copy(places: Places, target: DatabaseAddress, on_step: OnStep) -> Copied:
    if target == places.database:
        raise StartupError("this is the same database", mend="name another with --to", code=ExitCode.USAGE)
    await _require_current(places.database)
    async with _held(places), _held(replace(places, database=target), with_folder=False):
        with _translated():
            await migrate(target)
            rows = await copy_database(places.database, target, lambda table, _rows: on_step(table))
            sessions, keys = await copy_beside(places, target, PostgresParts())
            return Copied(rows={**rows, "keys of encrypted rooms": keys}, sessions=sessions)


async def _require_current(address: DatabaseAddress) -> None:
    if await is_current(address):
        return
    store = Store(address)
    try:
        revision = await fetch_revision(store)
    except StoreError:
        revision = None
    finally:
        await store.close()
    raise StartupError(
        f"{address} has the schema of another version" if revision else f"{address} holds no bridge",
        mend="start this version of the bridge on it once" if revision else "check database.uri",
        code=ExitCode.DATABASE_UNSUPPORTED,
    )


@asynccontextmanager
async def _held(places: Places, *, with_folder: bool = True) -> AsyncIterator[None]:
    """Keep every bridge away meanwhile; StartupError when one is there."""
    async with AsyncExitStack() as stack:
        if with_folder:
            lock = FolderLock(places.data_folder)
            lock.acquire()
            stack.callback(lock.release)
            _hold_sessions(places.session_folder, stack)
        await claimed(places.database, SystemClock(), stack)
        yield


def _hold_sessions(folder: Path, stack: AsyncExitStack) -> None:
    if not folder.is_dir():
        return
    try:
        stack.callback(os.close, lock_file(DataFolder(path=folder).lock))
    except FolderBusy as error:
        raise StartupError(
            f"a bridge works in {folder}", mend="stop it first", code=ExitCode.DATA_FOLDER
        ) from error


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except BackupBroken as error:
        raise StartupError(str(error), mend="use another backup", code=ExitCode.USAGE) from None
    except PlaceTaken as error:
        raise StartupError(str(error), mend="move it away or choose another place", code=ExitCode.USAGE) from None
    except NotEmpty:
        raise StartupError(
            "the target database holds a bridge already", mend="name an empty one", code=ExitCode.USAGE
        ) from None
    except KeysInTheWay as error:
        raise StartupError(
            f"keys of encrypted rooms cannot be copied: {error}", mend=error.mend, code=ExitCode.USAGE
        ) from None
    except StoreUnavailable as error:
        raise StartupError(
            "the database cannot be reached", mend="check its address", code=ExitCode.DATABASE_UNAVAILABLE
        ) from error
    except OSError as error:
        raise StartupError(
            f"a file cannot be copied ({error.strerror})",
            mend="make room, and let this user write there",
            code=ExitCode.DATA_FOLDER,
        ) from error
