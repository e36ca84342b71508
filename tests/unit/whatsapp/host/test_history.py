"""The past: chunks taken apart in little memory, kept on a shelf, handed out as messages; bad ones are told of."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mautrix_whatsapp_py.ids import JournalSeq, LoginId, WaJid
from mautrix_whatsapp_py.model.content import WaEdit, WaReaction, WaText
from mautrix_whatsapp_py.model.rich import WaOccasionAnswer, WaPollVote
from mautrix_whatsapp_py.model.wa_history import (
    WaHistoryChats,
    WaHistoryFigures,
    WaHistoryItem,
    WaHistoryPage,
    WaHistoryPlan,
    WaHistoryStage,
)
from mautrix_whatsapp_py.whatsapp import wire_history as wire
from mautrix_whatsapp_py.whatsapp.host.decode import Account
from mautrix_whatsapp_py.whatsapp.host.history import History
from mautrix_whatsapp_py.whatsapp.host.journal import Row
from mautrix_whatsapp_py.whatsapp.host.library_log import log_library_line
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf
from tests.simulator.history import HistoryChunk, HistoryConversation, HistoryMessage, encode_chunk
from tests.simulator.jids import Jid

pytestmark = pytest.mark.neonize

LOGIN = LoginId("15550001111")
BEN, CLUB = Jid("15550002222", "s.whatsapp.net"), Jid("12036300", "g.us")
BEN_WA, CLUB_WA = WaJid(user=BEN.user, server=BEN.server), WaJid(user=CLUB.user, server=CLUB.server)
START_S = 1_700_000_000


class Stand:
    """A session's history and what feeds it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.protobuf = Protobuf()
        self.account = Account(
            own=WaJid(user=LOGIN, server="s.whatsapp.net"), get_secrets=lambda *_: (), protobuf=self.protobuf
        )
        self._seq = 0
        self.history = self._make()

    def _make(self) -> History:
        return History(LOGIN, self.folder / "history", self.protobuf, get_own_lid=lambda: None)

    async def restart(self) -> None:
        await self.history.stop()
        self.history = self._make()
        self.history.start()

    def feed(self, body: bytes) -> None:
        """A chunk's file, as the journal holds it."""
        self._seq += 1
        file = self.folder / f"blob{self._seq}"
        file.write_bytes(body)
        row = Row(seq=JournalSeq(self._seq), code=13, received_at=datetime.now(UTC), body=b"", file=file)
        assert self.history.take(row).size == len(body)
        assert not file.exists()

    async def ask(self, call: wire.HistoryCall) -> Any:
        return await self.history.run(call, self.account)

    async def figures(self) -> WaHistoryFigures:
        """What there is, when all is unpacked."""
        while True:
            found = await self.ask(wire.FetchHistory(login=LOGIN))
            assert isinstance(found, WaHistoryFigures)
            if not found.is_unpacking:
                return found

    async def chats(self) -> WaHistoryChats:
        found = await self.ask(wire.FetchHistoryChats(login=LOGIN, offset=0, limit=100))
        assert isinstance(found, WaHistoryChats)
        return found

    async def plan(self, chat: WaJid, *, limit: int = 50, after_s: int = 0, kept: bool = False) -> WaHistoryPlan:
        stages = (WaHistoryStage.KEPT,) if kept else (WaHistoryStage.NEW,)
        found = await self.ask(
            wire.PlanHistory(login=LOGIN, chat=chat, stages=stages, after_seconds=after_s, limit=limit)
        )
        assert isinstance(found, WaHistoryPlan)
        return found

    async def wanted(self, chat: WaJid) -> tuple[WaHistoryItem, ...]:
        found = await self.ask(
            wire.FetchHistoryPage(login=LOGIN, chat=chat, stage=WaHistoryStage.WANTED, limit=100)
        )
        assert isinstance(found, WaHistoryPage)
        return found.items

    async def texts(self, chat: WaJid) -> list[str]:
        contents = [item.events[0].content for item in await self.wanted(chat)]
        return [content.body for content in contents if isinstance(content, WaText)]


@asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[Stand]:
    stand = Stand(folder)
    stand.history.start()
    try:
        yield stand
    finally:
        await stand.history.stop()


def packed(chunk: HistoryChunk) -> bytes:
    return zlib.compress(encode_chunk(chunk).SerializeToString())


def talk(chat: Jid, count: int, *, first: int = 0, **more: Any) -> HistoryConversation:
    """A conversation, the newest message first as phones send it."""
    from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import Message

    messages = [
        HistoryMessage(
            message_id=f"{chat.user}-{number}",
            message=Message(conversation=f"old {number}"),
            at_seconds=START_S + number,
            participant=BEN if chat.server == "g.us" else None,
        )
        for number in range(first, first + count)
    ]
    return HistoryConversation(chat=chat, messages=messages[::-1], **more)


