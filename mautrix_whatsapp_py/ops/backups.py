"""Backups: everything a bridge needs to go on elsewhere, in one folder."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from mautrix_whatsapp_py.ops.session_copies import copy_file, copy_sessions
from mautrix_whatsapp_py.store.copying import copy_database, settle_in_flight, snapshot_file
from mautrix_whatsapp_py.store.current import HEAD
from mautrix_whatsapp_py.store.migrate import migrate
from mautrix_whatsapp_py.store.url import DatabaseAddress, SqliteAddress

MANIFEST, DATABASE, SESSIONS, BESIDE, DATA = "manifest.json", "database.db", "sessions", "config", "data"
KEYS = "crypto.db"
DATA_FILES = (KEYS, "crypto.key", "channel-token")
DATA_FOLDERS = ("channel", "cards")
CONFIG_FILES = ("config.yaml", "registration.yaml", "doublepuppet.yaml")
OnStep = Callable[[str], None]


class BackupBroken(Exception):
    """A backup that is not whole, or of a newer program; says what is wrong."""


class PlaceTaken(Exception):
    """Something is where the backup should go; says what."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself."""

    program: str
    schema: str
    made_at: str
    is_hot: bool
    """Whether the bridge ran on while it was made."""
    accounts: int
    files: dict[str, str]
    """Digests by path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a bridge has its things."""

    database: DatabaseAddress
    data_folder: Path
    session_folder: Path
    config: Path

    @property
    def sessions(self) -> Path:
        """The folder with one folder for each account."""
        return self.session_folder / "sessions"


class Elsewhere(Protocol):
    """Copies what is in a Postgres database and is not ours."""

    async def export_sessions(self, source: DatabaseAddress, folder: Path) -> int:
        """Write sessions into a folder for each; how many there were."""

    async def copy_keys(self, source: DatabaseAddress, target: DatabaseAddress) -> int:
        """Copy the keys of encrypted rooms between a file and Postgres; how many rows."""


