"""What need not be looked for is not recorded, whatever was recorded when and in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as some

from mautrix_whatsapp_py.ids import LoginId, MxEventId, PersonId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.portal import MessagePart, PortalId
from mautrix_whatsapp_py.store.newest import Newest

START = datetime(2026, 1, 1, tzinfo=UTC)
CHAT = PortalId(1)
BEN = WaJid(user="1000002", server="lid")


def part(message_id: str, second: float, chat: PortalId = CHAT) -> MessagePart:
    return MessagePart(
        portal_id=chat,
        message_id=WaMessageId(message_id),
        person_id=PersonId(1),
        event_id=MxEventId(f"${message_id}"),
        sender=BEN,
        sent_at=START + timedelta(seconds=second),
        login_id=LoginId("1"),
        is_own=False,
    )


def is_new(newest: Newest, message_id: str, second: float, chat: PortalId = CHAT) -> bool:
    return newest.is_new(chat, START + timedelta(seconds=second), WaMessageId(message_id))


def test_a_chat_is_looked_at_before_anything_is_known_of_it() -> None:
    newest = Newest()
    newest.add([part("a", 1)])
    assert not newest.knows(CHAT)
    assert not is_new(newest, "b", 9)
    newest.learn(CHAT, None)
    assert newest.knows(CHAT)
    assert is_new(newest, "b", 9)


def test_what_is_newer_than_all_that_was_recorded_is_new() -> None:
    newest = Newest()
    newest.learn(CHAT, START + timedelta(seconds=5.9))
    assert [is_new(newest, "x", second) for second in (4, 5, 6)] == [False, False, True]
    newest.add([part("a", 8), part("b", 8.5), part("old", 7)])
    assert [is_new(newest, "x", second) for second in (7, 8, 9)] == [False, True, True]
    assert [is_new(newest, name, 8) for name in "ab"] == [False, False]
    # Another look teaches nothing new.
    newest.learn(CHAT, START + timedelta(seconds=20))
    assert is_new(newest, "x", 9)


def test_of_many_chats_the_last_are_remembered() -> None:
    newest, chats = Newest(most_chats=2), [PortalId(number) for number in (1, 2, 3)]
    for chat in chats:
        newest.learn(chat, None)
        newest.add([part("a", 1, chat)])
    assert [newest.knows(chat) for chat in chats] == [False, True, True]
    assert [is_new(newest, "b", 2, chat) for chat in chats] == [False, True, True]


_ids, _seconds = some.sampled_from("abcdefgh"), some.integers(0, 6)
_steps = some.lists(some.tuples(some.sampled_from(["add", "look", "learn"]), _ids, _seconds, some.integers(1, 3)))


@given(_steps)
def test_nothing_recorded_is_taken_for_new(steps: list[tuple[str, str, int, int]]) -> None:
    newest, recorded = Newest(most_chats=2), dict[tuple[int, str], int]()
    for what, name, second, chat in steps:
        key, portal = (chat, name), PortalId(chat)
        at = recorded.get(key, second)
        if what == "add":
            newest.add([part(name, at, portal)])
            recorded[key] = at
        elif what == "learn":
            seconds = [known for (of, _), known in recorded.items() if of == chat]
            newest.learn(portal, START + timedelta(seconds=max(seconds)) if seconds else None)
        elif is_new(newest, name, at, portal):
            assert key not in recorded
