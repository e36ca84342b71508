"""Makes the files of a finished pairing those of a login, keeping what its journal still holds."""

from __future__ import annotations

import shutil
from pathlib import Path

from mautrix_whatsapp_py.whatsapp.folders import SessionFolder
from mautrix_whatsapp_py.whatsapp.host.journal import merge_journal

_TAILS = ("", "-wal", "-shm")


def adopt_session(source: SessionFolder, target: SessionFolder) -> None:
    """Move session, journal and payloads; events of a former session of this login that wait stay in front."""
    target.ensure()
    target.paused.unlink(missing_ok=True)
    for tail in _TAILS:
        _beside(target.database, tail).unlink(missing_ok=True)
    for path in source.blobs.iterdir():
        shutil.move(path, target.blobs / path.name)
    if target.journal.exists():
        merge_journal(source.journal, target.journal)
    else:
        _move(source.journal, target.journal)
    # Last: a session file marks the login as there.
    _move(source.database, target.database)


def _move(source: Path, target: Path) -> None:
    for tail in reversed(_TAILS):
        part = _beside(source, tail)
        if part.exists():
            part.replace(_beside(target, tail))


def _beside(path: Path, tail: str) -> Path:
    return path.with_name(path.name + tail)
