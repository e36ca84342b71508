"""Files that could not be brought over and are tried again, by themselves or when somebody asks for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "missing_files",
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("portal_id", sa.BigInteger, nullable=False),
        sa.Column("login_id", sa.Text, nullable=False),
        sa.Column("message", sa.LargeBinary, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("is_asked", sa.Boolean, nullable=False),
        sa.Column("next_at_ms", sa.BigInteger),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_missing_files"),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name="fk_missing_files_portal_id_portals"),
    )
    op.create_index("ix_missing_files_next_at_ms", "missing_files", ["next_at_ms"])


def downgrade() -> None:
    op.drop_table("missing_files")
