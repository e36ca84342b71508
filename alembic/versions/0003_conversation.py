"""People, chats, messages, reactions, what is on its way to WhatsApp."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_GROWING = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "persons",
        sa.Column("id", _GROWING, nullable=False, autoincrement=True),
        sa.Column("pn", sa.Text),
        sa.Column("lid", sa.Text),
        sa.Column("ghost", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_rank", sa.Integer, nullable=False),
        sa.Column("shown_name", sa.Text, nullable=False),
        sa.Column("avatar_id", sa.Text, nullable=False),
        sa.Column("avatar_uri", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_persons"),
        sa.UniqueConstraint("pn", name="uq_persons_pn"),
        sa.UniqueConstraint("lid", name="uq_persons_lid"),
        sa.UniqueConstraint("ghost", name="uq_persons_ghost"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "portals",
        sa.Column("id", _GROWING, nullable=False, autoincrement=True),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("room_id", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("disappearing_seconds", sa.Integer, nullable=False),
        sa.Column("is_lid_addressed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_portals"),
        sa.UniqueConstraint("chat", "receiver", name="uq_portals_chat_receiver"),
        sa.UniqueConstraint("room_id", name="uq_portals_room_id"),
        sqlite_autoincrement=True,
    )
    _create_messages()
    _create_reactions()
    _create_outbox()


def _create_messages() -> None:
    op.create_table(
        "messages",
        sa.Column("portal_id", sa.BigInteger, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("person_id", sa.BigInteger, nullable=False),
        sa.Column("part", sa.Integer, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("sent_at_ms", sa.BigInteger, nullable=False),
        sa.Column("login_id", sa.Text, nullable=False),
        sa.Column("is_own", sa.Boolean, nullable=False),
        sa.Column("is_placeholder", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("portal_id", "message_id", "person_id", "part", name="pk_messages"),
        sa.UniqueConstraint("event_id", name="uq_messages_event_id"),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name="fk_messages_portal_id_portals"),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name="fk_messages_person_id_persons"),
    )
    op.create_index("ix_messages_portal_id_sent_at_ms", "messages", ["portal_id", "sent_at_ms"])


def _create_reactions() -> None:
    op.create_table(
        "reactions",
        sa.Column("portal_id", sa.BigInteger, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("author_id", sa.BigInteger, nullable=False),
        sa.Column("person_id", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("portal_id", "message_id", "author_id", "person_id", name="pk_reactions"),
        sa.UniqueConstraint("event_id", name="uq_reactions_event_id"),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name="fk_reactions_portal_id_portals"),
        sa.ForeignKeyConstraint(["author_id"], ["persons.id"], name="fk_reactions_author_id_persons"),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name="fk_reactions_person_id_persons"),
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("send_id", sa.Text, nullable=False),
        sa.Column("portal_id", sa.BigInteger, nullable=False),
        sa.Column("login_id", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("inbox_seq", sa.BigInteger, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("send_id", name="pk_outbox"),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name="fk_outbox_portal_id_portals"),
    )
    op.create_index("ix_outbox_event_id", "outbox", ["event_id"])


def downgrade() -> None:
    for table in ("outbox", "reactions", "messages", "portals", "persons"):
        op.drop_table(table)
