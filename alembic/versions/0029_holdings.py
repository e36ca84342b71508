"""Logins spread over the workers that share a database, and what those workers tell each other."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0025"
branch_labels = None
depends_on = None

_growing = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("workers", sa.Column("weight", sa.Float, nullable=False, server_default=sa.text("1")))
    op.create_table(
        "wa_holdings",
        sa.Column("login", sa.Text, nullable=False),
        sa.Column("is_wanted", sa.Boolean, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("moves", sa.BigInteger, nullable=False),
        sa.Column("taken_at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("login", name="pk_wa_holdings"),
    )
    op.create_index("ix_wa_holdings_holder", "wa_holdings", ["holder"])
    op.create_table(
        "wa_post",
        sa.Column("seq", _growing, autoincrement=True, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_wa_post"),
        sqlite_autoincrement=True,
        # What a crash of the server loses of it is said again: nothing has to wait for its disk.
        prefixes=["UNLOGGED"] if op.get_bind().dialect.name == "postgresql" else [],
    )
    op.create_index("ix_wa_post_recipient_seq", "wa_post", ["recipient", "seq"])


def downgrade() -> None:
    op.drop_table("wa_post")
    op.drop_table("wa_holdings")
    with op.batch_alter_table("workers") as table:
        table.drop_column("weight")
