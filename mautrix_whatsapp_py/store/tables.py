"""The tables as the program uses them; alembic/ holds how they came to be, a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from mautrix_whatsapp_py.store import cluster_tables as cluster_tables
from mautrix_whatsapp_py.store.tables_base import metadata as metadata
from mautrix_whatsapp_py.store.tables_channel import CHANNEL_TABLES as CHANNEL_TABLES

database_owner = Table(
    "database_owner",
    metadata,
    Column("key", Integer, primary_key=True, autoincrement=False),
    Column("owner", Text, nullable=False),
    CheckConstraint("key = 0", name="single"),
)
"""Which program the database belongs to; other bridges look for this table before they touch a database."""

transactions = Table(
    "transactions",
    metadata,
    Column("txn_id", Text, primary_key=True),
    Column("received_at_ms", BigInteger, nullable=False, index=True),
)
"""Transactions of the homeserver that are stored, so that their repetition is a no-op."""

inbox = Table(
    "inbox",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("room_id", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text),
    Column("received_at_ms", BigInteger, nullable=False, index=True),
    # A sequence number names one event for ever, also after the last row is pruned.
    sqlite_autoincrement=True,
)
"""Events of the homeserver: whole until they are handled, then only their ids."""
Index(
    "ix_inbox_pending",
    inbox.c.room_id,
    inbox.c.seq,
    sqlite_where=inbox.c.body.is_not(None),
    postgresql_where=inbox.c.body.is_not(None),
)

users = Table(
    "users",
    metadata,
    Column("mxid", Text, primary_key=True),
    Column("management_room", Text, unique=True),
    Column("preferred_login", Text),
)
"""Matrix users who have talked to the bridge."""

logins = Table(
    "logins",
    metadata,
    Column("id", Text, primary_key=True),
    Column("mxid", Text, ForeignKey("users.mxid"), nullable=False, index=True),
    Column("jid", Text, nullable=False),
    Column("lid", Text),
    Column("push_name", Text, nullable=False),
    Column("business_name", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("linked_at_ms", BigInteger, nullable=False),
    Column("told_error", Text, nullable=False),
)
"""Linked WhatsApp accounts; the credentials themselves lie in a file of each session."""

shown_codes = Table(
    "shown_codes",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("room_id", Text, nullable=False),
    Column("mxid", Text, nullable=False),
)
"""QR codes on show in rooms, so that none stays there when the bridge dies meanwhile."""

kv = Table(
    "kv",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""Small facts that are no table's business."""

_growing = BigInteger().with_variant(Integer, "sqlite")

