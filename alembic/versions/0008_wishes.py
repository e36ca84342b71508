"""What users want of their chats: which are bridged, and what of themselves they show there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "filter_rules",
        sa.Column("mxid", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("is_allowed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("mxid", "subject", name="pk_filter_rules"),
    )
    op.create_table(
        "chat_privacy",
        sa.Column("login_id", sa.Text, nullable=False),
        sa.Column("portal_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("receipts", sa.Boolean, nullable=False),
        sa.Column("typing", sa.Boolean, nullable=False),
        sa.Column("presence", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("login_id", "portal_id", name="pk_chat_privacy"),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name="fk_chat_privacy_portal_id_portals"),
    )


def downgrade() -> None:
    op.drop_table("chat_privacy")
    op.drop_table("filter_rules")
