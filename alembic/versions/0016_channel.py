"""The channel: items to read, what is sent, who is let in, what is kept as context."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None

_GROWING = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "channel_items",
        sa.Column("seq", _GROWING, nullable=False, autoincrement=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.Column("taken_at_ms", sa.BigInteger, nullable=False),
        sa.Column("ready_at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_channel_items"),
        sa.UniqueConstraint("account", "chat", "message_id", name="uq_channel_items_account_chat_message_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "channel_context",
        sa.Column("seq", _GROWING, nullable=False, autoincrement=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_channel_context"),
        sa.UniqueConstraint("account", "chat", "message_id", name="uq_channel_context_account_chat_message_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "channel_sends",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("login_id", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("parts", sa.LargeBinary, nullable=False),
        sa.Column("message_ids", sa.Text, nullable=False),
        sa.Column("is_done", sa.Boolean, nullable=False),
        sa.Column("made_at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account", "key", name="pk_channel_sends"),
    )
    _create_access()


def _create_access() -> None:
    op.create_table(
        "channel_strangers",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("told_at_ms", sa.BigInteger, nullable=False),
        sa.Column("is_settled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("account", "number", name="pk_channel_strangers"),
    )
    op.create_table(
        "channel_approved",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("approved_at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account", "number", name="pk_channel_approved"),
    )
    op.create_table(
        "channel_activation",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("activation", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account", "chat", name="pk_channel_activation"),
    )


def downgrade() -> None:
    for table in ("items", "context", "sends", "strangers", "approved", "activation"):
        op.drop_table(f"channel_{table}")
