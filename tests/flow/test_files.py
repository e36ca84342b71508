"""Files on their way across: what becomes of slow ones, missing ones, and ones nobody can convert."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mautrix_whatsapp_py.bridge.files import Files
from mautrix_whatsapp_py.bridge.files_ahead import PER_CHAT
from mautrix_whatsapp_py.bridge.missing_files import KEPT
from mautrix_whatsapp_py.bridge.uploads import TRIES
from mautrix_whatsapp_py.convert import file_words
from mautrix_whatsapp_py.errors import (
    ConversionFailed,
    MatrixUnreachable,
    MediaFailed,
    WhatsAppRefused,
    WhatsAppUnavailable,
)
from mautrix_whatsapp_py.ids import MxEventId, MxUri
from mautrix_whatsapp_py.model.content import (
    MxEdit,
    MxMentions,
    MxMessageContent,
    MxMsgType,
    WaPreview,
    WaQuote,
    WaText,
)
from mautrix_whatsapp_py.model.media import MxFile, WaFile, WaMedia
from mautrix_whatsapp_py.model.media_ready import UnreadyReason
from mautrix_whatsapp_py.model.missing import MissingFile
from mautrix_whatsapp_py.model.mx import MxMessage
from mautrix_whatsapp_py.model.wa_context import WaKind
from tests.fakes.files import FakeMatrixFiles, FakeTools, FakeWaFiles
from tests.flow.chat import CARLA, Chat
from tests.flow.world import ALICE, DEADLINE_SECONDS, World

GONE = MediaFailed("it is gone.")
AWAY = MediaFailed("nobody answers.", is_passing=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A chat with Ben in which files cross."""

    chat: Chat
    source: FakeWaFiles
    store: FakeMatrixFiles
    tools: FakeTools
    folder: Path

    @property
    def world(self) -> World:
        return self.chat.world

    def photo(self, path: str = "/photo", caption: str = "") -> WaMedia:
        """A photo of Ben's, which WhatsApp has."""
        self.source.files[path] = b"photo"
        file = WaFile(direct_path=path, media_key=b"k" * 32, sha256=b"", enc_sha256=b"", size_bytes=5)
        return WaMedia(kind=WaKind.IMAGE, file=file, mime_type="image/jpeg", caption=caption)

    def contents(self) -> list[MxMessageContent]:
        """All that was said in all rooms."""
        return [one.content for one in self.world.chats.said if isinstance(one.content, MxMessageContent)]

    async def lose(self, *faults: MediaFailed) -> MxEventId:
        """Ben's photo does not come; the notice in its place."""
        self.source.faults.extend(faults)
        message = self.chat.message(self.photo(caption="look"))
        self.world.bridge.on_wa_event(self.chat.client.login, self.chat._ids.__next__(), message)  # type: ignore[arg-type]
        await self.chat.let_time_pass()
        return self.world.chats.said[-1].event_id

    async def missing(self, event_id: MxEventId) -> MissingFile | None:
        async with self.world.store.reading() as tx:
            return await self.world.talk.rows.missing.get(tx, event_id)

    async def try_again(self) -> None:
        """What the bridge does from time to time."""
        missing = self.world.bridge.missing_files
        await missing.try_due()
        async with asyncio.timeout(DEADLINE_SECONDS):
            idle = asyncio.ensure_future(missing.idle())
            while not idle.done():
                self.world.clock.advance(5)
                await asyncio.wait({idle}, timeout=0.01)

    async def send_photo(self, body: str = "mine.jpg", msgtype: MxMsgType = MxMsgType.IMAGE) -> MxUri:
        """Alice sends a photo."""
        uri = self.store.put(b"her photo", "image/jpeg")
        await self.world.deliver(self.letter(uri, body, msgtype))
        return uri

    def letter(self, uri: MxUri, body: str = "mine.jpg", msgtype: MxMsgType = MxMsgType.IMAGE) -> MxMessage:
        content = MxMessageContent(
            msgtype=msgtype,
            body=body,
            file_name=body,
            mentions=MxMentions(),
            file=MxFile(uri=uri, mime_type="image/jpeg"),
        )
        return MxMessage(origin=self.world.origin(self.chat.room_id, ALICE), content=content)


