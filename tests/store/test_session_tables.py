"""What hosts ask of the library's tables is answered where those lie in Postgres, among those of other logins."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from mautrix_whatsapp_py.ids import LoginId, WaJid, WaMessageId
from mautrix_whatsapp_py.whatsapp.host.decode_directory import SETTINGS_QUERY, contacts_query
from mautrix_whatsapp_py.whatsapp.host.postgres import PostgresLine, PostgresTables
from mautrix_whatsapp_py.whatsapp.host.secrets import StoredSecret, get_message_id, get_secrets
from mautrix_whatsapp_py.whatsapp.keeping import Keeping
from tests.postgres import Postgres

ANA, ANA_LID = WaJid(user="15550002222", server="s.whatsapp.net"), WaJid(user="200", server="lid")
SECRET, OTHER = bytes(range(32)), bytes(reversed(range(224, 256)))
TABLES = f"""
CREATE SCHEMA whatsmeow;
SET search_path TO whatsmeow;
CREATE TABLE whatsmeow_device (jid TEXT PRIMARY KEY, lid TEXT);
CREATE TABLE whatsmeow_lid_map (lid TEXT PRIMARY KEY, pn TEXT UNIQUE NOT NULL);
CREATE TABLE whatsmeow_message_secrets (
    our_jid TEXT, chat_jid TEXT, sender_jid TEXT, message_id TEXT, key bytea NOT NULL,
    PRIMARY KEY (our_jid, chat_jid, sender_jid, message_id)
);
CREATE TABLE whatsmeow_contacts (
    our_jid TEXT, their_jid TEXT, first_name TEXT, full_name TEXT, push_name TEXT, business_name TEXT
);
CREATE TABLE whatsmeow_chat_settings (
    our_jid TEXT, chat_jid TEXT, muted_until BIGINT, pinned BOOLEAN, archived BOOLEAN
);
INSERT INTO whatsmeow_device VALUES ('1:1@s.whatsapp.net', '100:1@lid'), ('2:1@s.whatsapp.net', '101:1@lid');
INSERT INTO whatsmeow_lid_map VALUES ('{ANA_LID.user}', '{ANA.user}');
INSERT INTO whatsmeow_message_secrets VALUES
    ('1:1@s.whatsapp.net', '{ANA}', '{ANA}', 'ONE', '\\x{SECRET.hex()}'),
    ('2:1@s.whatsapp.net', '{ANA}', '{ANA}', 'TWO', '\\x{OTHER.hex()}');
INSERT INTO whatsmeow_contacts VALUES
    ('1:1@s.whatsapp.net', '{ANA}', 'Ana', 'Ana A', 'ana', NULL),
    ('2:1@s.whatsapp.net', '{ANA}', 'Hers', 'Hers', 'hers', NULL);
INSERT INTO whatsmeow_chat_settings VALUES
    ('1:1@s.whatsapp.net', '{ANA}', 0, true, false),
    ('2:1@s.whatsapp.net', '{ANA}', 5, false, false);
"""


@pytest.fixture
def tables(postgres: Postgres) -> Iterator[PostgresTables]:
    """Those of the first of two logins."""
    name = f"test_{uuid4().hex}"
    url = postgres.create_database(name)
    postgres.execute(TABLES, database=name)
    keeping = Keeping(dsn=url, holder="a test", lease="bridge", epoch=1, until=0)
    yield PostgresTables(PostgresLine(keeping), login=LoginId("1"))
    postgres.drop_database(name)


def test_what_became_of_a_send_is_known_by_its_secret(tables: PostgresTables) -> None:
    assert get_message_id(tables, SECRET) == "ONE"
    assert get_message_id(tables, OTHER) is None
    assert get_message_id(tables, b"") is None


@pytest.mark.parametrize("chat", [ANA, ANA_LID])
def test_secrets_open_what_is_sealed(tables: PostgresTables, chat: WaJid) -> None:
    (stored,) = get_secrets(tables, chat, WaMessageId("ONE"))
    assert stored == StoredSecret(secret=SECRET, authors=(ANA, ANA_LID, ANA))
    assert get_secrets(tables, chat, WaMessageId("TWO")) == ()


def test_the_directory_is_of_one_login(tables: PostgresTables) -> None:
    contacts, settings = tables.read([contacts_query(0, 10), SETTINGS_QUERY])
    assert contacts == [(1, str(ANA), ANA_LID.user, ANA.user, "Ana A", "Ana", "ana", None)]
    assert settings == [(str(ANA), 0, True, False)]
