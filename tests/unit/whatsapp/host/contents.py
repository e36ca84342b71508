"""People, chats and protobuf classes that the tests of contents speak of."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.model.wa import WaSource
from mautrix_whatsapp_py.whatsapp.host.decode_content import Scene
from mautrix_whatsapp_py.whatsapp.host.encode_content import OwnAddresses, Sending
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf
from mautrix_whatsapp_py.whatsapp.host.secrets import StoredSecret

PROTOBUF = Protobuf()
E2E: Any = PROTOBUF.e2e
Message: Any = E2E.Message
OWN = WaJid(user="15550001111", server="s.whatsapp.net")
OWN_LID = WaJid(user="1001", server="lid")
ANA = WaJid(user="15550002222", server="s.whatsapp.net")
ANA_LID = WaJid(user="1002", server="lid")
BEN = WaJid(user="1003", server="lid")
GROUP = WaJid(user="120363000000000001", server="g.us")
STATUS = WaJid(user="status", server="broadcast")
SECRET = bytes(range(32))
AT_MS = 1_714_564_800_000
ME = OwnAddresses(pn=OWN, lid=OWN_LID)


def device_of(jid: WaJid) -> WaJid:
    return WaJid(user=jid.user, server=jid.server, device=7)


def scene(
    chat: WaJid,
    sender: WaJid,
    *,
    sender_alt: WaJid | None = None,
    is_view_once: bool = False,
    get_secrets: Callable[[WaJid, WaMessageId], Sequence[StoredSecret]] = lambda *_: (),
) -> Scene:
    source = WaSource(
        chat=chat,
        sender=device_of(sender),
        sender_alt=sender_alt,
        is_from_me=sender in ME,
        is_group=chat.is_group,
    )
    return Scene(source=source, own=OWN, get_secrets=get_secrets, protobuf=PROTOBUF, is_view_once=is_view_once)


FROM_ANA = scene(ANA, ANA)
FROM_ME = scene(ANA, OWN)
FROM_BEN = scene(GROUP, BEN)


def sending(chat: WaJid, *, own: OwnAddresses = ME, secret: bytes = SECRET) -> Sending:
    return Sending(chat=chat, own=own, secret=secret, at_ms=AT_MS)


def make_tables(path: Path) -> Path:
    """The library's tables, as far as they are read."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            f"""
            CREATE TABLE whatsmeow_device (jid TEXT PRIMARY KEY, lid TEXT);
            CREATE TABLE whatsmeow_lid_map (lid TEXT PRIMARY KEY, pn TEXT UNIQUE NOT NULL);
            CREATE TABLE whatsmeow_message_secrets (
                our_jid TEXT, chat_jid TEXT, sender_jid TEXT, message_id TEXT, key bytea NOT NULL,
                PRIMARY KEY (our_jid, chat_jid, sender_jid, message_id)
            );
            INSERT INTO whatsmeow_device VALUES ('{device_of(OWN)}', '{device_of(OWN_LID)}');
            INSERT INTO whatsmeow_lid_map VALUES ('{OWN_LID.user}', '{OWN.user}');
            INSERT INTO whatsmeow_lid_map VALUES ('{ANA_LID.user}', '{ANA.user}');
            """
        )
    return path


def add_secret(path: Path, chat: WaJid, sender: WaJid, message_id: str, secret: bytes = SECRET) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        row = (str(device_of(OWN)), str(chat), str(sender), message_id, secret)
        connection.execute("INSERT INTO whatsmeow_message_secrets VALUES (?, ?, ?, ?, ?)", row)


quoting = partial(E2E.ContextInfo, stanzaID="Q", participant=str(ANA))
