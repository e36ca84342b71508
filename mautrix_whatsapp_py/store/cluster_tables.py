"""Tables of bridges that share one database; empty where one process has it alone."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, Table, Text, text

from mautrix_whatsapp_py.store.tables_base import metadata

_growing = BigInteger().with_variant(Integer, "sqlite")

workers = Table(
    "workers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("beat_at_ms", BigInteger, nullable=False),
    Column("is_draining", Boolean, nullable=False),
    Column("weight", Float, nullable=False, server_default=text("1")),
)
"""Processes that share the database; a holder is one run of a worker."""

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("taken_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
)
"""Who may do what only one may do; the epoch grows with every change of hands."""

forwarded = Table(
    "forwarded",
    metadata,
    Column("seq", _growing, primary_key=True, autoincrement=True),
    Column("inbox_seq", BigInteger),
    Column("body", Text),
    sqlite_autoincrement=True,
)
"""What the homeserver gave to a worker that does not lead: rows of the inbox, and bodies that are not kept."""

wa_journal = Table(
    "wa_journal",
    metadata,
    Column("seq", _growing, primary_key=True, autoincrement=True),
    Column("session", Text, nullable=False),
    Column("code", Integer, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""Events of WhatsApp sessions until they are handled."""
Index("ix_wa_journal_session_seq", wa_journal.c.session, wa_journal.c.seq)

wa_sends = Table(
    "wa_sends",
    metadata,
    Column("session", Text, primary_key=True),
    Column("send_id", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("message_id", Text),
    Column("outcome", LargeBinary),
    Column("created_at_ms", BigInteger, nullable=False),
)
"""What became of sends, until the bridge has recorded it."""

wa_facts = Table(
    "wa_facts",
    metadata,
    Column("session", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""What sessions remember."""

wa_holdings = Table(
    "wa_holdings",
    metadata,
    Column("login", Text, primary_key=True),
    Column("is_wanted", Boolean, nullable=False),
    Column("holder", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("moves", BigInteger, nullable=False),
    Column("taken_at_ms", BigInteger, nullable=False),
)
"""Which worker's hosts have which login; for as long as that worker's own lease lasts, or until it lets go."""
Index("ix_wa_holdings_holder", wa_holdings.c.holder)

wa_post = Table(
    "wa_post",
    metadata,
    Column("seq", _growing, primary_key=True, autoincrement=True),
    Column("recipient", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""What workers tell each other. Not logged on Postgres: what a crash of the server loses is said again."""
Index("ix_wa_post_recipient_seq", wa_post.c.recipient, wa_post.c.seq)

http_post = Table(
    "http_post",
    metadata,
    Column("seq", _growing, primary_key=True, autoincrement=True),
    Column("recipient", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("line", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""Requests that workers which stand by pass on to the one that leads, and its answers; not logged on Postgres."""
Index("ix_http_post_recipient_seq", http_post.c.recipient, http_post.c.seq)
