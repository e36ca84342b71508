"""Edits, reactions, replies and deletions happen once, whichever step the bridge dies at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from mautrix_whatsapp_py.ids import MxEventId
from mautrix_whatsapp_py.model.content import (
    MxEdit,
    MxMessageContent,
    MxReactionContent,
    WaContent,
    WaEdit,
    WaReaction,
    WaRevoke,
    WaText,
)
from mautrix_whatsapp_py.store.line import Work
from mautrix_whatsapp_py.store.store import Store, Tx
from tests.fakes.matrix import KilledError
from tests.flow.chat import Chat, ref
from tests.flow.world import World

Act = Callable[[], Awaitable[object]]
DOINGS = ["edit", "reaction", "other reaction", "redaction", "reply"]
CALLS = [(call, late) for call in ("send_message", "send_reaction", "send_redaction") for late in (False, True)]
COMMITS = [(number, late) for number in range(4) for late in (False, True)]
# The first commit is that of the transaction which brings the event; a reply's sending begins within it.
STEPS_OUT = [(doing, number) for doing in DOINGS for number in (1, 2) if (doing, number) != ("reply", 2)]


@pytest.fixture
async def chat(world: World) -> Chat:
    """Alice in a room with Ben, who wrote first."""
    chat = await Chat.open(world)
    await chat.hear("hello")
    return chat


def die_at_commit(world: World, monkeypatch: pytest.MonkeyPatch, number: int, *, is_late: bool) -> list[int]:
    """End the job that commits next but so many, before or after its commit; below zero says that it did."""
    real, real_write, left = Store.transaction, Store.write, [number]

    def is_next() -> bool:
        left[0] -= 1
        return left[0] == -1

    @asynccontextmanager
    async def transaction(store: Store) -> AsyncIterator[Tx]:
        is_last = is_next()
        async with real(store) as tx:
            yield tx
            if is_last and not is_late:
                raise KilledError
        if is_last:
            raise KilledError

    async def write(store: Store, work: Work[Any], *, is_patient: bool = False) -> Any:
        is_last = store._write_line is not None and is_next()
        if is_last and not is_late:
            raise KilledError
        result = await real_write(store, work, is_patient=is_patient)
        if is_last:
            raise KilledError
        return result

    monkeypatch.setattr(Store, "transaction", transaction)
    monkeypatch.setattr(Store, "write", write)
    return left


async def prepare_out(chat: Chat, doing: str) -> Act:
    """What alice does, when told to."""
    own, seen = await chat.say("one"), chat.world.chats.said[0].event_id
    if doing == "other reaction":
        await chat.react("👍", seen)
    acts: dict[str, Act] = {
        "edit": partial(chat.edit, "two", own),
        "reaction": partial(chat.react, "🎉", seen),
        "other reaction": partial(chat.react, "🎉", seen),
        "redaction": partial(chat.redact, own),
        "reply": partial(chat.reply, "two", seen),
    }
    return acts[doing]


async def require_once_out(chat: Chat, doing: str, sent_before: int, redacted_before: int) -> None:
    """It reached WhatsApp once, and nothing waits to be done again."""
    assert len(chat.client.messages) == sent_before + 1
    assert len(chat.world.chats.redacted) == redacted_before + (doing == "other reaction")
    assert not await chat.world.pending()
    await chat.say("more")
    assert len(chat.client.messages) == sent_before + 2


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("doing", DOINGS)
async def test_out_once_when_sending_dies(chat: Chat, doing: str, is_late: bool) -> None:
    act = await prepare_out(chat, doing)
    sent, redacted = len(chat.client.messages), len(chat.world.chats.redacted)
    (chat.client.late_faults if is_late else chat.client.faults).append(KilledError())
    await act()
    await chat.restart()
    await require_once_out(chat, doing, sent, redacted)


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize(("doing", "number"), STEPS_OUT)
async def test_out_once_when_a_commit_dies(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, doing: str, number: int, is_late: bool
) -> None:
    act = await prepare_out(chat, doing)
    sent, redacted = len(chat.client.messages), len(chat.world.chats.redacted)
    left = die_at_commit(chat.world, monkeypatch, number, is_late=is_late)
    await act()
    assert left[0] < 0
    await chat.restart()
    await require_once_out(chat, doing, sent, redacted)


async def prepare_in(chat: Chat, doing: str) -> WaContent:
    """What ben does."""
    first = await chat.hear("one")
    if doing == "other reaction":
        await chat.receive(chat.message(WaReaction(target=ref(first), emoji="👍")))
    contents: dict[str, WaContent] = {
        "edit": WaEdit(target=ref(first), content=WaText(body="two")),
        "reaction": WaReaction(target=ref(first), emoji="🎉"),
        "other reaction": WaReaction(target=ref(first), emoji="🎉"),
        "redaction": WaRevoke(target=ref(first)),
        "reply": WaText(body="two"),
    }
    return contents[doing]


def require_once_in(chat: Chat, doing: str) -> None:
    """The room shows it once, and nothing comes again."""
    contents = [said.content for said in chat.world.chats.said]
    texts = [one for one in contents if isinstance(one, MxMessageContent)]
    edits = [one for one in texts if isinstance(one.relation, MxEdit)]
    reactions = [one.key for one in contents if isinstance(one, MxReactionContent)]
    wanted_reactions = {"reaction": ["🎉"], "other reaction": ["👍️", "🎉"]}
    assert len(edits) == (doing == "edit")
    assert len(texts) - len(edits) == 2 + (doing == "reply")
    assert [key.rstrip("\ufe0f") for key in reactions] == [
        key.rstrip("\ufe0f") for key in wanted_reactions.get(doing, [])
    ]
    assert len(chat.world.chats.redacted) == (doing in ("other reaction", "redaction"))
    assert not chat.unacknowledged()


@pytest.mark.parametrize(("call", "is_late"), CALLS)
@pytest.mark.parametrize("doing", DOINGS)
async def test_in_once_when_the_homeserver_is_told(chat: Chat, doing: str, call: str, is_late: bool) -> None:
    content = await prepare_in(chat, doing)
    chat.world.matrix.crash(call, is_answer_lost=is_late)
    await chat.receive(chat.message(content))
    await chat.restart()
    require_once_in(chat, doing)


@pytest.mark.parametrize(("number", "is_late"), COMMITS[:4])
@pytest.mark.parametrize("doing", DOINGS)
async def test_in_once_when_a_commit_dies(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, doing: str, number: int, is_late: bool
) -> None:
    content = await prepare_in(chat, doing)
    die_at_commit(chat.world, monkeypatch, number, is_late=is_late)
    await chat.receive(chat.message(content))
    await chat.restart()
    require_once_in(chat, doing)


@pytest.mark.parametrize("doing", ["reply", "reaction"])
async def test_what_is_about_a_message_the_crash_left_unrecorded_waits_for_it(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, doing: str
) -> None:
    """The room shows it, alice answers it, and the link repeats it only after her answer is read."""
    with monkeypatch.context() as patch:
        die_at_commit(chat.world, patch, 0, is_late=False)
        await chat.hear("question")
    question = chat.world.chats.said[-1]
    assert chat.texts[-1] == "question"
    await chat.world.stop()
    await (chat.reply("answer", question.event_id) if doing == "reply" else chat.react("👍", question.event_id))
    await chat.restart()
    (sent,) = chat.client.messages
    if doing == "reply":
        assert isinstance(sent.content, WaText)
        assert sent.content.context.quote is not None
    else:
        assert isinstance(sent.content, WaReaction)
    assert not await chat.world.pending()


async def test_what_never_comes_is_not_waited_for_long(chat: Chat) -> None:
    await chat.reply("answer", MxEventId("$nobody-knows"))
    await chat.say("next")
    assert not chat.client.messages
    chat.world.clock.advance(10)
    await chat.world.until(lambda: len(chat.client.messages) == 2)
    bodies = [sent.content.body for sent in chat.client.messages if isinstance(sent.content, WaText)]
    assert bodies == ["answer", "next"]
