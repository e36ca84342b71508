"""Tables of the channel."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from mautrix_whatsapp_py.store.tables_base import metadata

channel_items = Table(
    "channel_items",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("account", Text, nullable=False),
    Column("chat", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("body", LargeBinary),
    Column("taken_at_ms", BigInteger, nullable=False),
    Column("ready_at_ms", BigInteger, nullable=False),
    UniqueConstraint("account", "chat", "message_id", name="uq_channel_items_account_chat_message_id"),
    sqlite_autoincrement=True,
)
"""Messages for readers of the channel: with a body until they are acknowledged, then only their ids."""

channel_context = Table(
    "channel_context",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("account", Text, nullable=False),
    Column("chat", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("account", "chat", "message_id", name="uq_channel_context_account_chat_message_id"),
    sqlite_autoincrement=True,
)
"""Messages that woke nobody, until one does."""

channel_sends = Table(
    "channel_sends",
    metadata,
    Column("account", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("chat", Text, nullable=False),
    Column("login_id", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("parts", LargeBinary, nullable=False),
    Column("message_ids", Text, nullable=False),
    Column("is_done", Boolean, nullable=False),
    Column("made_at_ms", BigInteger, nullable=False),
)
"""What was asked to be sent, by the key of whoever asked, so that asking again sends nothing twice."""

channel_strangers = Table(
    "channel_strangers",
    metadata,
    Column("account", Text, primary_key=True),
    Column("number", Text, primary_key=True),
    Column("code", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("told_at_ms", BigInteger, nullable=False),
    Column("is_settled", Boolean, nullable=False),
)
"""Who was told a code, and when."""

channel_approved = Table(
    "channel_approved",
    metadata,
    Column("account", Text, primary_key=True),
    Column("number", Text, primary_key=True),
    Column("approved_at_ms", BigInteger, nullable=False),
)
"""Who was let in by a code."""

channel_activation = Table(
    "channel_activation",
    metadata,
    Column("account", Text, primary_key=True),
    Column("chat", Text, primary_key=True),
    Column("activation", Text, nullable=False),
)
"""What wakes the reader of a chat, where it was chosen there."""

channel_hooks = Table(
    "channel_hooks",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("hook", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("next_at_ms", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("is_dead", Boolean, nullable=False),
    UniqueConstraint("hook", "event_id", name="uq_channel_hooks_hook_event_id"),
    Index("ix_channel_hooks_hook_lane", "hook", "is_dead", "lane", "seq"),
    sqlite_autoincrement=True,
)
"""Events that webhooks have not taken yet, and those that were given up."""

channel_polls = Table(
    "channel_polls",
    metadata,
    Column("account", Text, primary_key=True),
    Column("chat", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("question", Text, nullable=False),
    Column("options", LargeBinary, nullable=False),
    Column("made_at_ms", BigInteger, nullable=False),
)
"""Polls that the channel saw or sent: votes name their options by hash alone."""

CHANNEL_TABLES = (
    channel_items,
    channel_context,
    channel_sends,
    channel_strangers,
    channel_approved,
    channel_activation,
    channel_hooks,
    channel_polls,
)
