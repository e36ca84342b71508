"""Tables with keys of encrypted rooms: those of the library, and one of ours."""

from __future__ import annotations

from mautrix.util.async_db import Database

FACTS_TABLE = "bridge_crypto"
"""Ours, beside those of the library."""
DEVICE_TABLES = (
    "crypto_account",
    "crypto_olm_session",
    "crypto_megolm_outbound_session",
    "crypto_device",
    "crypto_tracked_user",
    "crypto_cross_signing_keys",
    "crypto_cross_signing_signatures",
    FACTS_TABLE,
)
"""What belongs to one device; keys of others that are there already stay."""
KEY_TABLES = (*DEVICE_TABLES, "crypto_megolm_inbound_session", "crypto_message_index")


async def ensure_facts(database: Database) -> None:
    """Our own table is there."""
    await database.execute(f"CREATE TABLE IF NOT EXISTS {FACTS_TABLE} (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
