"""Whatever comes from either side, decoded, converted and handled: the chat goes on, and nothing fails."""

from __future__ import annotations

import asyncio
import itertools
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, WaJid, WaMessageId
from mautrix_whatsapp_py.matrix.decode import decode_event
from mautrix_whatsapp_py.matrix.encode_content import encode_message
from mautrix_whatsapp_py.matrix.poll_content import START, VOTE, encode_poll
from mautrix_whatsapp_py.model.content import MxMessageContent, MxReactionContent, WaContent
from mautrix_whatsapp_py.model.mx import MxStored
from mautrix_whatsapp_py.model.rich import WaPoll
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import SqliteAddress
from mautrix_whatsapp_py.whatsapp.host.decode_content import Scene, decode_content
from mautrix_whatsapp_py.whatsapp.host.secrets import StoredSecret
from tests.flow.chat import BEN, LOGIN, Chat
from tests.flow.world import ALICE, World
from tests.unit.matrix.shapes import EVENTS, Json, room_event
from tests.unit.whatsapp.host.broken import messages, mutated
from tests.unit.whatsapp.host.contents import PROTOBUF, SECRET, Message
from tests.unit.whatsapp.host.test_every_kind import filled

FIELDS = [field.name for field in Message.DESCRIPTOR.fields]
MAX_EVENT_BYTES = 60_000
"""Of the 65,536 that an event may have; the rest is for what the homeserver adds."""


