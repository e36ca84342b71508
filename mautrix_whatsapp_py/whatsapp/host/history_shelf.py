"""The history of one account that is not in its rooms yet: one SQLite file beside the session."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mautrix_whatsapp_py.ids import WaJid, WaMessageId, decode_jid
from mautrix_whatsapp_py.model.wa_history import (
    WaHistoryChat,
    WaHistoryFigures,
    WaHistoryKey,
    WaHistoryPlan,
    WaHistoryStage,
)
from mautrix_whatsapp_py.whatsapp.folders import PRIVATE_FILE

_SCHEMA = """
CREATE TABLE IF NOT EXISTS chat (
    jid TEXT PRIMARY KEY, other TEXT, name TEXT NOT NULL, unread INTEGER NOT NULL, is_archived INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS item (
    chat TEXT NOT NULL, id TEXT NOT NULL, sender TEXT NOT NULL,
    at_s INTEGER NOT NULL, place INTEGER NOT NULL, came_s INTEGER NOT NULL, stage TEXT NOT NULL, body BLOB,
    PRIMARY KEY (chat, id, sender)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS item_by_time ON item(chat, stage, at_s, place);
CREATE INDEX IF NOT EXISTS item_by_stage ON item(stage, at_s);
CREATE TABLE IF NOT EXISTS chunk (
    digest TEXT PRIMARY KEY, came_s INTEGER NOT NULL, kind TEXT NOT NULL, place INTEGER NOT NULL,
    messages INTEGER NOT NULL, problem TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS name (jid TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS alias (jid TEXT PRIMARY KEY, other TEXT NOT NULL);
"""
_MAX_PROBLEMS = 5
_NEW, _WANTED, _KEPT = WaHistoryStage.NEW, WaHistoryStage.WANTED, WaHistoryStage.KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredItem:
    """A message as the phone sent it, and where it belongs."""

    chat: str
    key: WaHistoryKey
    at_s: int
    place: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChat:
    """What a chunk says of a chat."""

    jid: str
    other: str | None
    name: str
    unread: int
    is_archived: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChunk:
    """What came of a chunk."""

    digest: str
    kind: str = ""
    place: int = 0
    messages: int = 0
    problem: str = ""


class Shelf:
    """Used on one thread only."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=PRIVATE_FILE, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        # What is forgotten must not stay readable in free pages.
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.execute("PRAGMA cache_size=-1024")
        self._db.executescript(_SCHEMA)
        for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            if name.exists():
                name.chmod(PRIVATE_FILE)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # What phones send

    def add_items(self, items: Sequence[StoredItem]) -> int:
        """Store messages that are not known yet; how many those are."""
        now_s = int(time.time())
        rows = [
            (i.chat, i.key.message_id, i.key.sender, i.at_s, i.place, now_s, _NEW.value, _pack(i.body))
            for i in items
        ]
        with self._db:
            self._db.execute("BEGIN")
            before = self._db.total_changes
            self._db.executemany("INSERT OR IGNORE INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            return self._db.total_changes - before

    def put_chat(self, chat: StoredChat) -> None:
        """Remember what a chat is like."""
        self._db.execute(
            "INSERT INTO chat VALUES (?, ?, ?, ?, ?) ON CONFLICT(jid) DO UPDATE SET"
            " other = coalesce(excluded.other, other), unread = excluded.unread,"
            " name = CASE excluded.name WHEN '' THEN name ELSE excluded.name END,"
            " is_archived = excluded.is_archived",
            (chat.jid, chat.other, chat.name, chat.unread, chat.is_archived),
        )

    def put_names(self, names: Iterable[tuple[str, str]]) -> None:
        """Remember how people call themselves."""
        self._db.executemany("INSERT OR REPLACE INTO name VALUES (?, ?)", names)

    def put_aliases(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Remember which addresses belong to one person, both ways."""
        rows = [row for one, other in pairs for row in ((one, other), (other, one))]
        self._db.executemany("INSERT OR REPLACE INTO alias VALUES (?, ?)", rows)

    def has_chunk(self, digest: str) -> bool:
        """Whether a chunk was taken before."""
        return bool(self._db.execute("SELECT 1 FROM chunk WHERE digest = ?", (digest,)).fetchall())

    def put_chunk(self, chunk: StoredChunk) -> None:
        """Remember what came of a chunk."""
        self._db.execute(
            "INSERT OR REPLACE INTO chunk VALUES (?, ?, ?, ?, ?, ?)",
            (chunk.digest, int(time.time()), chunk.kind, chunk.place, chunk.messages, chunk.problem),
        )

    # What is known

    def get_name(self, jid: str) -> str:
        """How somebody calls themselves."""
        row = self._db.execute("SELECT name FROM name WHERE jid = ?", (jid,)).fetchone()
        return str(row[0]) if row else ""

    def get_alias(self, jid: str) -> str | None:
        """Somebody's other address."""
        row = self._db.execute("SELECT other FROM alias WHERE jid = ?", (jid,)).fetchone()
        return str(row[0]) if row else None

    def get_figures(self, *, is_unpacking: bool) -> WaHistoryFigures:
        """How much there is."""
        counts = dict(self._db.execute("SELECT stage, count(*) FROM item GROUP BY stage").fetchall())
        count, newest_s, problem_count = self._db.execute(
            "SELECT count(*), max(came_s), coalesce(sum(problem != ''), 0) FROM chunk"
        ).fetchone()
        problems = self._db.execute(
            "SELECT problem FROM chunk WHERE problem != '' ORDER BY came_s DESC LIMIT ?", (_MAX_PROBLEMS,)
        ).fetchall()
        return WaHistoryFigures(
            is_unpacking=is_unpacking,
            chunks=count,
            newest_chunk_at=None if newest_s is None else datetime.fromtimestamp(newest_s, UTC),
            new=counts.get(_NEW.value, 0),
            wanted=counts.get(_WANTED.value, 0),
            kept=counts.get(_KEPT.value, 0),
            files=counts.get(WaHistoryStage.FILE.value, 0),
            problems=tuple(str(text) for (text,) in problems),
            problem_count=problem_count,
        )

    def get_chats(self, offset: int, limit: int) -> list[WaHistoryChat]:
        """Chats with messages that wait, the newest first."""
        rows = self._db.execute(
            "SELECT item.chat, chat.other, chat.name, max(at_s), sum(stage = 'new'), sum(stage = 'wanted'),"
            " sum(stage = 'kept'), coalesce(unread, 0), coalesce(is_archived, 0)"
            " FROM item LEFT JOIN chat ON chat.jid = item.chat WHERE stage IN ('new', 'wanted', 'kept')"
            " GROUP BY item.chat ORDER BY max(at_s) DESC, item.chat LIMIT ? OFFSET ?",
            (limit, offset),
        ).fetchall()
        return [
            WaHistoryChat(
                chat=decode_jid(chat),
                other=self._other(chat, other),
                name=name or "",
                newest_at=datetime.fromtimestamp(newest_s, UTC),
                new=new,
                wanted=wanted,
                kept=kept,
                unread=unread,
                is_archived=bool(is_archived),
            )
            for chat, other, name, newest_s, new, wanted, kept, unread, is_archived in rows
        ]

    def _other(self, chat: str, other: str | None) -> WaJid | None:
        found = other or self.get_alias(chat)
        return None if found is None else decode_jid(found)

    def plan(self, chat: str, stages: Sequence[WaHistoryStage], *, after_s: int, limit: int) -> WaHistoryPlan:
        """Choose the newest of a chat's messages in these stages that are to be brought over; keep the others."""
        marks = ",".join("?" * len(stages))
        chosen = [stage.value for stage in stages]
        where = f"chat = ? AND stage IN ({marks})"
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            rows = self._db.execute(
                f"SELECT id, sender, at_s FROM item WHERE {where} AND at_s > ?"  # noqa: S608 only marks
                " ORDER BY at_s DESC, place DESC LIMIT ?",
                (chat, *chosen, after_s, limit if limit >= 0 else -1),
            ).fetchall()
            set_stage = f"UPDATE item SET stage = ? WHERE {where}"  # noqa: S608 only marks
            kept = self._db.execute(set_stage, (_KEPT.value, chat, *chosen)).rowcount - len(rows)
            self._db.executemany(
                "UPDATE item SET stage = ? WHERE chat = ? AND id = ? AND sender = ?",
                [(_WANTED.value, chat, message_id, sender) for message_id, sender, _ in rows],
            )
            before = self._db.execute(
                "SELECT 1 FROM item WHERE chat = ? AND at_s <= ? LIMIT 1", (chat, after_s)
            ).fetchall()
            ((oldest,),) = self._db.execute(
                "SELECT min(at_s) FROM item WHERE chat = ? AND stage = 'wanted' AND at_s > ?", (chat, after_s)
            ).fetchall()
            ((left_out,),) = self._db.execute(
                "SELECT count(*) FROM item WHERE chat = ? AND stage = 'kept' AND at_s > ? AND at_s <= ?",
                (chat, after_s, oldest),
            ).fetchall()
        return WaHistoryPlan(
            wanted=len(rows),
            kept=max(kept, 0),
            left_out=left_out,
            oldest_at=None if oldest is None else datetime.fromtimestamp(oldest, UTC),
            reaches_back=bool(before),
        )

    def unplan(self, chat: str | None) -> None:
        """What was chosen waits again, of one chat or of all."""
        where, values = ("", ()) if chat is None else (" AND chat = ?", (chat,))
        self._db.execute(f"UPDATE item SET stage = 'kept' WHERE stage = 'wanted'{where}", values)  # noqa: S608

    def get_page(
        self, chat: str | None, stage: WaHistoryStage, limit: int, *, skips: int = 0, is_newest_first: bool
    ) -> list[StoredItem]:
        """Some messages of a stage, of one chat or of all."""
        order = "DESC" if is_newest_first else "ASC"
        where, values = ("", ()) if chat is None else (" AND chat = ?", (chat,))
        rows = self._db.execute(
            f"SELECT chat, id, sender, at_s, place, body FROM item WHERE stage = ?{where}"  # noqa: S608
            f" ORDER BY at_s {order}, place {order} LIMIT ? OFFSET ?",
            (stage.value, *values, limit, skips),
        ).fetchall()
        return [
            StoredItem(
                chat=of_chat,
                key=WaHistoryKey(message_id=WaMessageId(message_id), sender=sender),
                at_s=at_s,
                place=place,
                body=_unpack(body or b""),
            )
            for of_chat, message_id, sender, at_s, place, body in rows
        ]

    def settle(self, chat: str, keys: Sequence[WaHistoryKey], stage: WaHistoryStage) -> None:
        """Messages have come to a stage; of those that are done only the id stays."""
        body = ", body = NULL" if stage is WaHistoryStage.DONE else ""
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany(
                f"UPDATE item SET stage = ?{body} WHERE chat = ? AND id = ? AND sender = ?",  # noqa: S608
                [(stage.value, chat, key.message_id, key.sender) for key in keys],
            )

    def purge(self, before_s: int) -> int:
        """Forget messages that came before a moment and nobody has asked for; how many those were."""
        with self._db:
            self._db.execute("BEGIN")
            return self._db.execute("DELETE FROM item WHERE stage = 'kept' AND came_s <= ?", (before_s,)).rowcount


def _pack(body: bytes) -> bytes:
    packed = zlib.compress(body, 1)
    return b"z" + packed if len(packed) < len(body) else b"-" + body


def _unpack(stored: bytes) -> bytes:
    return zlib.decompress(stored[1:]) if stored[:1] == b"z" else stored[1:]
