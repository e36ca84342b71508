"""Reads of the library's own tables for messages' secrets: what became of a send, and what secrets seal."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mautrix_whatsapp_py.ids import LID_SERVER, USER_SERVER, WaJid, WaMessageId, decode_jid

_KEY_BYTES = 32
_MOST_ROWS = 8
"""An id names one message, but other people of a chat may repeat it."""
_FIND = """
SELECT key, sender_jid FROM whatsmeow_message_secrets
WHERE our_jid IN (SELECT jid FROM whatsmeow_device) AND chat_jid IN (?, ?) AND message_id = ? LIMIT ?
"""


class SealUse(StrEnum):
    """What a message is sealed for; a part of its key."""

    REACTION = "Enc Reaction"
    EDIT = "Message Edit"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSecret:
    """The secret of a message, and the addresses its author may have had when it was made."""

    secret: bytes
    authors: tuple[WaJid, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """Something said about a message, encrypted with that message's secret."""

    target: WaMessageId
    use: SealUse
    payload: bytes
    iv: bytes


def get_message_id(database: Path, secret: bytes) -> WaMessageId | None:
    """The id of the message that carries this secret; None: the library never began to send it."""
    if not secret or not database.exists():
        return None
    with closing(_connect(database)) as connection:
        row = connection.execute(
            "SELECT message_id FROM whatsmeow_message_secrets WHERE key = ? LIMIT 1", (secret,)
        ).fetchone()
    return WaMessageId(str(row[0])) if row else None


def get_secrets(database: Path, chat: WaJid, message_id: WaMessageId) -> tuple[StoredSecret, ...]:
    """Secrets kept of a chat's messages with this id; none also when the tables cannot be read."""
    if not database.exists():
        return ()
    try:
        with closing(_connect(database)) as connection:
            chats = _addresses(connection, str(chat.bare))
            rows = connection.execute(_FIND, (str(chats[0]), str(chats[-1]), message_id, _MOST_ROWS)).fetchall()
            return tuple(
                StoredSecret(secret=bytes(key), authors=_addresses(connection, str(sender)))
                for key, sender in rows
            )
    except sqlite3.Error:
        return ()


def get_own_lid(database: Path) -> WaJid | None:
    """The account's own hidden address, as far as the library knows it."""
    if not database.exists():
        return None
    try:
        with closing(_connect(database)) as connection:
            row = connection.execute("SELECT lid FROM whatsmeow_device LIMIT 1").fetchone()
        return decode_jid(str(row[0])).bare if row and row[0] else None
    except (sqlite3.Error, ValueError):
        return None


def unseal(
    sealed: Sealed, stored: Sequence[StoredSecret], *, authors: Iterable[WaJid], actors: Iterable[WaJid]
) -> bytes | None:
    """What was said; None when no secret kept opens it.

    Both people may be known by number or by LID, and the key depends on which the writer took: each is tried.
    """
    for item in stored:
        for author in dict.fromkeys((*item.authors, *authors)):
            for actor in dict.fromkeys(actors):
                opened = _open(sealed, item.secret, author, actor)
                if opened is not None:
                    return opened
    return None


def _open(sealed: Sealed, secret: bytes, author: WaJid, actor: WaJid) -> bytes | None:
    # Few sessions ever need it, and it adds megabytes to a host.
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = f"{sealed.target}{author.bare}{actor.bare}{sealed.use.value}".encode()
    key = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=info).derive(secret)
    try:
        return AESGCM(key).decrypt(sealed.iv, sealed.payload, None)
    except (InvalidTag, ValueError):
        return None


def _addresses(connection: sqlite3.Connection, text: str) -> tuple[WaJid, ...]:
    """An address and its other form: number and LID of one person."""
    try:
        jid = decode_jid(text).bare
    except ValueError:
        return ()
    wanted = {USER_SERVER: ("lid", "pn", LID_SERVER), LID_SERVER: ("pn", "lid", USER_SERVER)}.get(jid.server)
    if wanted is None:
        return (jid,)
    column, known, server = wanted
    query = f"SELECT {column} FROM whatsmeow_lid_map WHERE {known} = ?"  # noqa: S608 names of columns are ours
    row = connection.execute(query, (jid.user,)).fetchone()
    return (jid, WaJid(user=str(row[0]), server=server)) if row else (jid,)


def _connect(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{database}?mode=rw", uri=True, timeout=10)