class Failures(logging.Handler):
    """What the bridge could not handle."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(self.format(record))


def run(template: Path, folder: Path, body: Any) -> None:
    """Have a linked account, do something, and see whether the chat goes on."""
    failures, root = Failures(), logging.getLogger("mautrix_whatsapp_py")
    path = folder / f"{next(_NAMES)}.db"
    shutil.copy(template, path)
    root.addHandler(failures)
    try:
        asyncio.run(_run(path, body))
    finally:
        root.removeHandler(failures)
        path.unlink()
    assert failures.found == []


_NAMES = itertools.count()


async def _run(path: Path, body: Any) -> None:
    store = Store(SqliteAddress(path=path))
    world = World(store)
    try:
        chat = await Chat.open(world)
        poll = WaPoll(question="?", options=("a", "b"))
        await chat.receive(chat.message(poll, message_id="T"))
        await body(chat)
        world.clock.advance(600)
        await world.settled()
        world.bridge._arrivals.drop_late()
        await chat.hear("still here")
        assert "still here" in chat.texts
        assert not chat.unacknowledged()
        sent = len(chat.client.messages)
        await chat.say("me too")
        assert len(chat.client.messages) == sent + 1
        assert not await world.pending()
        require_fit_for_a_homeserver(chat)
    finally:
        await world.stop()
        await store.close()


def require_fit_for_a_homeserver(chat: Chat) -> None:
    for one in chat.world.chats.said:
        match one.content:
            case MxMessageContent():
                content: Any = encode_message(one.content)
                assert content["body"].strip() or one.content.msgtype == "m.text"
            case MxReactionContent():
                content = one.content.key
            case _:
                content = encode_poll(one.content)
        assert len(msgspec.json.encode(content)) < MAX_EVENT_BYTES


# From WhatsApp


def decode(message: Any, chat: Chat) -> WaContent:
    def get_secrets(_chat: WaJid, _message_id: WaMessageId) -> Sequence[StoredSecret]:
        return (StoredSecret(secret=SECRET, authors=(BEN,)),)

    source = chat.message(WaPoll(question="", options=())).source
    scene = Scene(
        source=source, own=WaJid(user=LOGIN, server="s.whatsapp.net"), get_secrets=get_secrets, protobuf=PROTOBUF
    )
    return decode_content(message, scene)


def receive_all(found: Sequence[Any]) -> Any:
    async def body(chat: Chat) -> None:
        await chat.receive(*(chat.message(decode(message, chat)) for message in found))

    return body


def test_every_kind_of_whatsapp_is_handled(sqlite_template: Path, tmp_path: Path) -> None:
    run(sqlite_template, tmp_path, receive_all([filled(field) for field in FIELDS]))


def parsed(body: bytes) -> Any:
    try:
        return Message.FromString(body)
    except DecodeError:
        return Message(conversation="broken beyond a message")


ANY_MESSAGE = st.one_of(messages(FIELDS), messages(), mutated().map(parsed))
QUIETLY = settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)


@QUIETLY
@given(st.lists(ANY_MESSAGE, min_size=10, max_size=40))
def test_any_message_of_whatsapp_is_handled(sqlite_template: Path, tmp_path: Path, found: list[Any]) -> None:
    run(sqlite_template, tmp_path, receive_all(found))


# From Matrix

ABOUT = {"m.relates_to": {"rel_type": "m.reference", "event_id": "$target"}}
RICH: list[Json] = [
    room_event(START, {START: {"question": {}, "answers": [{"id": "1", "body": "a"}, {"id": "2", "body": "b"}]}}),
    room_event(VOTE, {**ABOUT, VOTE: {"answers": ["1", "2"]}}),
    room_event("org.matrix.msc3381.poll.end", ABOUT),
    room_event("m.poll.start", {"m.poll": {"answers": [{"m.id": "1", "m.text": [{"body": "a"}]}]}}),
    room_event("m.room.message", {"msgtype": "m.location", "body": "x", "geo_uri": "geo:1,2"}),
    room_event(
        "m.room.message",
        {"msgtype": "m.file", "body": "a.vcf", "url": "mxc://localhost/0", "info": {"mimetype": "text/vcard"}},
    ),
    room_event("m.room.pinned_events", {"pinned": ["$target", "$other"]}, state_key=""),
]
SHAPES = [event for event in EVENTS if event["type"] != "m.room.member"] + RICH
ODD = st.sampled_from(
    ["", "x", None, True, 0, -1, 1e308, 2**63, [], {}, [[]], "\u202e\u2066", "$target", "mxc://x/y", "x" * 70_000]
)


@st.composite
def mutated_shapes(draw: st.DrawFn) -> Json:
    """A shape in which some value is another, or gone."""
    event: Json = msgspec.json.decode(msgspec.json.encode(draw(st.sampled_from(SHAPES))))
    place: Any = event["content"]
    while isinstance(place, dict) and place:
        key = draw(st.sampled_from(sorted(place)))
        inner = place[key]
        if isinstance(inner, dict) and inner and draw(st.booleans()):
            place = inner
            continue
        if draw(st.booleans()):
            place[key] = draw(ODD)
        elif draw(st.booleans()):
            del place[key]
        break
    return event


def send_all(found: Sequence[Json]) -> Any:
    async def body(chat: Chat) -> None:
        target = chat.world.chats.said[0].event_id
        # Right after the start, what is about the unknown waits for it.
        chat.world.clock.advance(600)
        for number, event in enumerate(found):
            raw = msgspec.json.encode(event).replace(b"$target", target.encode())
            stored = MxStored(
                seq=InboxSeq(0),
                event_id=MxEventId(f"$odd{number}"),
                room_id=chat.room_id,
                sender=ALICE,
                kind=event["type"],
                body=raw.decode(),
            )
            await chat.world.deliver(decode_event(stored))
        await chat.world.settled()

    return body


def test_every_shape_of_matrix_is_handled(sqlite_template: Path, tmp_path: Path) -> None:
    run(sqlite_template, tmp_path, send_all(SHAPES))


@QUIETLY
@given(st.lists(mutated_shapes(), min_size=10, max_size=40))
def test_any_event_of_matrix_is_handled(sqlite_template: Path, tmp_path: Path, found: list[Json]) -> None:
    run(sqlite_template, tmp_path, send_all(found))


@pytest.mark.parametrize("length", [0, 1, 65_536])
def test_captions_and_questions_of_any_length(sqlite_template: Path, tmp_path: Path, length: int) -> None:
    text = "x" * length
    poll = Message()
    poll.pollCreationMessageV3.name = text
    for number in range(20):
        poll.pollCreationMessageV3.options.add(optionName=f"{number}{text}")
    event = Message()
    event.eventMessage.name, event.eventMessage.description = text, text + "\u202e" * 9
    event.eventMessage.startTime = 2**62
    place = Message()
    place.locationMessage.name, place.locationMessage.address = text, text
    mentions = [f"1555{number:07d}@s.whatsapp.net" for number in range(500 if length == 1 else 0)]
    place.locationMessage.contextInfo.mentionedJID.extend(mentions)
    listed = Message()
    listed.listMessage.title, listed.listMessage.description = text, text
    for _ in range(200):
        listed.listMessage.sections.add().rows.add(title=text, description=text)
    run(sqlite_template, tmp_path, receive_all([poll, event, place, listed]))