@pytest.mark.parametrize(("unread", "is_marked", "told"), [(0, False, 0), (0, True, -1), (2, True, 2)])
async def test_a_mark_by_hand_is_told_apart(tmp_path: Path, unread: int, is_marked: bool, told: int) -> None:
    async with standing(tmp_path) as it:
        it.feed(packed(HistoryChunk(conversations=[talk(BEN, 3, unread=unread, is_marked_unread=is_marked)])))
        await it.figures()
        assert [chat.unread for chat in (await it.chats()).items] == [told]


async def test_the_newest_messages_of_a_chat_come_oldest_first(tmp_path: Path) -> None:
    async with standing(tmp_path) as it:
        it.feed(packed(HistoryChunk(conversations=[talk(BEN, 10, name="Ben", unread=3)])))
        figures = await it.figures()
        assert (figures.new, figures.chunks, figures.problems) == (10, 1, ())
        (chat,) = (await it.chats()).items
        assert (chat.chat, chat.name, chat.unread, chat.new) == (BEN_WA, "Ben", 3, 10)
        plan = await it.plan(BEN_WA, limit=4)
        assert (plan.wanted, plan.kept, plan.left_out) == (4, 6, 6)
        assert plan.oldest_at == datetime.fromtimestamp(START_S + 6, UTC)
        assert await it.texts(BEN_WA) == ["old 6", "old 7", "old 8", "old 9"]
        assert not (await it.plan(BEN_WA, limit=4)).wanted
        assert (await it.plan(BEN_WA, limit=-1, kept=True)).wanted == 6


async def test_chats_are_listed_with_the_newest_first(tmp_path: Path) -> None:
    async with standing(tmp_path) as it:
        it.feed(packed(HistoryChunk(conversations=[talk(BEN, 2), talk(CLUB, 2, first=50)])))
        await it.figures()
        assert [chat.chat for chat in (await it.chats()).items] == [CLUB_WA, BEN_WA]


async def test_what_is_done_is_forgotten_and_does_not_come_again(tmp_path: Path) -> None:
    async with standing(tmp_path) as it:
        it.feed(packed(HistoryChunk(conversations=[talk(BEN, 3)])))
        await it.figures()
        await it.plan(BEN_WA)
        items = await it.wanted(BEN_WA)
        keys = tuple(item.key for item in items)
        await it.ask(wire.SettleHistory(login=LOGIN, chat=BEN_WA, keys=keys, stage=WaHistoryStage.DONE))
        it.feed(packed(HistoryChunk(sync_type="RECENT", conversations=[talk(BEN, 5)])))
        await it.figures()
        await it.plan(BEN_WA)
        assert await it.texts(BEN_WA) == ["old 3", "old 4"]
        await it.restart()
        assert await it.texts(BEN_WA) == ["old 3", "old 4"]
        raw = b"".join(path.read_bytes() for path in (tmp_path / "history").glob("history.db*"))
        assert b"old 0" not in raw


