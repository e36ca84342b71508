"""Polls, places, invitations and pins in Matrix JSON."""

from __future__ import annotations

from typing import Any

import pytest

from mautrix_whatsapp_py.ids import MxEventId, WaJid
from mautrix_whatsapp_py.matrix.decode_content import decode_message
from mautrix_whatsapp_py.matrix.encode_content import encode_message
from mautrix_whatsapp_py.matrix.place_content import LIVE, decode_invite, decode_location
from mautrix_whatsapp_py.matrix.poll_content import (
    END,
    START,
    VOTE,
    decode_poll_end,
    decode_poll_start,
    decode_poll_vote,
    encode_poll,
)
from mautrix_whatsapp_py.model.content import (
    MxFlag,
    MxGroupInvite,
    MxLocation,
    MxMentions,
    MxMessageContent,
    MxMsgType,
)
from mautrix_whatsapp_py.model.mx import MxMessage, MxOther, MxPoll, MxRoomChanged
from mautrix_whatsapp_py.model.mx_room import MxPinsSet
from mautrix_whatsapp_py.model.polls import MxPollEnd, MxPollOption, MxPollStart, MxPollVote
from tests.unit.matrix.test_decode import decode, room_event

POLL = MxEventId("$poll")
A, B = MxPollOption(id="a", text="A"), MxPollOption(id="b", text="B")
ABOUT = {"m.relates_to": {"rel_type": "m.reference", "event_id": POLL}}


def test_a_poll_reads_as_it_was_written() -> None:
    start = MxPollStart(question="Eat?", options=(A, B), max_selections=2, fallback="Eat?\n1. A")
    kind, content = encode_poll(start)
    assert kind == START
    assert content["m.mentions"] == {}
    assert decode_poll_start(content) == MxPollStart(question="Eat?", options=(A, B), max_selections=2)
    vote = MxPollVote(poll=POLL, options=("a",))
    kind, content = encode_poll(vote)
    assert (kind, decode_poll_vote(content)) == (VOTE, vote)
    kind, content = encode_poll(MxPollEnd(poll=POLL))
    assert (kind, decode_poll_end(content)) == (END, MxPollEnd(poll=POLL))


@pytest.mark.parametrize("prefix", ["m.", "org.matrix.msc3488."])
def test_a_live_location_stands_for_the_event_that_began_it(prefix: str) -> None:
    said = {f"{prefix}location": {"uri": "geo:5.5,-6;u=3"}, f"{prefix}ts": 1}
    event = decode(room_event("org.matrix.msc3672.beacon", {**ABOUT, **said}))
    assert isinstance(event, MxMessage)
    assert event.origin.event_id == POLL
    assert event.content == MxMessageContent(
        msgtype=MxMsgType.LOCATION,
        body=LIVE,
        location=MxLocation(latitude=5.5, longitude=-6),
        flags=frozenset({MxFlag.LIVE}),
        mentions=MxMentions(),
    )
    for content in (said, ABOUT, {**said, "m.relates_to": {"rel_type": "m.replace", "event_id": POLL}}):
        assert isinstance(decode(room_event("m.beacon", content)), MxOther)


def test_polls_as_the_specification_writes_them() -> None:
    start = {
        "m.text": [{"body": "fallback"}],
        "m.poll": {
            "kind": "m.undisclosed",
            "max_selections": 1,
            "question": {"m.text": [{"mimetype": "text/html", "body": "<b>"}, {"body": "Eat?"}]},
            "answers": [{"m.id": "a", "m.text": [{"body": "A"}]}],
        },
    }
    decoded = decode(room_event("m.poll.start", start))
    assert isinstance(decoded, MxPoll)
    assert decoded.content == MxPollStart(question="Eat?", options=(A,), is_hidden=True)
    vote = decode(room_event("m.poll.response", {**ABOUT, "m.selections": ["a", 5]}))
    assert isinstance(vote, MxPoll)
    assert vote.content == MxPollVote(poll=POLL, options=("a",))


def test_an_edit_of_a_poll_is_no_poll() -> None:
    _, content = encode_poll(MxPollStart(question="?", options=(A,)))
    edit = {**content, "m.relates_to": {"rel_type": "m.replace", "event_id": POLL}}
    assert not isinstance(decode(room_event(START, edit)), MxPoll)


