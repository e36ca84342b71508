"""Where a host's sessions keep their things: each in its folder, or all in one database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.whatsapp.folders import SessionFolder
from mautrix_whatsapp_py.whatsapp.host.journal import EventJournal, Journal
from mautrix_whatsapp_py.whatsapp.keeping import Keeping, pairing_key
from mautrix_whatsapp_py.whatsapp.tables import Database


class Keep(Protocol):
    """Opens what a session reads and writes."""

    def open_journal(self, folder: SessionFolder, login: LoginId | None) -> EventJournal:
        """The journal of a login, or of a pairing whose login is not known yet."""

    def get_database(self, folder: SessionFolder, login: LoginId | None, jid: str = "") -> Database:
        """The library's tables, of one device when that is known."""

    def watch(self, on_lost: Callable[[], object]) -> None:
        """Tell, on any thread, when what is kept cannot be reached any more."""

    def hold(self, login: LoginId, epoch: int) -> None:
        """A login is this host's from now on, in an epoch of its own; 0 where it goes with all the others."""


class FolderKeep:
    """Every session has its files in its folder."""

    def watch(self, on_lost: Callable[[], object]) -> None:
        """See Keep; files stay where they are."""

    def hold(self, login: LoginId, epoch: int) -> None:
        """See Keep; the lock of a folder says it."""

    def open_journal(self, folder: SessionFolder, login: LoginId | None) -> EventJournal:
        """See Keep."""
        return Journal(folder.journal, folder.blobs)

    def get_database(self, folder: SessionFolder, login: LoginId | None, jid: str = "") -> Database:
        """See Keep."""
        return folder.database


class PostgresKeep:
    """All sessions of a bridge are in its database."""

    def __init__(self, keeping: Keeping) -> None:
        # Here and not above: hosts without it need not hold its code.
        from mautrix_whatsapp_py.whatsapp.host.postgres import PostgresLine

        self._line = PostgresLine(keeping)
        self._epochs: dict[LoginId, int] = {}

    def watch(self, on_lost: Callable[[], object]) -> None:
        """See Keep."""
        self._line.watch(on_lost)

    def hold(self, login: LoginId, epoch: int) -> None:
        """See Keep."""
        self._epochs[login] = epoch

    def open_journal(self, folder: SessionFolder, login: LoginId | None) -> EventJournal:
        """See Keep."""
        from mautrix_whatsapp_py.whatsapp.host.postgres_journal import PostgresJournal

        if login is None:
            return PostgresJournal(self._line, pairing_key(folder))
        return PostgresJournal(self._line, login, epoch=self._epochs.get(login, 0))

    def get_database(self, folder: SessionFolder, login: LoginId | None, jid: str = "") -> Database:
        """See Keep."""
        from mautrix_whatsapp_py.whatsapp.host.postgres import PostgresTables

        return PostgresTables(self._line, login=login, jid=jid)
