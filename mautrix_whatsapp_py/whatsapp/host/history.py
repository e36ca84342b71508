"""A session's history: taken over from the journal, unpacked onto the shelf, handed out as the bridge asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar, assert_never

import msgspec

from mautrix_whatsapp_py.ids import LoginId, WaJid, decode_jid, login_tag
from mautrix_whatsapp_py.model.wa import WaHistorySync
from mautrix_whatsapp_py.model.wa_history import (
    WaHistoryChats,
    WaHistoryFigures,
    WaHistoryItem,
    WaHistoryPage,
    WaHistoryPlan,
)
from mautrix_whatsapp_py.tasks import end_all, spawn
from mautrix_whatsapp_py.whatsapp import wire_history as wire
from mautrix_whatsapp_py.whatsapp.folders import ensure_private_folder
from mautrix_whatsapp_py.whatsapp.host.decode import Account
from mautrix_whatsapp_py.whatsapp.host.decode_history import Pages, decode_record
from mautrix_whatsapp_py.whatsapp.host.history_shelf import Shelf, StoredItem
from mautrix_whatsapp_py.whatsapp.host.history_unpack import Unpacking
from mautrix_whatsapp_py.whatsapp.host.journal import Row, write_private
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
_PAGE_BYTES = 512 * 1024
"""A page must fit a frame with room to spare; an item alone always does."""
_MAX_PAGE = 500


class History:
    """Its files lie in a folder of the session; everything that touches the shelf runs on one thread."""

    def __init__(
        self, login: LoginId, folder: Path, protobuf: Protobuf, *, get_own_lid: Callable[[], WaJid | None]
    ) -> None:
        self._login = login
        self._folder = ensure_private_folder(folder)
        self._incoming = ensure_private_folder(folder / "incoming")
        self._protobuf = protobuf
        self._get_own_lid = get_own_lid
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"history-{login_tag(login)}")
        self._shelf: Shelf | None = None
        self._came = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def start(self) -> None:
        """Unpack what comes, and what is left from an earlier run."""
        self._came.set()
        spawn(self._unpack_all(), name=f"history-{login_tag(self._login)}", tasks=self._tasks)

    def take(self, row: Row) -> WaHistorySync:
        """Take a chunk over from the journal, whose row may then go; called on the journal's thread."""
        target = self._incoming / f"{row.seq:020d}"
        if row.file is None:
            write_private(target, row.body)
        elif row.file.exists():
            row.file.replace(target)
        size = target.stat().st_size if target.exists() else 0
        if not self._is_closed:
            self._loop.call_soon_threadsafe(self._came.set)
        return WaHistorySync(size=size)

    async def stop(self) -> None:
        """Stop at the next step; a chunk that is not unpacked is unpacked anew."""
        self._is_closed = True
        await end_all(self._tasks)
        await asyncio.to_thread(self._thread.shutdown, wait=True)
        if self._shelf is not None:
            self._shelf.close()

    async def run(self, call: wire.HistoryCall, account: Account) -> wire.HistoryResult | None:
        """Carry a request out; None when there is nothing to say about it."""
        if not self._waiting() and not (self._folder / "history.db").exists():
            # Most sessions have no history most of the time: they need no thread for that.
            return _empty(call)
        return await self._in_thread(lambda: self._answer(call, account))

    def _answer(self, call: wire.HistoryCall, account: Account) -> wire.HistoryResult | None:
        match call:
            case wire.FetchHistory():
                return self._figures()
            case wire.FetchHistoryChats():
                return WaHistoryChats(items=tuple(self._open().get_chats(call.offset, min(call.limit, _MAX_PAGE))))
            case wire.PlanHistory():
                return self._open().plan(str(call.chat), call.stages, after_s=call.after_seconds, limit=call.limit)
            case wire.UnplanHistory():
                self._open().unplan(None if call.chat is None else str(call.chat))
            case wire.FetchHistoryPage():
                return self._page(call, account)
            case wire.SettleHistory():
                self._open().settle(str(call.chat), call.keys, call.stage)
            case wire.PurgeHistory():
                self._open().purge(call.before_seconds)
            case _:
                assert_never(call)
        return None

    def _figures(self) -> WaHistoryFigures:
        return self._open().get_figures(is_unpacking=bool(self._waiting()))

    def _page(self, call: wire.FetchHistoryPage, account: Account) -> WaHistoryPage:
        shelf = self._open()
        pages = Pages(
            account=account,
            own_lid=self._get_own_lid(),
            get_name=lambda jid: shelf.get_name(str(jid)),
            get_alias=lambda jid: _decode(shelf.get_alias(str(jid))),
        )
        chat = None if call.chat is None else str(call.chat)
        found = shelf.get_page(
            chat,
            call.stage,
            min(call.limit, _MAX_PAGE),
            skips=call.skips,
            is_newest_first=call.is_newest_first,
        )
        return WaHistoryPage(items=tuple(_fit([self._decode_item(item, pages) for item in found])))

    def _decode_item(self, item: StoredItem, pages: Pages) -> WaHistoryItem:
        chat, at = decode_jid(item.chat), datetime.fromtimestamp(item.at_s, UTC)
        try:
            record = self._protobuf.history.HistorySyncMsg.FromString(item.body)
            events = decode_record(record.message, chat, pages)
        except Exception as error:  # noqa: BLE001 adapter edge: one odd message must not hide the others
            log.info("a message of the past is not understood: %s", type(error).__name__)
            events = ()
        return WaHistoryItem(key=item.key, chat=chat, at=at, events=events)

    # Unpacking

    def _open(self) -> Shelf:
        if self._shelf is None:
            self._shelf = Shelf(self._folder / "history.db")
        return self._shelf

    def _waiting(self) -> list[Path]:
        return sorted(self._incoming.iterdir())

    async def _unpack_all(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            for path in self._waiting():
                await self._unpack(path)

    async def _unpack(self, path: Path) -> None:
        unpacking = await self._in_thread(
            lambda: Unpacking(path=path, shelf=self._open(), protobuf=self._protobuf)
        )
        has_more = True
        while has_more:
            # A step at a time: a chunk may hold tens of thousands of messages, and requests come in between.
            has_more = await self._in_thread(unpacking.step)
        chunk = unpacking.chunk
        level = logging.WARNING if chunk.problem else logging.INFO
        words = (chunk.kind or "unknown", chunk.place, chunk.messages, chunk.problem or "whole")
        log.log(level, "history chunk %s %d with %d messages: %s", *words, extra={"login": self._login})
        await self._in_thread(lambda: path.unlink(missing_ok=True))

    async def _in_thread(self, function: Callable[[], Answer]) -> Answer:
        return await self._loop.run_in_executor(self._thread, function)


def _fit(items: Sequence[WaHistoryItem]) -> list[WaHistoryItem]:
    """As many as fit into a frame; one that fits none comes without what it says."""
    taken: list[WaHistoryItem] = []
    room = _PAGE_BYTES
    for item in items:
        size = len(msgspec.msgpack.encode(item))
        if size > _PAGE_BYTES:
            log.warning("a message of the past is too large")
            item, size = msgspec.structs.replace(item, events=()), 0
        if size > room:
            break
        room -= size
        taken.append(item)
    return taken


def _decode(text: str | None) -> WaJid | None:
    return None if text is None else decode_jid(text)


def _empty(call: wire.HistoryCall) -> wire.HistoryResult | None:
    """What there is to say where no history has ever come."""
    match call:
        case wire.FetchHistory():
            return WaHistoryFigures()
        case wire.FetchHistoryChats():
            return WaHistoryChats()
        case wire.FetchHistoryPage():
            return WaHistoryPage()
        case wire.PlanHistory():
            return WaHistoryPlan()
        case _:
            return None