@pytest.fixture
async def desk(world: World, tmp_path: Path) -> AsyncIterator[Desk]:
    source, store, tools, folder = FakeWaFiles(), FakeMatrixFiles(), FakeTools(), tmp_path / "media"
    world.files = Files(folder=folder, source=source, store=store, tools=tools, clock=world.clock)
    await world.restart()
    chat = await Chat.open(world)
    await chat.hear("hello")
    yield Desk(chat=chat, source=source, store=store, tools=tools, folder=folder)
    await world.bridge.stop(seconds=1)
    assert not list(folder.iterdir()), "a file was left behind"


async def test_a_photo_is_shown_with_what_was_found_in_it(desk: Desk) -> None:
    await desk.chat.receive(desk.chat.message(desk.photo()))
    shown = desk.contents()[-1]
    assert shown.msgtype is MxMsgType.IMAGE
    assert shown.file is not None
    assert (shown.file.width, shown.file.height, shown.file.blurhash) == (40, 30, "LK")
    assert desk.store.files[shown.file.uri] == b"photo"
    assert shown.file.key is None


async def test_files_are_encrypted_where_the_room_is(desk: Desk) -> None:
    desk.world.has_encrypted_rooms = True
    await desk.chat.receive(desk.chat.message(desk.photo()))
    shown = desk.contents()[-1].file
    assert shown is not None
    assert shown.key is not None
    assert desk.store.files[shown.uri] != b"photo"
    assert desk.store.types[shown.uri] == "application/octet-stream"


async def test_a_file_that_would_do_harm_is_shown_as_nothing_but_a_file(desk: Desk) -> None:
    desk.tools.faults.append(ConversionFailed(UnreadyReason.TOO_MANY_PIXELS))
    await desk.chat.receive(desk.chat.message(desk.photo()))
    assert desk.contents()[-1].msgtype is MxMsgType.FILE
    desk.tools.faults.append(ConversionFailed(UnreadyReason.BROKEN))
    await desk.chat.receive(desk.chat.message(desk.photo()))
    assert desk.contents()[-1].msgtype is MxMsgType.IMAGE


@pytest.mark.parametrize("how", ["reaction", "reply", "command"])
async def test_a_missing_file_takes_the_place_of_its_notice_when_asked_for(desk: Desk, how: str) -> None:
    notice = await desk.lose(GONE)
    said = desk.contents()[-1]
    assert said.msgtype is MxMsgType.NOTICE
    assert said.body == f"A photo could not be shown here: it is gone. {file_words.HOW_TO_RETRY}\n\nlook"
    found = await desk.missing(notice)
    assert found is not None
    assert found.next_at is None
    desk.world.chats.written[notice] = said
    if how == "reaction":
        await desk.chat.react("🔁\ufe0f", notice)
    elif how == "reply":
        await desk.chat.reply("Retry", notice)
    else:
        await desk.chat.reply("!wa retry", notice)
    assert desk.world.talk.files_called.is_set()
    await desk.try_again()
    edit = next(content for content in desk.contents() if content.msgtype is MxMsgType.IMAGE)
    assert edit.relation == MxEdit(event_id=notice)
    assert edit.body == "look"
    assert await desk.missing(notice) is None
    assert not desk.chat.client.messages, "WhatsApp was told of it"


async def test_what_may_heal_is_tried_again_less_and_less_often(desk: Desk) -> None:
    notice = await desk.lose(*[AWAY] * 3)
    assert file_words.GOES_ON in desk.contents()[-1].body
    tried = 0
    while (found := await desk.missing(notice)) is not None and found.next_at is not None:
        desk.source.faults.extend([AWAY] * 3)
        desk.world.clock.advance((found.next_at - desk.world.clock.now()).total_seconds() + 1)
        await desk.try_again()
        tried += 1
    assert tried == 6
    assert len(desk.contents()) == 2, "nobody asked, so nobody is told"
    await desk.chat.react("🔁", notice)
    desk.source.faults.extend([AWAY] * 3)
    await desk.try_again()
    assert "It was tried again at" in desk.contents()[-1].body
    assert desk.contents()[-1].relation == MxEdit(event_id=notice)
    await desk.chat.react("🔁", notice)
    await desk.try_again()
    assert desk.contents()[-1].msgtype is MxMsgType.IMAGE


