"""Requests that workers which stand by pass on to the one that leads, and its answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0029"
branch_labels = None
depends_on = None

_growing = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "http_post",
        sa.Column("seq", _growing, autoincrement=True, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_http_post"),
        sqlite_autoincrement=True,
        # It holds tokens: those are to be in no log of the server, nor in backups made of it.
        prefixes=["UNLOGGED"] if op.get_bind().dialect.name == "postgresql" else [],
    )
    op.create_index("ix_http_post_recipient_seq", "http_post", ["recipient", "seq"])


def downgrade() -> None:
    op.drop_table("http_post")
