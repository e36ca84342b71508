"""An old bridge's database, filled."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2
import psycopg2.extras

from mautrix_whatsapp_py.store.url import DatabaseAddress, SqliteAddress
from tests.takeover.layouts import BRIDGEV2, LEGACY, SESSIONS

ALICE, BOB, CAROL = "15550001111", "15550002222", "15550003333"
BOB_LID, DAVE_LID = "900002222", "900004444"
ALICE_MXID = "@alice:localhost"
GROUP, COMMUNITY = "120363000000000001@g.us", "120363000000000002@g.us"
SECOND = 1_700_000_000
NANO = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OldDatabase:
    """Writes into it, whatever its kind."""

    address: DatabaseAddress

    def script(self, text: str) -> None:
        if isinstance(self.address, SqliteAddress):
            with closing(sqlite3.connect(self.address.path)) as connection:
                connection.executescript(text)
            return
        with closing(psycopg2.connect(self.address.dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(text)

    def insert(self, table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
        names = columns.split()
        listed = ", ".join(f'"{name}"' for name in names)
        if isinstance(self.address, SqliteAddress):
            places = ", ".join("?" for _ in names)
            with closing(sqlite3.connect(self.address.path)) as connection, connection:
                connection.executemany(f'INSERT INTO "{table}" ({listed}) VALUES ({places})', rows)
            return
        with closing(psycopg2.connect(self.address.dsn)) as connection, connection, connection.cursor() as cursor:
            psycopg2.extras.execute_values(cursor, f'INSERT INTO "{table}" ({listed}) VALUES %s', list(rows))

    def dump(self) -> list[tuple[str, Any]]:
        """Everything in it, to see that nothing was changed: files to the byte."""
        if isinstance(self.address, SqliteAddress):
            path = self.address.path
            return [(part.name, part.read_bytes()) for part in sorted(path.parent.glob(f"{path.name}*"))]
        found: list[tuple[str, Any]] = []
        with closing(psycopg2.connect(self.address.dsn)) as connection, connection.cursor() as cursor:
            for name in ("user", "portal", "message", "reaction", "whatsmeow_device"):
                cursor.execute(f'SELECT * FROM "{name}"')
                found.append((name, [tuple(map(_plain, row)) for row in cursor.fetchall()]))
        return found


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


def add_sessions(old: OldDatabase, *devices: str) -> None:
    """Sessions of these device addresses, with keys that would fool nobody but a table."""
    old.script(SESSIONS)
    fields = (
        "jid registration_id noise_key identity_key signed_pre_key signed_pre_key_id signed_pre_key_sig adv_key"
    )
    fields += " adv_details adv_account_sig adv_account_sig_key adv_device_sig platform push_name"
    key, signature = b"k" * 32, b"s" * 64
    rows = [
        (jid, 7, key, key, key, 1, signature, key, b"d", signature, key, signature, "android", "Alice")
        for jid in devices
    ]
    old.insert("whatsmeow_device", fields, rows)
    old.insert("whatsmeow_identity_keys", "our_jid their_id identity", [(jid, "x", key) for jid in devices])
    hashes = [(jid, "regular", 3, b"h" * 128) for jid in devices]
    old.insert("whatsmeow_app_state_version", "jid name version hash", hashes)
    macs = [(jid, "regular", 3, key, key) for jid in devices]
    old.insert("whatsmeow_app_state_mutation_macs", "jid name version index_mac value_mac", macs)
    contacts = [(devices[0], f"{CAROL}@s.whatsapp.net", "", "", "Caro", "Carol's Cakes")]
    old.insert("whatsmeow_contacts", "our_jid their_jid first_name full_name push_name business_name", contacts)
    old.insert("whatsmeow_lid_map", "lid pn", [(BOB_LID, BOB)])


def fill_bridgev2(old: OldDatabase, *, messages: int = 20, device: int = 12) -> None:
    """Alice with a link, chats with Bob, a group in a community, and more."""
    old.script(BRIDGEV2)
    users = [("", ALICE_MXID, "!alice-bot:localhost", "her-own-token"), ("", "@zoe:localhost", None, None)]
    old.insert("user", "bridge_id mxid management_room access_token", users)
    profile = f'{{"wa_device_id": {device}}}'
    old.insert(
        "user_login",
        "bridge_id user_mxid id remote_name space_room metadata",
        [("", ALICE_MXID, ALICE, f"+{ALICE}", "!space:localhost", profile)],
    )
    _fill_v2_ghosts(old)
    _fill_v2_portals(old)
    chats = [(f"{BOB_LID}@lid", ALICE), (GROUP, "")]
    rows = []
    for number in range(messages):
        chat, receiver = chats[number % 2]
        sender = f"{ALICE}@s.whatsapp.net" if number % 5 == 0 else f"{BOB_LID}@lid"
        error = '{"error": "undecryptable"}' if number == 3 else "{}"
        at = (SECOND + number) * NANO
        key = f"{chat}:{sender}:MSG{number}"
        rows.append((number, "", key, "", f"$m{number}", chat, receiver, "x", "x", at, 0, error))
    fake = f"fake:{GROUP}:{BOB_LID}@lid:call"
    rows.append((messages, "", fake, "", "$call", GROUP, "", "x", "x", SECOND * NANO, 0, "{}"))
    old.insert(
        "message",
        "rowid bridge_id id part_id mxid room_id room_receiver sender_id sender_mxid timestamp edit_count "
        "metadata",
        rows,
    )
    target = f"{GROUP}:{BOB_LID}@lid:MSG1"
    old.insert(
        "reaction",
        "bridge_id message_id message_part_id sender_id emoji_id room_id room_receiver mxid timestamp "
        "emoji metadata",
        [("", target, "", ALICE, "", GROUP, "", "$r1", SECOND * NANO, "👍", "{}")],
    )
    old.insert(
        "disappearing_message",
        "bridge_id mx_room mxid type timer disappear_at",
        [
            ("", "!bob:localhost", "$m0", "after_read", NANO, (SECOND + 60) * NANO),
            ("", "!bob:localhost", "$m2", "after_read", NANO, None),
        ],
    )


def _fill_v2_ghosts(old: OldDatabase) -> None:
    ghosts = [
        (BOB, "Bob (WA)"),
        (f"lid-{BOB_LID}", "Bob (WA)"),
        (CAROL, "+15550003333 (WA)"),
        (ALICE, "Alice (WA)"),
    ]
    ghosts.append((f"lid-{DAVE_LID}", "Dave (WA)"))
    old.insert(
        "ghost",
        "bridge_id id name avatar_id avatar_hash avatar_mxc name_set avatar_set contact_info_set is_bot "
        "identifiers metadata",
        [("", one, name, "pic", "", "mxc://a/b", True, True, True, False, "[]", "{}") for one, name in ghosts],
    )


def _fill_v2_portals(old: OldDatabase) -> None:
    portals = [
        (f"{BOB_LID}@lid", ALICE, "!bob:localhost", None, f"lid-{BOB_LID}", "Bob (WA)", "dm", 604800 * NANO),
        (f"{BOB}@s.whatsapp.net", ALICE, "!old-bob:localhost", None, BOB, "", "dm", 0),
        (GROUP, "", "!group:localhost", COMMUNITY, None, "Walkers", "group", 0),
        (COMMUNITY, "", "!community:localhost", None, None, "Outdoors", "space", 0),
        ("12345@broadcast", ALICE, "!list:localhost", None, None, "", "default", 0),
    ]
    old.insert(
        "portal",
        "bridge_id id receiver mxid parent_id other_user_id name topic avatar_id avatar_hash avatar_mxc name_set "
        "avatar_set topic_set in_space room_type disappear_timer metadata",
        [
            ("", i, r, m, parent, o, n, "", "", "", "", True, True, True, True, kind, timer, "{}")
            for i, r, m, parent, o, n, kind, timer in portals
        ],
    )
    inside = [(f"{BOB_LID}@lid", ALICE, True), (GROUP, "", False), (COMMUNITY, "", True)]
    old.insert(
        "user_portal",
        "bridge_id user_mxid login_id portal_id portal_receiver in_space preferred",
        [("", ALICE_MXID, ALICE, chat, receiver, is_in, True) for chat, receiver, is_in in inside],
    )


def fill_legacy(old: OldDatabase, *, messages: int = 20) -> None:
    """The same as far as the old layout could hold it."""
    old.script(LEGACY)
    old.insert(
        "user",
        "mxid username agent device management_room space_room",
        [(ALICE_MXID, ALICE, 0, 12, "!alice-bot:localhost", "!space:localhost")],
    )
    puppets = [(BOB, "Bob (WA)", None, None), (ALICE, "Alice (WA)", ALICE_MXID, "her-own-token")]
    rows = [(u, n, 10, "pic", "mxc://a/b", mxid, token) for u, n, mxid, token in puppets]
    old.insert("puppet", "username displayname name_quality avatar avatar_url custom_mxid access_token", rows)
    bob, alice = f"{BOB}@s.whatsapp.net", f"{ALICE}@s.whatsapp.net"
    old.insert(
        "portal",
        "jid receiver mxid name topic avatar is_parent parent_group expiration_time",
        [
            (bob, alice, "!bob:localhost", "", "", "", False, None, 604800),
            (GROUP, GROUP, "!group:localhost", "Walkers", "", "", False, COMMUNITY, 0),
            (COMMUNITY, COMMUNITY, "!community:localhost", "Outdoors", "", "", True, None, 0),
        ],
    )
    inside = [(bob, alice, True), (GROUP, GROUP, False)]
    old.insert(
        "user_portal",
        "user_mxid portal_jid portal_receiver in_space",
        [(ALICE_MXID, chat, receiver, is_in) for chat, receiver, is_in in inside],
    )
    chats = [(bob, alice), (GROUP, GROUP)]
    old.insert(
        "message",
        "chat_jid chat_receiver jid mxid sender timestamp sent error type",
        [
            (*chats[n % 2], f"MSG{n}", f"$m{n}", alice if n % 5 == 0 else bob, SECOND + n, True, "", "normal")
            for n in range(messages)
        ]
        + [(*chats[1], "FAKE::1", "$call", bob, SECOND, True, "", "fake")],
    )
    old.insert(
        "reaction",
        "chat_jid chat_receiver target_jid sender mxid jid",
        [(GROUP, GROUP, "MSG1", alice, "$r1", "RRR")],
    )
    expiry = [("!bob:localhost", "$m0", 1000, (SECOND + 60) * 1000)]
    old.insert("disappearing_message", "room_id event_id expire_in expire_at", expiry)