async def test_a_missing_file_heals_by_itself_also_after_a_restart(desk: Desk) -> None:
    notice = await desk.lose(*[AWAY] * 3)
    await desk.chat.restart()
    desk.world.clock.advance(40)
    await desk.try_again()
    assert desk.contents()[-1].relation == MxEdit(event_id=notice)
    assert desk.contents()[-1].msgtype is MxMsgType.IMAGE


async def test_nobody_wants_a_file_whose_message_is_gone_or_too_old(desk: Desk) -> None:
    notice = await desk.lose(GONE)
    desk.world.chats.said.pop()
    await desk.chat.react("🔁", notice)
    await desk.try_again()
    assert await desk.missing(notice) is None
    old = await desk.lose(GONE)
    desk.world.clock.advance(KEPT.total_seconds() + 1)
    await desk.chat.react("🔁", old)
    await desk.try_again()
    assert await desk.missing(old) is None
    assert desk.contents()[-1].msgtype is MxMsgType.NOTICE


async def test_a_reaction_to_anything_else_goes_to_whatsapp(desk: Desk) -> None:
    await desk.chat.react("🔁", desk.world.chats.said[0].event_id)
    assert len(desk.chat.client.messages) == 1


async def test_a_homeserver_that_takes_no_file_takes_the_notice(desk: Desk) -> None:
    desk.store.faults.append(MediaFailed("it is larger than the homeserver allows (1 MB)."))
    await desk.chat.receive(desk.chat.message(desk.photo()))
    assert "larger than the homeserver allows (1 MB)" in desk.contents()[-1].body
    desk.store.faults.extend([MatrixUnreachable(), MatrixUnreachable(), MatrixUnreachable()])
    message = desk.chat.message(desk.photo())
    desk.world.bridge.on_wa_event(desk.chat.client.login, desk.chat._ids.__next__(), message)  # type: ignore[arg-type]
    await desk.chat.let_time_pass()
    assert file_words.GOES_ON in desk.contents()[-1].body


async def test_a_slow_file_holds_up_its_own_chat_and_no_other(desk: Desk) -> None:
    held = desk.source.held["/slow"] = asyncio.Event()
    chat, bridge = desk.chat, desk.world.bridge
    slow = chat.message(desk.photo("/slow", caption="first"))
    for event in (slow, chat.message(WaText(body="second")), chat.message(WaText(body="other"), sender=CARLA)):
        bridge.on_wa_event(chat.client.login, chat._ids.__next__(), event)  # type: ignore[arg-type]
    async with asyncio.timeout(DEADLINE_SECONDS):
        while desk.contents()[-1].body != "other":
            await asyncio.sleep(0.01)
    held.set()
    await desk.world.settled()
    assert [content.body for content in desk.contents()] == ["hello", "other", "first", "second"]


async def test_a_burst_of_files_is_fetched_side_by_side_and_shown_in_order(desk: Desk) -> None:
    chat, bridge = desk.chat, desk.world.bridge
    for number in range(6):
        desk.source.held[f"/{number}"] = asyncio.Event()
        event = chat.message(desk.photo(f"/{number}", caption=f"photo {number}"))
        bridge.on_wa_event(chat.client.login, chat._ids.__next__(), event)  # type: ignore[arg-type]
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(desk.source.asked) < PER_CHAT:
            await asyncio.sleep(0.01)
    for number in reversed(range(6)):
        desk.source.held[f"/{number}"].set()
    await desk.world.settled()
    assert [content.body for content in desk.contents()] == ["hello", *(f"photo {number}" for number in range(6))]
    assert sorted(desk.source.asked) == [f"/{number}" for number in range(6)], "something was fetched twice"


async def test_a_file_that_is_there_is_not_fetched_again_when_the_room_is_out_of_reach(desk: Desk) -> None:
    desk.world.matrix.fail("send_message", MatrixUnreachable())
    chat = desk.chat
    event = chat.message(desk.photo(caption="once"))
    desk.world.bridge.on_wa_event(chat.client.login, chat._ids.__next__(), event)  # type: ignore[arg-type]
    await chat.let_time_pass()
    assert desk.contents()[-1].body == "once"
    assert desk.source.asked == ["/photo"]


