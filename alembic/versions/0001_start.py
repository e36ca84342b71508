"""Owner, homeserver transactions and their events, users, small facts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

OWNER = "mautrix-whatsapp-py"


def upgrade() -> None:
    owner = op.create_table(
        "database_owner",
        sa.Column("key", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_database_owner"),
        sa.CheckConstraint("key = 0", name=op.f("ck_database_owner_single")),
    )
    op.bulk_insert(owner, [{"key": 0, "owner": OWNER}])
    op.create_table(
        "transactions",
        sa.Column("txn_id", sa.Text, nullable=False),
        sa.Column("received_at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("txn_id", name="pk_transactions"),
    )
    op.create_index("ix_transactions_received_at_ms", "transactions", ["received_at_ms"])
    _create_inbox()
    op.create_table(
        "users",
        sa.Column("mxid", sa.Text, nullable=False),
        sa.Column("management_room", sa.Text),
        sa.PrimaryKeyConstraint("mxid", name="pk_users"),
        sa.UniqueConstraint("management_room", name="uq_users_management_room"),
    )
    op.create_table(
        "kv",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_kv"),
    )


def _create_inbox() -> None:
    growing = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "inbox",
        sa.Column("seq", growing, nullable=False, autoincrement=True),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("room_id", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.Text),
        sa.Column("received_at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_inbox"),
        sa.UniqueConstraint("event_id", name="uq_inbox_event_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_inbox_received_at_ms", "inbox", ["received_at_ms"])
    op.create_index(
        "ix_inbox_pending",
        "inbox",
        ["room_id", "seq"],
        sqlite_where=sa.text("body IS NOT NULL"),
        postgresql_where=sa.text("body IS NOT NULL"),
    )


def downgrade() -> None:
    for table in ("kv", "users", "inbox", "transactions", "database_owner"):
        op.drop_table(table)
