"""What the methods of repositories are handed: an open transaction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import CursorResult, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from mautrix_whatsapp_py.store.errors import translated
from mautrix_whatsapp_py.store.unbroken import unbroken

Row = Mapping[str, object]
Insert = sqlite.Insert | postgresql.Insert
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Inserting:
    """An insert that knows ON CONFLICT, made once: making a statement costs more than running it."""

    on_sqlite: Insert
    on_postgres: Insert


def prepare_insert(table: Table, clauses: Callable[[Any], Any] = lambda insert: insert) -> Inserting:
    """An insert into a table with clauses that both dialects have."""
    return Inserting(clauses(sqlite.insert(table)), clauses(postgresql.insert(table)))


class Tx(ABC):
    """One open transaction, handed to the methods of repositories; never to another task."""

    has_failed: bool
    dialect_name: str

    @abstractmethod
    async def execute(self, statement: Executable, rows: Row | Sequence[Row] | None = None) -> CursorResult[Any]:
        """Run a statement, once or for every row; its results are all here."""

    async def run_insert(self, statement: Inserting, rows: Row | Sequence[Row]) -> CursorResult[Any]:
        """Run a prepared insert."""
        is_sqlite = self.dialect_name == "sqlite"
        return await self.execute(statement.on_sqlite if is_sqlite else statement.on_postgres, rows)

    def insert(self, table: Table) -> Insert:
        """An insert that knows ON CONFLICT."""
        return sqlite.insert(table) if self.dialect_name == "sqlite" else postgresql.insert(table)


Work: TypeAlias = Callable[[Tx], Awaitable[Result]]
"""What is done in one transaction; it waits for nothing else, and may be run again after a failure."""


class DriverTx(Tx):
    """A transaction whose every statement is a call of an asynchronous driver."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.dialect_name = connection.dialect.name
        self.has_failed = False

    async def execute(self, statement: Executable, rows: Row | Sequence[Row] | None = None) -> CursorResult[Any]:
        """See Tx."""
        try:
            with translated():
                return await unbroken(self._connection.execute(statement, rows))
        except BaseException:
            self.has_failed = True
            raise
