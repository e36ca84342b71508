"""How users have put their chats, as it was last taken over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chat_marks",
        sa.Column("login_id", sa.Text, nullable=False),
        sa.Column("portal_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("room_id", sa.Text, nullable=False),
        sa.Column("is_pinned", sa.Boolean, nullable=False),
        sa.Column("is_archived", sa.Boolean, nullable=False),
        sa.Column("is_muted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("login_id", "portal_id", name="pk_chat_marks"),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name="fk_chat_marks_portal_id_portals"),
    )


def downgrade() -> None:
    op.drop_table("chat_marks")
