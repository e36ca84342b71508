"""The data folder: writable, and used by one bridge at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from mautrix_whatsapp_py.errors import ExitCode, StartupError

LOCK_NAME = "bridge.lock"


class FolderLock:
    """Holds a folder for this process; the system lets go of it however the process ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_NAME
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the folder; StartupError when it cannot be written or another bridge has it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartupError(
                f"The data folder {self._path.parent} cannot be written ({error.strerror})",
                mend="let the user who runs the bridge write there, or choose another folder",
                code=ExitCode.DATA_FOLDER,
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise StartupError(
                f"Another bridge is running on the data folder {self._path.parent}",
                mend="stop it first, or give this one a folder and a database of its own",
                code=ExitCode.DATA_FOLDER,
            ) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the folder back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