async def test_what_cannot_be_converted_goes_as_a_document_and_is_said_so(desk: Desk) -> None:
    desk.tools.faults.append(ConversionFailed(UnreadyReason.BROKEN))
    await desk.send_photo()
    await desk.world.settled()
    assert desk.chat.client.uploads == [(b"her photo", WaKind.DOCUMENT)]
    (sent,) = desk.chat.client.messages
    assert isinstance(sent.content, WaMedia)
    assert (sent.content.kind, sent.content.file_name) == (WaKind.DOCUMENT, "mine.jpg")
    assert desk.contents()[-1].body == file_words.tell_document(WaKind.IMAGE, UnreadyReason.BROKEN, 16 << 20)


async def test_what_would_do_harm_is_refused(desk: Desk) -> None:
    for reason in (UnreadyReason.TOO_MANY_PIXELS, UnreadyReason.TWO_KINDS):
        desk.tools.faults.append(ConversionFailed(reason))
        await desk.send_photo()
        await desk.world.settled()
        assert file_words.refuse_file(reason) in desk.contents()[-1].body
    assert not desk.chat.client.messages


async def test_a_photo_goes_with_what_phones_show_until_it_is_there(desk: Desk) -> None:
    await desk.send_photo()
    await desk.world.settled()
    (sent,) = desk.chat.client.messages
    assert isinstance(sent.content, WaMedia)
    assert (sent.content.kind, sent.content.width, sent.content.thumbnail) == (WaKind.IMAGE, 40, b"jpeg")


async def test_an_upload_that_is_refused_for_good_does_not_hold_the_chat(desk: Desk) -> None:
    desk.chat.client.upload_faults.append(WhatsAppRefused(code="upload-refused"))
    await desk.send_photo()
    await desk.chat.say("after")
    assert [sent.content for sent in desk.chat.client.messages] == [WaText(body="after")]
    desk.chat.client.upload_faults.extend([WhatsAppUnavailable(code="upload-failed")] * TRIES)
    await desk.send_photo()
    await desk.world.settled()
    await desk.chat.say("behind it")
    for _ in range(TRIES):
        desk.world.bridge.on_state(desk.world.logins.of_user(ALICE)[0], desk.chat.client.state)
        await desk.world.settled()
    assert desk.chat.client.messages[-1].content == WaText(body="behind it")
    assert any(file_words.NEVER_TAKEN in content.body for content in desk.contents())
    assert not await desk.world.pending()


async def test_a_slow_upload_keeps_its_place_and_holds_up_nothing_else(desk: Desk) -> None:
    desk.world.talk.uploads._turn_seconds = 0.01
    held = desk.chat.client.upload_hold = asyncio.Event()
    await desk.send_photo()
    await desk.world.settled()
    await desk.chat.say("second")
    await desk.chat.hear("from Ben meanwhile")
    assert not desk.chat.client.messages
    held.set()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(desk.chat.client.messages) < 2:
            await asyncio.sleep(0.01)
            await desk.world.settled()
    first, second = (sent.content for sent in desk.chat.client.messages)
    assert isinstance(first, WaMedia)
    assert second == WaText(body="second")


async def test_a_photo_that_the_homeserver_has_no_room_for_is_made_smaller(desk: Desk) -> None:
    desk.store.limit_bytes = 3
    await desk.chat.receive(desk.chat.message(desk.photo()))
    shown = desk.contents()[-1].file
    assert shown is not None
    assert desk.store.files[shown.uri] == b"pho"
    assert (shown.size_bytes, shown.width, shown.height) == (3, 40, 30)


async def test_replies_to_files_show_what_they_answer(desk: Desk) -> None:
    desk.world.has_encrypted_rooms = True
    await desk.chat.receive(desk.chat.message(desk.photo(caption="look")))
    shown = desk.world.chats.said[-1]
    assert isinstance(shown.content, MxMessageContent)
    desk.world.chats.written[shown.event_id] = shown.content
    await desk.chat.reply("nice", shown.event_id)
    quote = _quote(desk)
    assert quote.preview == WaPreview(kind=WaKind.IMAGE, text="look", thumbnail=b"jpeg")
    desk.tools.faults.append(ConversionFailed(UnreadyReason.BROKEN))
    await desk.chat.reply("still nice", shown.event_id)
    quote = _quote(desk)
    assert quote.preview == WaPreview(kind=WaKind.IMAGE, text="look")


def _quote(desk: Desk) -> WaQuote:
    sent = desk.chat.client.messages[-1].content
    assert isinstance(sent, WaText)
    assert sent.context.quote is not None
    return sent.context.quote
