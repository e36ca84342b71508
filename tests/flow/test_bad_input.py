"""Input nobody should send: the chat goes on, and the log says nothing of it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mautrix_whatsapp_py.ids import MxEventId, WaMessageId
from mautrix_whatsapp_py.model.content import (
    MxMentions,
    MxMessageContent,
    MxReactionContent,
    WaContent,
    WaContext,
    WaEdit,
    WaEphemeralTimer,
    WaPreview,
    WaQuote,
    WaReaction,
    WaRevoke,
    WaText,
    WaUnsupported,
)
from mautrix_whatsapp_py.model.mx import MxMessage, MxReaction
from tests.fakes.whatsapp import START
from tests.flow.chat import BEN, Chat, ref
from tests.flow.world import ALICE, World

SECRET = "zxq-private"
RTL = "\u202e\u2066\u200f"
FUTURE, PAST = START + timedelta(days=3650), START - timedelta(days=3650)
MANY = "".join(f"@1555{number:07d} " for number in range(500))
BODIES = {
    "empty": "",
    "one": "x",
    "longest": "x" * 65_536,
    "longest-markup": "*_~x~_*" * 9_362,
    "surrogate": f"{SECRET}\ud800\udfff",
    "right-to-left": f"{RTL}{SECRET}",
    "null": f"\x00{SECRET}\x07",
    "mentions": MANY + SECRET,
    "open-marks": "*_~```" * 2_000,
}


@pytest.fixture
async def chat(world: World) -> Chat:
    return await Chat.open(world)


async def goes_on(chat: Chat) -> None:
    """Both directions still work."""
    await chat.hear("still here")
    assert "still here" in chat.texts
    await chat.say("me too")
    said = chat.client.messages[-1].content
    assert isinstance(said, WaText)
    assert said.body == "me too"
    assert not chat.unacknowledged()


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_texts_from_whatsapp(chat: Chat, body: str, caplog: pytest.LogCaptureFixture) -> None:
    await chat.receive(chat.message(WaText(body=body)))
    await goes_on(chat)
    for one in chat.world.chats.said:
        assert isinstance(one.content, MxMessageContent)
        one.content.body.encode()
    assert SECRET not in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_texts_from_matrix(chat: Chat, body: str, caplog: pytest.LogCaptureFixture) -> None:
    await chat.hear("hello")
    await chat.say(body)
    await chat.reply(body, chat.world.chats.said[0].event_id)
    await goes_on(chat)
    for sent in chat.client.messages:
        assert isinstance(sent.content, WaText)
        sent.content.body.encode()
    assert SECRET not in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("at", [FUTURE, PAST], ids=["future", "past"])
async def test_a_clock_that_is_ten_years_off(chat: Chat, at: datetime) -> None:
    await chat.receive(chat.message(WaText(body="odd"), at=at))
    await goes_on(chat)


async def test_a_reply_to_a_reply_to_a_deleted_message(chat: Chat) -> None:
    first = chat.message(WaText(body="first"))
    quote = WaQuote(message_id=first.message_id, sender=BEN, preview=WaPreview(text="first"))
    second = chat.message(WaText(body="second", context=WaContext(quote=quote)))
    again = WaQuote(message_id=second.message_id, sender=BEN, preview=WaPreview(text="second"))
    await chat.receive(first, chat.message(WaRevoke(target=ref(first.message_id))), second)
    await chat.receive(chat.message(WaText(body="third", context=WaContext(quote=again))))
    assert any("second" in text for text in chat.texts)
    assert any("third" in text for text in chat.texts)
    await goes_on(chat)


async def test_a_reaction_before_its_message(chat: Chat) -> None:
    await chat.hear("hello")
    target = WaMessageId("LATER")
    await chat.receive(chat.message(WaReaction(target=ref(target), emoji="❤")))
    assert len(chat.unacknowledged()) == 1
    await chat.receive(chat.message(WaText(body="late"), message_id=target))
    assert isinstance(chat.world.chats.said[-1].content, MxReactionContent)
    await goes_on(chat)


async def test_an_edit_of_an_edit(chat: Chat) -> None:
    first_id = await chat.hear("one")
    edit = chat.message(WaEdit(target=ref(first_id), content=WaText(body="two")))
    await chat.receive(edit, chat.message(WaEdit(target=ref(first_id), content=WaText(body="three"))))
    assert [one.content.body for one in chat.world.chats.said if isinstance(one.content, MxMessageContent)] == [
        "one",
        "two",
        "three",
    ]
    await chat.receive(chat.message(WaEdit(target=ref(edit.message_id), content=WaText(body="four"))))
    await chat.hear("five")
    assert chat.texts == ["one", "five"]
    own = await chat.say("own")
    await chat.edit("own 2", await chat.edit("own 1", own))
    await chat.say("last")
    assert isinstance(chat.client.messages[-1].content, WaText)


@pytest.mark.parametrize(
    "content",
    [
        WaUnsupported(kind=f"{RTL}{'x' * 10_000}"),
        WaUnsupported(kind=""),
        WaEphemeralTimer(timer_s=2**31),
        WaEphemeralTimer(timer_s=-1),
        WaReaction(target=ref(WaMessageId("")), emoji="x" * 64),
        WaRevoke(target=ref(WaMessageId("NEVER"))),
    ],
    ids=["kind", "no-kind", "long-timer", "negative-timer", "reaction", "revoke"],
)
async def test_odd_contents(chat: Chat, content: WaContent, caplog: pytest.LogCaptureFixture) -> None:
    await chat.hear("hello")
    await chat.receive(chat.message(content))
    await chat.hear("still here")
    await chat.say("me too")
    assert "still here" in chat.texts
    assert len(chat.client.messages) == 1
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("key", ["", "x" * 10_000, "mxc://x/y", f"{RTL}", "\ud800"])
async def test_reactions_that_are_none(chat: Chat, key: str) -> None:
    await chat.hear("hello")
    await chat.react(key, chat.world.chats.said[0].event_id)
    assert not chat.client.messages
    await goes_on(chat)


async def test_what_is_about_the_unknown(chat: Chat) -> None:
    # Right after the start such events wait a little for what they are about.
    chat.world.clock.advance(60)
    await chat.hear("hello")
    never = MxEventId("$never")
    await chat.reply("reply", never)
    await chat.edit("edit", never)
    await chat.redact(never)
    origin = chat.world.origin(chat.room_id, ALICE)
    await chat.world.deliver(MxReaction(origin=origin, content=MxReactionContent(event_id=never, key="👍")))
    html = "<b>" * 5_000 + SECRET
    content = MxMessageContent(body=SECRET, html=html, mentions=MxMentions(users=frozenset({ALICE}), room=True))
    await chat.world.deliver(MxMessage(origin=chat.world.origin(chat.room_id, ALICE), content=content))
    await chat.world.settled()
    await goes_on(chat)
