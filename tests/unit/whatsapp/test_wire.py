"""Frames survive the wire whatever they hold and however it is cut."""

from __future__ import annotations

import asyncio
import string
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mautrix_whatsapp_py.ids import JournalSeq, LoginId, SendId, WaJid, WaMessageId
from mautrix_whatsapp_py.model import wa
from mautrix_whatsapp_py.model.wa_link import WaHostStats, WaLinkFact, WaLinkKind, WaSent, WaSessionStats
from mautrix_whatsapp_py.whatsapp import wire
from tests.unit.whatsapp.strategies import CONTENTS, SENDABLE

texts = st.text(max_size=60)
users = st.text(string.digits, min_size=1, max_size=15)
logins = users.map(LoginId)
seqs = st.integers(0, 2**60).map(JournalSeq)
times = st.floats(0, 4e9, allow_nan=False).map(
    lambda seconds: datetime.fromtimestamp(int(seconds * 1e6) / 1e6, tz=UTC)
)
jids = st.builds(
    WaJid, user=users, server=st.sampled_from(["lid", "s.whatsapp.net", "g.us"]), device=st.integers(0, 99)
)
sources = st.builds(
    wa.WaSource,
    chat=jids,
    sender=jids,
    sender_alt=st.none() | jids,
    is_from_me=st.booleans(),
    is_group=st.booleans(),
)
events = st.one_of(
    st.builds(
        wa.WaMessage,
        source=sources,
        message_id=texts.map(WaMessageId),
        timestamp=times,
        content=CONTENTS,
        push_name=texts,
        is_edit=st.booleans(),
        newsletter_edited_at=st.none() | times,
    ),
    st.builds(
        wa.WaReceipt,
        source=sources,
        kind=st.sampled_from(wa.WaReceiptKind),
        message_ids=st.lists(texts.map(WaMessageId)).map(tuple),
        timestamp=times,
    ),
    st.builds(
        wa.WaGroupChanged, chat=jids, timestamp=times, name=st.none() | texts, joined=st.lists(jids).map(tuple)
    ),
    st.builds(wa.WaUnknown, kind=texts, size=st.integers(0, 2**40)),
)
from_host = st.one_of(
    st.builds(wire.Event, login=logins, seq=seqs, event=events),
    st.builds(
        wire.LinkChanged,
        login=logins,
        fact=st.builds(
            WaLinkFact, kind=st.sampled_from(WaLinkKind), at=times, code=texts, until=st.none() | times
        ),
    ),
    st.builds(wire.Refusal, id=st.integers(0, 2**31), code=texts, is_certain=st.booleans()),
    st.builds(
        wire.Reply,
        id=st.integers(0, 2**31),
        result=st.builds(
            WaSent,
            send_id=texts.map(SendId),
            message_id=texts.map(WaMessageId),
            timestamp=times,
            chat=st.none() | jids,
        ),
    ),
    st.builds(
        wire.Heartbeat,
        stats=st.none()
        | st.builds(
            WaHostStats,
            host=texts,
            pid=st.integers(0, 2**22),
            sessions=st.lists(st.builds(WaSessionStats, login=logins, last_event_at=st.none() | times)).map(tuple),
        ),
    ),
)
from_bridge = st.one_of(
    st.builds(
        wire.Request,
        id=st.integers(0, 2**31),
        deadline_seconds=st.floats(0, 1000),
        call=st.builds(
            wire.SendMessage,
            login=logins,
            send_id=texts.map(SendId),
            chat=jids,
            content=SENDABLE,
            secret=st.binary(max_size=32),
        ),
    ),
    st.builds(wire.Ack, login=logins, seqs=st.lists(seqs).map(tuple)),
    st.builds(wire.Hello, version=st.integers(0, 99), name=texts, logins=st.lists(logins).map(tuple)),
)


class Nowhere:
    """A writer whose other end is not looked at."""

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        return None

    async def wait_closed(self) -> None:
        return None


async def read_all(chunks: list[bytes], channel_of: Any) -> list[Any]:
    reader = asyncio.StreamReader()
    channel = channel_of(reader, Nowhere())
    for chunk in chunks:
        reader.feed_data(chunk)
    reader.feed_eof()
    frames = []
    while (frame := await channel.receive(timeout_seconds=1)) is not None:
        frames.append(frame)
    return frames


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(st.lists(from_host, max_size=4), st.integers(1, 64))
def test_frames_of_a_host_survive_any_cutting(frames: list[Any], size: int) -> None:
    data = b"".join(wire.encode_frame(frame) for frame in frames)
    assert asyncio.run(read_all(cut(data, size), wire.bridge_channel)) == frames


@given(st.lists(from_bridge, max_size=4), st.integers(1, 64))
def test_frames_of_the_bridge_survive_any_cutting(frames: list[Any], size: int) -> None:
    data = b"".join(wire.encode_frame(frame) for frame in frames)
    assert asyncio.run(read_all(cut(data, size), wire.host_channel)) == frames


def test_every_call_and_frame_has_a_tag_of_its_own() -> None:
    decoders = [
        msgspec.msgpack.Decoder(union) for union in (wire.FromHost, wire.FromBridge, wire.Call, wa.WaEvent)
    ]
    assert len(decoders) == 4


async def test_a_torn_frame_is_the_end() -> None:
    data = wire.encode_frame(wire.Heartbeat())
    assert await read_all([data, data[:-1]], wire.bridge_channel) == [wire.Heartbeat()]


async def test_garbage_is_refused() -> None:
    with pytest.raises(wire.WireError):
        await read_all([b"\0\0\0\3abc"], wire.bridge_channel)


async def test_a_frame_that_claims_too_much_is_refused_before_it_is_read() -> None:
    with pytest.raises(wire.WireError, match="too large"):
        await read_all([(wire.MAX_FRAME_BYTES + 1).to_bytes(4, "big")], wire.bridge_channel)


def test_a_frame_too_large_is_not_sent() -> None:
    content = wa.WaUnknown(kind="x" * wire.MAX_FRAME_BYTES)
    with pytest.raises(wire.WireError):
        wire.encode_frame(content)