async def test_bad_chunks_are_told_of_and_the_rest_is_kept(tmp_path: Path) -> None:
    whole = packed(HistoryChunk(conversations=[talk(BEN, 30)]))
    raw = zlib.decompress(packed(HistoryChunk(conversations=[talk(CLUB, 30)])))
    async with standing(tmp_path) as it:
        for body in (
            b"",
            zlib.compress(b""),
            b"not compressed at all",
            zlib.compress(b"\xff" * 64),
            zlib.compress(raw[: len(raw) // 2]),
            whole,
            whole,
        ):
            it.feed(body)
        figures = await it.figures()
        assert len(figures.problems) == 5
        assert any("too early" in problem for problem in figures.problems)
        found = {chat.chat: chat.new for chat in (await it.chats()).items}
        assert found[BEN_WA] == 30
        assert 5 < found[CLUB_WA] < 30


async def test_what_the_library_cannot_take_is_told_of(tmp_path: Path) -> None:
    async with standing(tmp_path) as it:
        for text in ("Failed to download history sync: unexpected EOF", "Something else"):
            entry = it.protobuf.messages.LogEntry(Name="Client", Level="ERROR", Message=text)
            line = entry.SerializeToString()
            assert not log_library_line(line, LOGIN, it.protobuf, it.history.note_loss)
        async with asyncio.timeout(10):
            while not (problems := (await it.figures()).problems):
                await asyncio.sleep(0)
        assert problems == ("it could not be fetched or read",)


async def test_a_message_nobody_understands_hides_no_other(tmp_path: Path) -> None:
    chunk = encode_chunk(HistoryChunk(conversations=[talk(BEN, 3)]))
    chunk.conversations[0].messages[1].message.ClearField("message")
    body = chunk.SerializeToString().replace(b"old 0", b"\xff\xfe\xff\xfe\xff")
    async with standing(tmp_path) as it:
        it.feed(zlib.compress(body))
        await it.figures()
        await it.plan(BEN_WA)
        items = await it.wanted(BEN_WA)
        assert [len(item.events) for item in items][1:] == [0, 1]


async def test_people_and_reactions_are_told_with_all_their_addresses(tmp_path: Path) -> None:
    lid = Jid("1000002", "lid")
    chunk = encode_chunk(
        HistoryChunk(conversations=[talk(CLUB, 1)], push_names={BEN: "Benny"}, lid_of_pn={BEN: lid})
    )
    record = chunk.conversations[0].messages[0].message
    record.reactions.add(text="👍").key.participant = str(lid)
    record.reactions.add(text="❤").key.fromMe = True
    record.reactions.add(text="").key.participant = str(lid)
    async with standing(tmp_path) as it:
        it.feed(zlib.compress(chunk.SerializeToString()))
        await it.figures()
        await it.plan(CLUB_WA)
        ((item,)) = await it.wanted(CLUB_WA)
        message, thumb, heart = item.events
        assert (message.source.sender, message.push_name) == (BEN_WA, "Benny")
        assert message.source.sender_alt == WaJid(user="1000002", server="lid")
        assert isinstance(thumb.content, WaReaction)
        assert thumb.source.sender_alt == BEN_WA
        assert thumb.content.target.message_id == message.message_id
        assert heart.source.is_from_me
        assert heart.source.sender == it.account.own


async def test_votes_and_answers_come_with_what_they_are_about(tmp_path: Path) -> None:
    chunk = encode_chunk(HistoryChunk(conversations=[talk(CLUB, 1)], push_names={BEN: "Benny"}))
    record = chunk.conversations[0].messages[0].message
    for digest, at_ms, is_own in ((b"1" * 32, 3_000, False), (b"2" * 32, 1_000, False), (b"3" * 32, 2_000, True)):
        vote = record.pollUpdates.add(senderTimestampMS=START_S * 1000 + at_ms)
        vote.pollUpdateMessageKey.fromMe = is_own
        vote.pollUpdateMessageKey.ID = f"V{at_ms}"
        vote.pollUpdateMessageKey.participant = "" if is_own else str(BEN)
        vote.vote.selectedOptions.append(digest)
    record.pollUpdates.add(senderTimestampMS=START_S * 1000).vote.selectedOptions.append(b"short")
    answer = record.eventResponses.add(timestampMS=START_S * 1000 + 5_000)
    answer.eventResponseMessageKey.participant = str(BEN)
    answer.eventResponseMessage.response = 1
    async with standing(tmp_path) as it:
        it.feed(zlib.compress(chunk.SerializeToString()))
        await it.figures()
        await it.plan(CLUB_WA)
        (item,) = await it.wanted(CLUB_WA)
        message, own, bens, said = item.events
        assert isinstance(own.content, WaPollVote)
        assert isinstance(bens.content, WaPollVote)
        assert (own.content.options, own.source.is_from_me) == ((b"3" * 32,), True)
        assert (bens.content.options, bens.source.sender, bens.push_name) == ((b"1" * 32,), BEN_WA, "Benny")
        assert bens.content.target.message_id == message.message_id
        assert bens.timestamp == datetime.fromtimestamp(START_S + 3, UTC)
        assert isinstance(said.content, WaOccasionAnswer)
        assert said.content.target == bens.content.target


async def test_an_edited_message_comes_as_an_edit(tmp_path: Path) -> None:
    chunk = encode_chunk(HistoryChunk(conversations=[talk(BEN, 1)]))
    protocol = chunk.conversations[0].messages[0].message.message.protocolMessage
    chunk.conversations[0].messages[0].message.message.ClearField("conversation")
    protocol.type = 14
    protocol.key.ID = "ORIGINAL"
    protocol.editedMessage.conversation = "as it reads now"
    async with standing(tmp_path) as it:
        it.feed(zlib.compress(chunk.SerializeToString()))
        await it.figures()
        await it.plan(BEN_WA)
        (item,) = await it.wanted(BEN_WA)
        content = item.events[0].content
        assert isinstance(content, WaEdit)
        assert content.target.message_id == "ORIGINAL"


async def test_kept_messages_go_when_their_time_is_over(tmp_path: Path) -> None:
    async with standing(tmp_path) as it:
        it.feed(packed(HistoryChunk(conversations=[talk(BEN, 10)])))
        await it.figures()
        await it.plan(BEN_WA, limit=4)
        await it.ask(wire.PurgeHistory(login=LOGIN, before_seconds=int(datetime.now(UTC).timestamp()) - 60))
        assert (await it.figures()).kept == 6
        await it.ask(wire.PurgeHistory(login=LOGIN, before_seconds=int(datetime.now(UTC).timestamp()) + 60))
        figures = await it.figures()
        assert (figures.kept, figures.wanted) == (0, 4)


async def test_without_any_history_nothing_is_made(tmp_path: Path) -> None:
    async with standing(tmp_path) as it:
        assert await it.figures() == WaHistoryFigures()
        assert (await it.chats()).items == ()
        assert await it.plan(BEN_WA) == WaHistoryPlan()
        assert not (tmp_path / "history" / "history.db").exists()