persons = Table(
    "persons",
    metadata,
    Column("id", _growing, primary_key=True, autoincrement=True),
    Column("pn", Text, unique=True),
    Column("lid", Text, unique=True),
    Column("ghost", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("name_rank", Integer, nullable=False),
    Column("shown_name", Text, nullable=False),
    Column("avatar_id", Text, nullable=False),
    Column("avatar_uri", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""People on WhatsApp: phone number and LID are two addresses of one person, whose ghost stays for life."""

portals = Table(
    "portals",
    metadata,
    Column("id", _growing, primary_key=True, autoincrement=True),
    Column("chat", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("room_id", Text, unique=True),
    Column("name", Text, nullable=False),
    Column("disappearing_seconds", Integer, nullable=False),
    Column("is_lid_addressed", Boolean, nullable=False),
    UniqueConstraint("chat", "receiver"),
    sqlite_autoincrement=True,
)
"""Chats and their rooms; `receiver` is empty where several logins share the chat."""

messages = Table(
    "messages",
    metadata,
    Column("portal_id", BigInteger, ForeignKey("portals.id"), primary_key=True, autoincrement=False),
    Column("message_id", Text, primary_key=True),
    Column("person_id", BigInteger, ForeignKey("persons.id"), primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("event_id", Text, nullable=False, unique=True),
    Column("sender", Text, nullable=False),
    Column("sent_at_ms", BigInteger, nullable=False),
    Column("login_id", Text, nullable=False),
    Column("is_own", Boolean, nullable=False),
    Column("is_placeholder", Boolean, nullable=False),
)
"""Which events stand for which messages; nothing of what they say."""
Index("ix_messages_portal_id_sent_at_ms", messages.c.portal_id, messages.c.sent_at_ms)

reactions = Table(
    "reactions",
    metadata,
    Column("portal_id", BigInteger, ForeignKey("portals.id"), primary_key=True, autoincrement=False),
    Column("message_id", Text, primary_key=True),
    Column("author_id", BigInteger, ForeignKey("persons.id"), primary_key=True, autoincrement=False),
    Column("person_id", BigInteger, ForeignKey("persons.id"), primary_key=True, autoincrement=False),
    Column("event_id", Text, nullable=False, unique=True),
    Column("key", Text, nullable=False),
)
"""The one reaction a person has on a message."""

polls = Table(
    "polls",
    metadata,
    Column("portal_id", BigInteger, ForeignKey("portals.id"), primary_key=True, autoincrement=False),
    Column("message_id", Text, primary_key=True),
    Column("options", Text, nullable=False),
    Column("max_selections", Integer, nullable=False),
    Column("event_id", Text),
    Column("tally_event_id", Text),
    Column("ends_at_ms", BigInteger, index=True),
    Column("is_from_matrix", Boolean, nullable=False),
)
"""How the two sides name the options of a poll (digests, no words), its events, and when it ends."""

poll_votes = Table(
    "poll_votes",
    metadata,
    Column("portal_id", BigInteger, ForeignKey("portals.id"), primary_key=True, autoincrement=False),
    Column("message_id", Text, primary_key=True),
    Column("person_id", BigInteger, ForeignKey("persons.id"), primary_key=True, autoincrement=False),
    Column("digests", Text, nullable=False),
)
"""What somebody chose in a poll."""

outbox = Table(
    "outbox",
    metadata,
    Column("send_id", Text, primary_key=True),
    Column("portal_id", BigInteger, ForeignKey("portals.id"), nullable=False),
    Column("login_id", Text, nullable=False),
    Column("event_id", Text, nullable=False, index=True),
    Column("inbox_seq", BigInteger, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
)
"""What is on its way to WhatsApp; gone once its fate is known."""

disappearing = Table(
    "disappearing",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("room_id", Text, nullable=False),
    Column("due_at_ms", BigInteger, nullable=False, index=True),
)
"""Events that are to be redacted, and when."""

missing_files = Table(
    "missing_files",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("portal_id", BigInteger, ForeignKey("portals.id"), nullable=False),
    Column("login_id", Text, nullable=False),
    Column("message", LargeBinary, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("is_asked", Boolean, nullable=False),
    Column("next_at_ms", BigInteger, index=True),
    Column("created_at_ms", BigInteger, nullable=False),
)
"""Notices in the place of files, with what it takes to try those again; not by itself where no time is set."""

filter_rules = Table(
    "filter_rules",
    metadata,
    Column("mxid", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("is_allowed", Boolean, nullable=False),
)
"""Which chats a user wants bridged; `*` stands for every user."""

chat_privacy = Table(
    "chat_privacy",
    metadata,
    Column("login_id", Text, primary_key=True),
    Column("portal_id", BigInteger, ForeignKey("portals.id"), primary_key=True, autoincrement=False),
    Column("receipts", Boolean, nullable=False),
    Column("typing", Boolean, nullable=False),
    Column("presence", Boolean, nullable=False),
)
"""What an account shows of itself in a chat, where its user said so."""

double_puppets = Table(
    "double_puppets",
    metadata,
    Column("mxid", Text, primary_key=True),
    Column("access_token", Text, nullable=False),
)
"""Users who gave the bridge a token of theirs; an empty one is of somebody whom it shall not act as."""

backfill_runs = Table(
    "backfill_runs",
    metadata,
    Column("login_id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("chats_total", Integer, nullable=False),
    Column("chats_done", Integer, nullable=False),
    Column("messages_total", Integer, nullable=False),
    Column("messages_done", Integer, nullable=False),
    Column("files_total", Integer, nullable=False),
    Column("files_done", Integer, nullable=False),
    Column("room_id", Text, nullable=False),
    Column("event_id", Text, nullable=False),
)
"""How far the past of an account has come, and the notice that shows it."""

backfill_chats = Table(
    "backfill_chats",
    metadata,
    Column("login_id", Text, primary_key=True),
    Column("portal_id", BigInteger, ForeignKey("portals.id"), primary_key=True, autoincrement=False),
)
"""Chats whose rooms are being filled with their past, before their users are called."""
