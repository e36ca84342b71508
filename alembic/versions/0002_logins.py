"""Linked WhatsApp accounts, which of theirs a user prefers, codes on show."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "logins",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("mxid", sa.Text, nullable=False),
        sa.Column("jid", sa.Text, nullable=False),
        sa.Column("lid", sa.Text),
        sa.Column("push_name", sa.Text, nullable=False),
        sa.Column("business_name", sa.Text, nullable=False),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("linked_at_ms", sa.BigInteger, nullable=False),
        sa.Column("told_error", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_logins"),
        sa.ForeignKeyConstraint(["mxid"], ["users.mxid"], name="fk_logins_mxid_users"),
    )
    op.create_index("ix_logins_mxid", "logins", ["mxid"])
    op.create_table(
        "shown_codes",
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("room_id", sa.Text, nullable=False),
        sa.Column("mxid", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_shown_codes"),
    )
    op.add_column("users", sa.Column("preferred_login", sa.Text))


def downgrade() -> None:
    with op.batch_alter_table("users") as batch:
        batch.drop_column("preferred_login")
    op.drop_table("shown_codes")
    op.drop_table("logins")
