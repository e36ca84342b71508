"""Takes a history chunk apart and puts its messages on the shelf, a little at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mautrix_whatsapp_py.ids import LID_SERVER, USER_SERVER, WaJid, WaMessageId
from mautrix_whatsapp_py.model.wa_history import WaHistoryKey
from mautrix_whatsapp_py.whatsapp.host.decode_context import MAX_ID
from mautrix_whatsapp_py.whatsapp.host.history_shelf import Shelf, StoredChat, StoredChunk, StoredItem
from mautrix_whatsapp_py.whatsapp.host.history_walk import ChunkDamaged, Piece, PieceKind, Walk
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf, get_address, get_text

AT_ONCE = 200
_MAX_NAME = 256
_OWN = "me"


@dataclass(slots=True, kw_only=True)
class Unpacking:
    """One chunk on its way to the shelf; `step` until it is done. What is known already stays as it is."""

    path: Path
    shelf: Shelf
    protobuf: Protobuf
    is_done: bool = False
    chunk: StoredChunk = field(default_factory=lambda: StoredChunk(digest=""))
    _chat: str = ""
    _items: list[StoredItem] = field(default_factory=list)
    _unread: int = 0
    _unreadable: int = 0
    _seen: int = 0
    _kind: str = ""
    _place: int = 0
    _walk: Walk = field(init=False)
    _pieces: Iterator[Piece] | None = None

    def __post_init__(self) -> None:
        self._walk = Walk(path=self.path)

    def step(self) -> bool:
        """Do a little; whether there is more to do."""
        if self._pieces is None:
            self._pieces = self._walk.pieces()
        problem = ""
        try:
            for _ in range(AT_ONCE):
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._take(piece)
            else:
                self._store()
                return True
        except (ChunkDamaged, OSError) as error:
            problem = str(error) if isinstance(error, ChunkDamaged) else "it cannot be read"
        self._finish(problem)
        return False

    def _take(self, piece: Piece) -> None:
        try:
            match piece.kind:
                case PieceKind.CHAT_BEGINS:
                    self._store()
                    self._chat = _chat_of(self.protobuf.history.Conversation.FromString(piece.body)) or ""
                case PieceKind.MESSAGE:
                    self._seen += 1
                    self._take_message(self.protobuf.history.HistorySyncMsg.FromString(piece.body), piece.body)
                case PieceKind.CHAT:
                    self._store()
                    self._take_chat(self.protobuf.history.Conversation.FromString(piece.body))
                case PieceKind.OTHER:
                    self._take_rest(self.protobuf.parse_history(piece.body))
        except self.protobuf.decode_error:
            self._unreadable += 1

    def _take_message(self, message: Any, body: bytes) -> None:
        info = message.message
        key, chat = info.key, self._chat
        message_id = get_text(key.ID, MAX_ID)
        if not chat:
            address = get_address(key.remoteJID)
            chat = str(address) if address is not None else ""
        if not chat or not message_id or not info.messageTimestamp:
            self._unreadable += 1
            return
        participant = get_address(info.participant or key.participant) if not key.fromMe else None
        sender = _OWN if key.fromMe else str(participant or "")
        item_key = WaHistoryKey(message_id=WaMessageId(message_id), sender=sender)
        self._items.append(
            StoredItem(
                chat=chat,
                key=item_key,
                at_s=min(info.messageTimestamp, 1 << 40),
                place=min(message.msgOrderID, 1 << 60),
                body=body,
            )
        )

    def _take_chat(self, chat: Any) -> None:
        jid = _chat_of(chat)
        if jid is None:
            return
        other = _other_of(chat, jid)
        self.shelf.put_chat(
            StoredChat(
                jid=jid,
                other=other,
                name=get_text(chat.name or chat.displayName, _MAX_NAME),
                unread=chat.unreadCount or (-1 if chat.markedAsUnread else 0),
                is_archived=chat.archived,
            )
        )
        if other is not None:
            self.shelf.put_aliases([(jid, other)])

    def _take_rest(self, data: Any) -> None:
        if data.HasField("syncType"):
            self._kind = self.protobuf.enum_name(data, "syncType")
        self._place = data.chunkOrder or self._place
        names = ((get_address(item.ID), get_text(item.pushname, _MAX_NAME)) for item in data.pushnames)
        self.shelf.put_names([(str(jid), name) for jid, name in names if jid is not None and name])
        pairs = ((get_address(item.pnJID), get_address(item.lidJID)) for item in data.phoneNumberToLidMappings)
        self.shelf.put_aliases([(str(one), str(other)) for one, other in pairs if one and other])

    def _store(self) -> None:
        if self._items:
            self.shelf.add_items(self._items)
            self._items = []

    def _finish(self, problem: str) -> None:
        self._store()
        digest = self._walk.digest or f"damaged:{self.path.name}"
        if not problem and self._walk.oversized:
            problem = f"{self._walk.oversized} messages are too large"
        if not problem and self._unreadable:
            problem = f"{self._unreadable} messages cannot be read"
        if not problem and not self._seen and not self._kind:
            problem = "it is empty"
        if self.shelf.has_chunk(digest):
            problem = "it came before"
        self.chunk = StoredChunk(
            digest=digest, kind=self._kind, place=self._place, messages=self._seen, problem=problem
        )
        if problem != "it came before":
            self.shelf.put_chunk(self.chunk)
        self.is_done = True


def _chat_of(chat: Any) -> str | None:
    address = get_address(chat.newJID) if chat.newJID else get_address(chat.ID)
    return None if address is None else str(address)


def _other_of(chat: Any, jid: str) -> str | None:
    """The number of a chat known by LID, or the LID of one known by number."""
    for text, server in ((chat.lidJID, LID_SERVER), (chat.pnJID, USER_SERVER)):
        address: WaJid | None = get_address(text) if text else None
        if address is not None and address.server == server and str(address) != jid:
            return str(address)
    return None
