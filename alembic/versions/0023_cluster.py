"""Several processes on one database: who leads, and what WhatsApp sessions keep."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_growing = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # Tables of the client library, which makes them itself.
        op.execute("CREATE SCHEMA IF NOT EXISTS whatsmeow")
    _create_leading()
    _create_sessions()


def _create_leading() -> None:
    op.create_table(
        "workers",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("started_at_ms", sa.BigInteger, nullable=False),
        sa.Column("beat_at_ms", sa.BigInteger, nullable=False),
        sa.Column("is_draining", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_workers"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("taken_at_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "forwarded",
        sa.Column("seq", _growing, autoincrement=True, nullable=False),
        sa.Column("inbox_seq", sa.BigInteger),
        sa.Column("body", sa.Text),
        sa.PrimaryKeyConstraint("seq", name="pk_forwarded"),
        sqlite_autoincrement=True,
    )


def _create_sessions() -> None:
    op.create_table(
        "wa_journal",
        sa.Column("seq", _growing, autoincrement=True, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("code", sa.Integer, nullable=False),
        sa.Column("received_at_ms", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_wa_journal"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_wa_journal_session_seq", "wa_journal", ["session", "seq"])
    op.create_table(
        "wa_sends",
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("send_id", sa.Text, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("message_id", sa.Text),
        sa.Column("outcome", sa.LargeBinary),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("session", "send_id", name="pk_wa_sends"),
    )
    op.create_table(
        "wa_facts",
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("session", "name", name="pk_wa_facts"),
    )


def downgrade() -> None:
    for table in ("wa_facts", "wa_sends", "wa_journal", "forwarded", "leases", "workers"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP SCHEMA IF EXISTS whatsmeow CASCADE")
