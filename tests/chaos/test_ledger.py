"""The judge must see what it is there for."""

from __future__ import annotations

from tests.chaos.conversation import NOT_YET, read_messages
from tests.chaos.ledger import STATES, Token, compare
from tests.homeserver.events import Event, Json, Kind

WRITTEN: list[Token] = [("text", "a"), ("text", "b"), ("text", "c")]


def test_all_is_well() -> None:
    verdict = compare(WRITTEN, WRITTEN)
    assert str(verdict) == "3 written, 0 lost, 0 doubled, 0 out of order, 0 unexpected, 0 said again"
    assert verdict.details == ""


def test_each_fault_is_counted() -> None:
    verdict = compare(WRITTEN, [("text", "c"), ("text", "a"), ("text", "a"), ("text", "z")])
    assert verdict.lost == [("text", "b")]
    assert verdict.doubled == [("text", "a")]
    assert verdict.misplaced == [("text", "a")]
    assert verdict.unexpected == [("text", "z")]


def test_a_state_that_is_said_again_is_what_it_was() -> None:
    reaction: Token = ("reaction", "a", "👍")
    verdict = compare([*WRITTEN, reaction], [*WRITTEN, reaction, reaction], states=STATES)
    assert not verdict.details
    assert verdict.said_again == 1
    assert compare([reaction], [reaction, reaction]).doubled == [reaction]


def event(event_id: str, body: str, *, replaces: str = "") -> Event:
    content: Json = {"msgtype": "m.text", "body": body}
    if replaces:
        content |= {
            "m.new_content": {"body": body},
            "m.relates_to": {"rel_type": "m.replace", "event_id": replaces},
        }
    return Event(
        kind=Kind.TIMELINE,
        room_id="!room",
        type="m.room.message",
        sender="@whatsapp_1:localhost",
        event_id=event_id,
        state_key=None,
        content=content,
        origin_server_ts=0,
    )


def test_what_could_not_be_read_at_first_is_what_it_turned_out_to_be() -> None:
    blank = f"This message {NOT_YET}."
    timeline = [
        event("$1", blank),
        event("$2", blank),
        event("$3", "c"),
        event("$4", "a", replaces="$1"),
        event("$5", "> Own 1: out\n\nb", replaces="$2"),
        event("$6", "a edited", replaces="$1"),
    ]
    told = [("text", "a"), ("reply", "b", "out"), ("text", "c"), ("edit", "a", "a edited")]
    assert read_messages(timeline) == told


def test_what_could_never_be_read_is_lost() -> None:
    verdict = compare([("text", "a")], read_messages([event("$1", f"This message {NOT_YET}.")]))
    assert verdict.lost == [("text", "a")]
    assert verdict.unexpected
