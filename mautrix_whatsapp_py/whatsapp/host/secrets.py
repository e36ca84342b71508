"""Reads of the library's own tables for messages' secrets: what became of a send, and what secrets seal."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.whatsapp.host.protobuf import get_address
from mautrix_whatsapp_py.whatsapp.tables import Database, read_apart

_KEY_BYTES = 32
_MOST_ROWS = 8
"""An id names one message, but other people of a chat may repeat it."""
_IV_BYTES = 12
_FIND_SENT = "SELECT message_id FROM whatsmeow_message_secrets WHERE hex(key) = upper(?) LIMIT 1"
_FIND = """
SELECT hex(found.key), found.sender_jid, person.lid || '@lid', person.pn || '@s.whatsapp.net'
FROM whatsmeow_message_secrets AS found
LEFT JOIN whatsmeow_lid_map AS person
    ON found.sender_jid IN (person.lid || '@lid', person.pn || '@s.whatsapp.net')
WHERE found.our_jid IN (SELECT jid FROM whatsmeow_device)
    AND found.chat_jid IN (
        SELECT ?
        UNION SELECT pn || '@s.whatsapp.net' FROM whatsmeow_lid_map WHERE lid || '@lid' = ?
        UNION SELECT lid || '@lid' FROM whatsmeow_lid_map WHERE pn || '@s.whatsapp.net' = ?
    )
    AND found.message_id = ?
LIMIT ?
"""
"""Chats and people may be kept by number or by LID."""


class SealUse(StrEnum):
    """What a message is sealed for; a part of its key."""

    REACTION = "Enc Reaction"
    EDIT = "Message Edit"
    VOTE = "Poll Vote"
    EVENT_ANSWER = "Event Response"
    COMMENT = "Enc Comment"


_BOUND = frozenset({SealUse.VOTE, SealUse.EVENT_ANSWER})


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


def get_message_id(database: Database, secret: bytes) -> WaMessageId | None:
    """The id of the message that carries this secret; None: the library never began to send it."""
    if not secret or not database.exists():
        return None
    (rows,) = read_apart(database, [(_FIND_SENT, (secret.hex(),))])
    return WaMessageId(str(rows[0][0])) if rows else None


def get_secrets(database: Database, chat: WaJid, message_id: WaMessageId) -> tuple[StoredSecret, ...]:
    """Secrets kept of a chat's messages with this id; none also when the tables cannot be read."""
    address = str(chat.bare)
    try:
        (rows,) = read_apart(database, [(_FIND, (address, address, address, message_id, _MOST_ROWS))])
    except sqlite3.Error:
        return ()
    return tuple(StoredSecret(secret=bytes.fromhex(str(key)), authors=_decode_jids(jids)) for key, *jids in rows)


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


def seal(
    target: WaMessageId, use: SealUse, plain: bytes, stored: Sequence[StoredSecret], *, actor: WaJid
) -> Sealed | None:
    """Something to be said about a message; None when its secret is not known.

    Of the addresses its author may have had, others' devices try the one of the actor's own kind first.
    """
    for item in stored:
        authors = sorted(item.authors, key=lambda jid: jid.server != actor.server)
        if authors:
            # Few sessions ever need it, and it adds megabytes to a host.
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            iv = os.urandom(_IV_BYTES)
            key = _derive(item.secret, target, use, authors[0], actor)
            payload = AESGCM(key).encrypt(iv, plain, _beside(target, use, actor))
            return Sealed(target=target, use=use, payload=payload, iv=iv)
    return None


def _open(sealed: Sealed, secret: bytes, author: WaJid, actor: WaJid) -> bytes | None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = _derive(secret, sealed.target, sealed.use, author, actor)
    try:
        return AESGCM(key).decrypt(sealed.iv, sealed.payload, _beside(sealed.target, sealed.use, actor))
    except (InvalidTag, ValueError):
        return None


def _derive(secret: bytes, target: WaMessageId, use: SealUse, author: WaJid, actor: WaJid) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = f"{target}{author.bare}{actor.bare}{use.value}".encode()
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=info).derive(secret)


def _beside(target: WaMessageId, use: SealUse, actor: WaJid) -> bytes | None:
    """What is authenticated beside the payload, by the kinds that do."""
    return f"{target}\0{actor.bare}".encode() if use in _BOUND else None


def _decode_jids(texts: Iterable[object]) -> tuple[WaJid, ...]:
    found = (get_address(text) for text in texts if isinstance(text, str))
    return tuple(jid for jid in found if jid is not None)
