"""Events that are to disappear."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "disappearing",
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("room_id", sa.Text, nullable=False),
        sa.Column("due_at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_disappearing"),
    )
    op.create_index("ix_disappearing_due_at_ms", "disappearing", ["due_at_ms"])


def downgrade() -> None:
    op.drop_table("disappearing")
