"""How far the past of an account has come into its rooms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backfill_runs",
        sa.Column("login_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("started_at_ms", sa.BigInteger, nullable=False),
        sa.Column("chats_total", sa.Integer, nullable=False),
        sa.Column("chats_done", sa.Integer, nullable=False),
        sa.Column("messages_total", sa.Integer, nullable=False),
        sa.Column("messages_done", sa.Integer, nullable=False),
        sa.Column("files_total", sa.Integer, nullable=False),
        sa.Column("files_done", sa.Integer, nullable=False),
        sa.Column("room_id", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("login_id", name="pk_backfill_runs"),
    )
    op.create_table(
        "backfill_chats",
        sa.Column("login_id", sa.Text, nullable=False),
        sa.Column("portal_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("login_id", "portal_id", name="pk_backfill_chats"),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name="fk_backfill_chats_portal_id_portals"),
    )


def downgrade() -> None:
    op.drop_table("backfill_chats")
    op.drop_table("backfill_runs")