async def back_up(
    places: Places,
    target: Path,
    elsewhere: Elsewhere,
    *,
    program: str,
    made_at: str,
    is_hot: bool,
    on_step: OnStep,
) -> Manifest:
    """Write a backup into a folder that appears whole or not at all. PlaceTaken, StoreError, OSError."""
    draft = _make_draft(target)
    # Sessions before the database: what their journals still hold is then known in it, if it was handled.
    on_step("sessions")
    accounts = copy_sessions(places.sessions, draft / SESSIONS)
    accounts += await elsewhere.export_sessions(places.database, draft / SESSIONS)
    on_step("database")
    copy = SqliteAddress(path=draft / DATABASE)
    if isinstance(places.database, SqliteAddress):
        snapshot_file(places.database.path, copy.path)
    else:
        await migrate(copy)
        await copy_database(places.database, copy, lambda _table, _rows: None)
    on_step("files")
    _copy_beside(places, draft)
    if not isinstance(places.database, SqliteAddress):
        (draft / DATA).mkdir(mode=0o700, exist_ok=True)
        await elsewhere.copy_keys(places.database, SqliteAddress(path=draft / DATA / KEYS))
    manifest = Manifest(
        program=program, schema=HEAD, made_at=made_at, is_hot=is_hot, accounts=accounts, files=_digests(draft)
    )
    (draft / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    draft.rename(target)
    return manifest


def _make_draft(target: Path) -> Path:
    if target.exists():
        raise PlaceTaken(f"there is something already: {target}")
    draft = target.with_name(f"{target.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    return draft


def _copy_beside(places: Places, draft: Path) -> None:
    for name in CONFIG_FILES:
        source = places.config if name == "config.yaml" else places.config.with_name(name)
        copy_file(source, draft / BESIDE / name)
    for name in DATA_FILES:
        copy_file(places.data_folder / name, draft / DATA / name)
    for name in DATA_FOLDERS:
        for entry in sorted((places.data_folder / name).rglob("*")):
            copy_file(entry, draft / DATA / entry.relative_to(places.data_folder))


def read_manifest(backup: Path) -> Manifest:
    """What a backup says, once every file of it is found to be what it was. BackupBroken."""
    try:
        manifest = msgspec.json.decode((backup / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise BackupBroken(f"{backup} is no backup") from error
    if manifest.schema > HEAD:
        raise BackupBroken(f"{backup} was made by a newer version ({manifest.program})")
    if _digests(backup) != manifest.files:
        raise BackupBroken(f"{backup} is not what it was when it was made")
    return manifest


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came of a restoration."""

    manifest: Manifest
    held_back: int
    """Messages that were on their way and are not sent again."""


async def restore(
    backup: Path, places: Places, elsewhere: Elsewhere, *, resends: bool, on_step: OnStep
) -> Restored:
    """Put a backup in place, where nothing is yet. BackupBroken, PlaceTaken, StoreError, OSError."""
    manifest = read_manifest(backup)
    if places.sessions.is_dir() and any(places.sessions.iterdir()):
        raise PlaceTaken(f"there are WhatsApp sessions in {places.sessions}")
    on_step("database")
    await _restore_database(backup / DATABASE, places.database)
    held_back = 0
    if manifest.is_hot and not resends:
        held_back = await settle_in_flight(places.database)
    on_step("files")
    _copy_tree(backup / DATA, places.data_folder)
    await _place_keys(places, elsewhere)
    on_step("sessions")
    # Last: a session in place is a link that comes up.
    _copy_tree(backup / SESSIONS, places.sessions)
    return Restored(manifest=manifest, held_back=held_back)


async def _restore_database(copy: Path, target: DatabaseAddress) -> None:
    if isinstance(target, SqliteAddress):
        if target.path.exists():
            raise PlaceTaken(f"there is a database already: {target.path}")
        copy_file(copy, target.path)
        await migrate(target)
        return
    await migrate(target)
    # The copy in the backup stays as it is.
    draft = copy.with_name(f"{copy.name}.part")
    shutil.copyfile(copy, draft)
    try:
        await migrate(SqliteAddress(path=draft))
        await copy_database(SqliteAddress(path=draft), target, lambda _table, _rows: None)
    finally:
        for part in draft.parent.glob(f"{draft.name}*"):
            part.unlink()


async def _place_keys(places: Places, elsewhere: Elsewhere) -> None:
    """With Postgres they are in the database."""
    file = places.data_folder / KEYS
    if isinstance(places.database, SqliteAddress) or not file.exists():
        return
    await elsewhere.copy_keys(SqliteAddress(path=file), places.database)
    for part in file.parent.glob(f"{KEYS}*"):
        part.unlink()


async def copy_beside(source: Places, target: DatabaseAddress, elsewhere: Elsewhere) -> tuple[int, int]:
    """Put beside a copied database what belongs to it; how many sessions, and rows of keys.

    PlaceTaken, StoreError, OSError.
    """
    accounts = await elsewhere.export_sessions(source.database, source.sessions)
    folder = target.path.parent.absolute() if isinstance(target, SqliteAddress) else source.config.parent
    if folder != source.data_folder:
        for name in DATA_FILES[1:]:
            copy_file(source.data_folder / name, folder / name)
        _copy_tree(source.data_folder / "cards", folder / "cards")
    old, new = _keys_of(source.database, source.data_folder), _keys_of(target, folder)
    if isinstance(old, SqliteAddress) and isinstance(new, SqliteAddress):
        if old != new:
            copy_file(old.path, new.path)
        return accounts, 0
    if isinstance(old, SqliteAddress) and not old.path.exists():
        return accounts, 0
    return accounts, await elsewhere.copy_keys(old, new)


def _keys_of(database: DatabaseAddress, folder: Path) -> DatabaseAddress:
    return SqliteAddress(path=folder / KEYS) if isinstance(database, SqliteAddress) else database


def _copy_tree(source: Path, target: Path) -> None:
    for entry in sorted(source.rglob("*")) if source.is_dir() else []:
        place = target / entry.relative_to(source)
        if entry.is_dir():
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif not place.exists():
            copy_file(entry, place)
