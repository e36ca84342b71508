"""Files that only their owner may read, replaced whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

PRIVATE_MODE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedFile:
    """A file's new text, on disk beside it under another name."""

    target: Path
    staged: Path

    def commit(self) -> None:
        """Put the new text in place."""
        self.staged.replace(self.target)

    def discard(self) -> None:
        """Leave the file as it was."""
        self.staged.unlink(missing_ok=True)


def stage_file(path: Path, text: str, *, rights_of: Path | None = None) -> StagedFile:
    """Write a file's new text beside it; OSError when the folder takes none.

    Mode and owner are those of `rights_of`, else those the file has; a new file is private.
    """
    target = path.resolve()  # a link stays a link
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    staged = StagedFile(target=target, staged=Path(name))
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        _take_over_rights(staged.staged, rights_of or target)
    except BaseException:
        staged.discard()
        raise
    return staged


def replace_file(path: Path, text: str, *, rights_of: Path | None = None) -> None:
    """Replace or create a file in one step; OSError leaves it as it was."""
    staged = stage_file(path, text, rights_of=rights_of)
    try:
        staged.commit()
    except OSError:
        staged.discard()
        raise


def create_file(path: Path, text: str) -> None:
    """Write a new private file in one step; FileExistsError when there is one."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_MODE))
    try:
        replace_file(path, text)
    except BaseException:
        path.unlink()
        raise


def _take_over_rights(staged: Path, model: Path) -> None:
    try:
        rights = model.stat()
    except FileNotFoundError:
        staged.chmod(PRIVATE_MODE)
        return
    if os.geteuid() == 0:
        os.chown(staged, rights.st_uid, rights.st_gid)
    staged.chmod(stat.S_IMODE(rights.st_mode))
