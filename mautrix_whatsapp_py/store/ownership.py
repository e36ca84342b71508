"""Whether a database is ours to change; pure judgement on what was found in it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.store.tables import metadata

OWNER = "mautrix-whatsapp-py"
HOMESERVER_TABLES = {"state_groups_state": "Synapse", "roomserver_rooms": "Dendrite"}
_OWN_DATABASE = (
    "give the bridge a database of its own in database.uri, "
    "or start with --ignore-foreign-tables if you know that the two do not collide"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a database holds before we touch it."""

    tables: Collection[str]
    owner: str | None
    revision: str | None


def require_own(found: Found, *, where: str) -> None:
    """Raise StartupError when the tables of another program are there."""
    for table, homeserver in HOMESERVER_TABLES.items():
        if table in found.tables:
            raise _unsupported(f"{where} holds the tables of {homeserver}", _OWN_DATABASE)
    if found.owner is not None and found.owner != OWNER:
        raise _unsupported(f"{where} belongs to {found.owner}", _OWN_DATABASE)
    ours = metadata.tables.keys() & set(found.tables)
    if found.owner is None and (ours or found.revision is not None):
        raise _unsupported(f"{where} holds the tables of another program", _OWN_DATABASE)


def require_known(found: Found, *, known: Collection[str], where: str) -> None:
    """Raise StartupError when a newer version of the program has upgraded the database."""
    if found.revision is not None and found.revision not in known:
        raise _unsupported(
            f"{where} has schema {found.revision}, which this version does not know",
            "start the newer version that upgraded it, or restore the backup beside it; "
            "--ignore-unsupported-database starts all the same",
        )


def _unsupported(text: str, mend: str) -> StartupError:
    return StartupError(text, mend=mend, code=ExitCode.DATABASE_UNSUPPORTED)
