"""Runs the migrations: on the connection the program hands over, or on `-x database=URL` from a shell."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection

from mautrix_whatsapp_py.store.engine import create_migrator
from mautrix_whatsapp_py.store.tables import metadata
from mautrix_whatsapp_py.store.url import decode_database_url


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_run(url: str) -> None:
    engine = create_migrator(decode_database_url(url), lock_timeout_seconds=60)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


connection = context.config.attributes.get("connection")
if connection is not None:
    run(connection)
else:
    asyncio.run(connect_and_run(context.get_x_argument(as_dictionary=True)["database"]))
