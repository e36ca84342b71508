"""Errors of the drivers become ours here."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mautrix_whatsapp_py.errors import StoreError, StoreUnavailable

_DRIVER_ERRORS: tuple[type[Exception], ...] = (
    SQLAlchemyError,
    sqlite3.Error,
    OSError,
    TimeoutError,
)
# Connection, read-only standby, login, missing database, rollback (deadlock, serialisation), resources,
# lock timeout, operator, system: the statement was fine, the database was not.
_PASSING_SQLSTATES = ("08", "25006", "28", "3D000", "40", "53", "55P03", "57", "58")


@contextmanager
def translated() -> Iterator[None]:
    """Raise StoreUnavailable or StoreError for whatever a driver raises."""
    try:
        yield
    except driver_errors() as error:
        raise (StoreUnavailable if is_passing(error) else StoreError)() from error


def driver_errors() -> tuple[type[Exception], ...]:
    """What drivers raise; that of Postgres is not loaded by a bridge on SQLite."""
    driver = sys.modules.get("asyncpg")
    if driver is None:
        return _DRIVER_ERRORS
    return (*_DRIVER_ERRORS, driver.PostgresError, driver.InterfaceError, driver.InternalClientError)


def is_passing(error: BaseException) -> bool:
    """Whether the database is away or unwell, so that the same statement may work later."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return any(_is_passing_alone(link) for link in _chain(error))


def _is_passing_alone(error: BaseException) -> bool:
    driver = sys.modules.get("asyncpg")
    if driver is not None and isinstance(error, driver.PostgresError):
        return str(getattr(error, "sqlstate", None) or "").startswith(_PASSING_SQLSTATES)
    if driver is not None and isinstance(error, driver.InternalClientError):
        # The server has ended the connection while nothing was asked.
        return True
    if driver is not None and isinstance(error, driver.InterfaceError):
        # Those that are ValueErrors speak of an argument, the others of the connection.
        return not isinstance(error, ValueError)
    match error:
        case sqlite3.OperationalError():
            # The generic code stands for a wrong statement; full disk, lock, I/O and the like have their own.
            return getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
        case sqlite3.DatabaseError():
            return type(error) is sqlite3.DatabaseError
    return isinstance(error, OSError | TimeoutError | PoolTimeout)


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.orig if isinstance(link, DBAPIError) else link.__cause__
