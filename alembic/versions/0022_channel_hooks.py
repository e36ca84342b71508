"""The channel: events on their way to webhooks, and polls whose votes are told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0017"
branch_labels = None
depends_on = None

_GROWING = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "channel_hooks",
        sa.Column("seq", _GROWING, nullable=False, autoincrement=True),
        sa.Column("hook", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("made_at_ms", sa.BigInteger, nullable=False),
        sa.Column("next_at_ms", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("is_dead", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_channel_hooks"),
        sa.UniqueConstraint("hook", "event_id", name="uq_channel_hooks_hook_event_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_channel_hooks_hook_lane", "channel_hooks", ["hook", "is_dead", "lane", "seq"])
    op.create_table(
        "channel_polls",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("options", sa.LargeBinary, nullable=False),
        sa.Column("made_at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account", "chat", "message_id", name="pk_channel_polls"),
    )


def downgrade() -> None:
    op.drop_table("channel_polls")
    op.drop_index("ix_channel_hooks_hook_lane", "channel_hooks")
    op.drop_table("channel_hooks")
