"""What libraries keep in a Postgres database beside our tables: sessions of workers, keys of encrypted rooms."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mautrix_whatsapp_py.matrix.key_copies import KeysThere, KeysUnknown, copy_keys
from mautrix_whatsapp_py.ops.backups import PlaceTaken
from mautrix_whatsapp_py.store.session_export import export_sessions
from mautrix_whatsapp_py.store.url import DatabaseAddress, SqliteAddress
from mautrix_whatsapp_py.whatsapp.blank import NoTables
from mautrix_whatsapp_py.whatsapp.folders import SessionFolder
from mautrix_whatsapp_py.whatsapp.session_writing import write_session


class KeysInTheWay(Exception):
    """Keys of encrypted rooms that cannot be copied; says why."""

    def __init__(self, text: str, mend: str) -> None:
        super().__init__(text)
        self.mend = mend


class PostgresParts:
    """Implements Elsewhere."""

    async def export_sessions(self, source: DatabaseAddress, folder: Path) -> int:
        """See Elsewhere."""
        if isinstance(source, SqliteAddress):
            return 0
        sessions = await export_sessions(source)
        targets = {login: SessionFolder(path=folder / login) for login in sessions}
        for target in targets.values():
            if target.database.exists():
                raise PlaceTaken(f"there is a WhatsApp session already: {target.path}")
        for login, session in sessions.items():
            try:
                await asyncio.to_thread(write_session, targets[login], session)
            except NoTables as error:
                raise OSError(None, "the client library made no tables") from error
        return len(sessions)

    async def copy_keys(self, source: DatabaseAddress, target: DatabaseAddress) -> int:
        """See Elsewhere."""
        try:
            return await copy_keys(_to_url(source), _to_url(target))
        except ImportError as error:
            mend = "run pip install 'mautrix-whatsapp-py[encryption]'"
            raise KeysInTheWay(f"a package is missing ({error.name})", mend) from error
        except KeysThere:
            raise KeysInTheWay("there are some already", "name an empty database with --to") from None
        except KeysUnknown:
            mend = "start this version of the bridge on the old database once"
            raise KeysInTheWay("they are those of another version", mend) from None


def _to_url(address: DatabaseAddress) -> str:
    return f"sqlite:///{address.path.absolute()}" if isinstance(address, SqliteAddress) else address.dsn
