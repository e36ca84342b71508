"""Tokens of users whom the bridge acts as."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "double_puppets",
        sa.Column("mxid", sa.Text, nullable=False),
        sa.Column("access_token", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("mxid", name="pk_double_puppets"),
    )


def downgrade() -> None:
    op.drop_table("double_puppets")
