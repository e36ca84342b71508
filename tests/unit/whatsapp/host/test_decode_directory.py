from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.whatsapp.host import decode_directory as decode
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf
from mautrix_whatsapp_py.whatsapp.tables import read_here

OWN = "1:3@s.whatsapp.net"


def make_tables(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE whatsmeow_device (jid TEXT)")
        connection.execute("INSERT INTO whatsmeow_device VALUES (?)", (OWN,))
        connection.execute("CREATE TABLE whatsmeow_lid_map (lid TEXT, pn TEXT)")
        connection.execute("INSERT INTO whatsmeow_lid_map VALUES ('99', '15')")
        connection.execute(
            "CREATE TABLE whatsmeow_contacts (our_jid TEXT, their_jid TEXT, first_name TEXT, full_name TEXT, "
            "push_name TEXT, business_name TEXT)"
        )
        connection.execute(
            "CREATE TABLE whatsmeow_chat_settings (our_jid TEXT, chat_jid TEXT, muted_until INTEGER, "
            "pinned INTEGER, archived INTEGER)"
        )
        contacts = [
            (OWN, "15@s.whatsapp.net", "Ben", "Ben Builder", "benny", None),
            (OWN, "99@lid", None, None, "benny", "Ben's shop"),
            (OWN, "nonsense", None, None, "x", None),
            (OWN, "7@g.us", None, None, "x", None),
            ("2:1@s.whatsapp.net", "16@s.whatsapp.net", "Not", "Mine", None, None),
        ]
        connection.executemany("INSERT INTO whatsmeow_contacts VALUES (?, ?, ?, ?, ?, ?)", contacts)
        settings = [(OWN, "7@g.us", -1, 0, 1), (OWN, "8@g.us", 1_800_000_000, 1, 0), (OWN, "9@g.us", 0, 0, 0)]
        connection.executemany("INSERT INTO whatsmeow_chat_settings VALUES (?, ?, ?, ?, ?)", settings)
    return path


def test_contacts_have_both_addresses_and_come_in_pages(tmp_path: Path) -> None:
    database = make_tables(tmp_path / "session.db")
    (rows,) = read_here(database, [decode.contacts_query(0, 2)])
    page = decode.decode_contacts(rows, 2)
    ben, shop = page.items
    assert (ben.jid, ben.lid, ben.name) == (
        WaJid(user="15", server="s.whatsapp.net"),
        WaJid(user="99", server="lid"),
        "Ben Builder",
    )
    assert (shop.jid, shop.lid, shop.name) == (ben.jid, ben.lid, "Ben's shop")
    (rows,) = read_here(database, [decode.contacts_query(page.next_row, 10)])
    rest = decode.decode_contacts(rows, 10)
    assert rest.items == ()
    assert rest.next_row == 0


def test_settings_tell_what_is_muted_pinned_and_archived(tmp_path: Path) -> None:
    (rows,) = read_here(make_tables(tmp_path / "session.db"), [decode.SETTINGS_QUERY])
    archived, pinned = decode.decode_settings(rows)
    assert archived.is_archived
    assert archived.muted_until == datetime.max.replace(tzinfo=UTC, microsecond=0)
    assert pinned.is_pinned
    assert pinned.muted_until == datetime(2027, 1, 15, 8, tzinfo=UTC)


def test_lookups_know_numbers_and_lids() -> None:
    messages = Protobuf().messages

    def lookup(server: str, *, is_in: bool = True) -> object:
        jid = messages.JID(User="99", Server=server, Device=0, RawAgent=0, Integrator=0, IsEmpty=False)
        return messages.IsOnWhatsAppResponse(Query="+15@c.us", JID=jid, IsIn=is_in)

    by_lid, by_number = decode.decode_lookup(lookup("lid")), decode.decode_lookup(lookup("s.whatsapp.net"))
    assert (by_lid.number, by_lid.lid, by_lid.jid) == (
        "15",
        WaJid(user="99", server="lid"),
        WaJid(user="15", server="s.whatsapp.net"),
    )
    assert (by_number.lid, by_number.jid) == (None, WaJid(user="99", server="s.whatsapp.net"))