ODD_POLLS: list[Any] = [
    {},
    {START: 5},
    {START: {"answers": "a"}},
    {START: {"answers": []}},
    {START: {"answers": [5, {}, {"id": ""}, {"id": "x" * 256}]}},
]


@pytest.mark.parametrize("content", ODD_POLLS)
def test_odd_polls(content: dict[str, Any]) -> None:
    assert decode_poll_start(content) is None
    assert not isinstance(decode(room_event(START, content)), MxPoll)


@pytest.mark.parametrize("most", [0, -1, True, "2", 10**30, 1.5, None])
def test_odd_numbers_of_answers(most: object) -> None:
    poll = {START: {"question": {}, "answers": [{"id": "a"}], "max_selections": most}}
    start = decode_poll_start(poll)
    assert start is not None
    assert 1 <= start.max_selections <= 20


@pytest.mark.parametrize(
    "content",
    [{}, {VOTE: {"answers": ["a"]}}, {"m.relates_to": {"rel_type": "m.thread", "event_id": "$x"}}],
)
def test_votes_in_nothing(content: dict[str, Any]) -> None:
    assert decode_poll_vote(content) is None
    assert decode_poll_end(content) is None


def test_a_vote_without_answers_takes_it_back() -> None:
    assert decode_poll_vote({**ABOUT, VOTE: {"answers": "x"}}) == MxPollVote(poll=POLL, options=())


# Places and invitations


def test_a_place_reads_as_it_was_written() -> None:
    at = MxLocation(latitude=-1.5, longitude=179.25)
    content = MxMessageContent(msgtype=MxMsgType.LOCATION, body="Zoo", location=at, mentions=MxMentions())
    said = encode_message(content)
    assert said["geo_uri"] == "geo:-1.500000,179.250000"
    assert decode_message(said) == content


@pytest.mark.parametrize(
    "uri",
    ["", "geo:", "geo:1", "geo:91,0", "geo:0,181", "geo:1e5,2", "geo:nan,0", "http://x", "geo:1,2" + "3" * 400],
)
def test_places_nowhere(uri: str) -> None:
    assert decode_location({"geo_uri": uri}) is None


@pytest.mark.parametrize("uri", ["geo:1,2", "geo:1.0,2.0;u=35", "geo:1,2,3", "geo:1,2?z=5"])
def test_forms_of_a_place(uri: str) -> None:
    assert decode_location({"geo_uri": uri}) == MxLocation(latitude=1, longitude=2)
    assert decode_location({"org.matrix.msc3488.location": {"uri": uri}}) == MxLocation(latitude=1, longitude=2)


def test_an_invitation_reads_as_it_was_written() -> None:
    invite = MxGroupInvite(
        group=WaJid(user="1", server="g.us"),
        code="C",
        inviter=WaJid(user="2", server="lid"),
        expires_at_s=5,
        name="Club",
    )
    content = MxMessageContent(body="join", invite=invite, mentions=MxMentions())
    assert decode_message(encode_message(content)) == content


@pytest.mark.parametrize(
    "invite",
    [{}, {"jid": "x", "code": "c", "inviter": "1@lid"}, {"jid": "1@g.us", "code": "", "inviter": "1@lid"}, 5],
)
def test_odd_invitations(invite: object) -> None:
    assert decode_invite({"fi.mau.whatsapp.invite": invite}) is None


def test_an_album_and_a_poll_beside_a_text() -> None:
    start = MxPollStart(question="?", options=(A,), fallback="1. A")
    said = encode_message(MxMessageContent(body="words", poll=start, album=POLL))
    assert said["body"] == "words"
    assert decode_poll_start(said) == MxPollStart(question="?", options=(A,))
    assert said["net.mautrix_whatsapp_py.album"] == {"head": POLL}


# Pins


def test_pins_and_those_before() -> None:
    event = {
        **room_event("m.room.pinned_events", {"pinned": ["$a", 5, "$b"]}),
        "state_key": "",
        "unsigned": {"prev_content": {"pinned": ["$c"]}},
    }
    decoded = decode(event)
    assert isinstance(decoded, MxRoomChanged)
    assert decoded.change == MxPinsSet(pinned=(MxEventId("$a"), MxEventId("$b")), before=(MxEventId("$c"),))
    odd = decode({**room_event("m.room.pinned_events", {"pinned": "x"}), "state_key": ""})
    assert isinstance(odd, MxRoomChanged)
    assert odd.change == MxPinsSet(pinned=())
