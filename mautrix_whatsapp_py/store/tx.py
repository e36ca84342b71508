"""What the methods of repositories are handed: an open transaction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy import CursorResult, Executable, Table

from mautrix_whatsapp_py.store.errors import translated
from mautrix_whatsapp_py.store.unbroken import unbroken

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite
    from sqlalchemy.ext.asyncio import AsyncConnection

Row = Mapping[str, object]
Insert: TypeAlias = "sqlite.Insert | postgresql.Insert"
Result = TypeVar("Result")


@dataclass(slots=True)
class Inserting:
    """An insert that knows ON CONFLICT, made once: making a statement costs more than running it."""

    table: Table
    clauses: Callable[[Any], Any]
    _made: dict[str, Insert] = field(default_factory=dict)

    def get(self, dialect_name: str) -> Insert:
        """The statement in one dialect."""
        known = self._made.get(dialect_name)
        if known is None:
            known = self._made[dialect_name] = self.clauses(_insert(self.table, dialect_name))
        return known


def _insert(table: Table, dialect_name: str) -> Insert:
    # A bridge on one of them need not hold the other.
    insert: Insert = import_module(f"sqlalchemy.dialects.{dialect_name}").insert(table)
    return insert


def prepare_insert(table: Table, clauses: Callable[[Any], Any] = lambda insert: insert) -> Inserting:
    """An insert into a table with clauses that both dialects have."""
    return Inserting(table, clauses)


class Tx(ABC):
    """One open transaction, handed to the methods of repositories; never to another task."""

    has_failed: bool
    dialect_name: str

    @abstractmethod
    async def execute(self, statement: Executable, rows: Row | Sequence[Row] | None = None) -> CursorResult[Any]:
        """Run a statement, once or for every row; its results are all here."""

    async def run_insert(self, statement: Inserting, rows: Row | Sequence[Row]) -> CursorResult[Any]:
        """Run a prepared insert."""
        return await self.execute(statement.get(self.dialect_name), rows)

    def insert(self, table: Table) -> Insert:
        """An insert that knows ON CONFLICT."""
        return _insert(table, self.dialect_name)


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
