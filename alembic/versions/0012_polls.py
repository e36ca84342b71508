"""Polls: how the two sides name their options, which events show them, and who chose what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "polls",
        sa.Column("portal_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("max_selections", sa.Integer, nullable=False),
        sa.Column("event_id", sa.Text),
        sa.Column("tally_event_id", sa.Text),
        sa.Column("ends_at_ms", sa.BigInteger),
        sa.Column("is_from_matrix", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("portal_id", "message_id", name="pk_polls"),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name="fk_polls_portal_id_portals"),
    )
    op.create_index("ix_polls_ends_at_ms", "polls", ["ends_at_ms"])
    op.create_table(
        "poll_votes",
        sa.Column("portal_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("person_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("digests", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("portal_id", "message_id", "person_id", name="pk_poll_votes"),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name="fk_poll_votes_portal_id_portals"),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name="fk_poll_votes_person_id_persons"),
    )


def downgrade() -> None:
    op.drop_table("poll_votes")
    op.drop_table("polls")
