"""Bodies of transactions: what is usable comes out, what is not costs nobody else anything."""

from __future__ import annotations

import json

import pytest

from mautrix_whatsapp_py.matrix.split import split_array, split_object
from mautrix_whatsapp_py.matrix.transaction import (
    BadBody,
    MxTransaction,
    TooOdd,
    decode_odd_transaction,
    decode_transaction,
)
from tests.unit.matrix.shapes import EPHEMERAL, EVENTS, TO_DEVICE, Json, message


def decode(raw: bytes) -> MxTransaction:
    try:
        return decode_transaction(raw)
    except TooOdd:
        return decode_odd_transaction(raw)


def numbered(events: list[Json]) -> list[Json]:
    return [{**event, "event_id": f"$event{number}"} for number, event in enumerate(events)]


@pytest.mark.parametrize("decoder", [decode_transaction, decode_odd_transaction])
def test_all_shapes_come_out_untouched_and_in_order(decoder: object) -> None:
    assert callable(decoder)
    events = numbered(EVENTS)
    body = {
        "events": events,
        "ephemeral": EPHEMERAL,
        "to_device": TO_DEVICE,
        "org.matrix.msc3202.device_lists": {},
    }
    transaction = decoder(json.dumps(body).encode())
    assert [json.loads(event.body) for event in transaction.events] == events
    assert [event.kind for event in transaction.events] == [event["type"] for event in events]
    assert len(transaction.ephemeral) == 4
    assert [json.loads(message.body) for message in transaction.keys.messages] == TO_DEVICE
    assert transaction.skipped == ()


@pytest.mark.parametrize("decoder", [decode_transaction, decode_odd_transaction])
def test_the_unstable_names_of_parts(decoder: object) -> None:
    assert callable(decoder)
    body = {"events": [], "de.sorunome.msc2409.ephemeral": EPHEMERAL, "de.sorunome.msc2409.to_device": TO_DEVICE}
    transaction = decoder(json.dumps(body).encode())
    assert len(transaction.ephemeral) == 4
    assert [message.to_device for message in transaction.keys.messages] == ["BOT", "*"]


GOOD = json.dumps({**message({"msgtype": "m.text", "body": "fine"}), "event_id": "$good"}).encode()


def odd(raw_content: bytes) -> bytes:
    return (
        b'{"event_id":"$odd","room_id":"!r","sender":"@a:b","type":"m.room.message","content":'
        + raw_content
        + b"}"
    )


SKIPPED = {
    "number": b"5",
    "null": b"null",
    "text": b'"text"',
    "list": b"[[]]",
    "empty": b"{}",
    "content list": odd(b"[]"),
    "content null": odd(b"null"),
    "content text": odd(b'"{}"'),
    "no content": b'{"event_id":"$odd","room_id":"!r","sender":"@a:b","type":"m"}',
    "no event id": b'{"room_id":"!r","sender":"@a:b","type":"m","content":{}}',
    "no room id": b'{"event_id":"$odd","sender":"@a:b","type":"m","content":{}}',
    "no sender": b'{"event_id":"$odd","room_id":"!r","type":"m","content":{}}',
    "no type": b'{"event_id":"$odd","room_id":"!r","sender":"@a:b","content":{}}',
    "event id of another type": b'{"event_id":5,"room_id":"!r","sender":"@a:b","type":"m","content":{}}',
    "empty id": b'{"event_id":"","room_id":"!r","sender":"@a:b","type":"m","content":{}}',
    "long id": b'{"event_id":"' + b"$" * 256 + b'","room_id":"!r","sender":"@a:b","type":"m","content":{}}',
    "nul in id": b'{"event_id":"$\\u0000","room_id":"!r","sender":"@a:b","type":"m","content":{}}',
    "surrogate in id": b'{"event_id":"$\\ud800","room_id":"!r","sender":"@a:b","type":"m","content":{}}',
    "surrogate": odd(b'{"body":"\\ud800"}'),
    "surrogate in key": odd(b'{"\\udfff":1}'),
    "not utf-8": odd(b'{"body":"\xff\xfe"}'),
    "not a number": odd(b'{"body":NaN}'),
    "infinity": odd(b'{"body":-Infinity}'),
    "deep": odd(b'{"body":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "deep objects": odd(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
}


@pytest.mark.parametrize("raw", SKIPPED.values(), ids=SKIPPED.keys())
def test_a_malformed_event_is_skipped_and_its_neighbours_are_not(raw: bytes) -> None:
    neighbour = GOOD.replace(b"$good", b"$also")
    transaction = decode(b'{"events": [' + b" , ".join([GOOD, raw, neighbour]) + b"] }")
    assert [event.event_id for event in transaction.events] == ["$good", "$also"]
    assert len(transaction.skipped) == 1


KEPT = {
    "nul": odd(b'{"body":"a\\u0000b"}'),
    "huge integer": odd(b'{"n":' + b"9" * 10_000 + b"}"),
    "huge float": odd(b'{"n":1e999}'),
    "repeated key": odd(b'{"a":1,"a":2}'),
    "quotes and brackets in text": odd(b'{"body":"\\"]}{[,\\\\"}'),
    "spaces": b" \n " + odd(b" {} ") + b"\t",
    "id with quotes": b'{"event_id":"$\\"a\\"","room_id":"!r","sender":"@a:b","type":"m","content":{}}',
}


@pytest.mark.parametrize("raw", KEPT.values(), ids=KEPT.keys())
@pytest.mark.parametrize("decoder", [decode_transaction, decode_odd_transaction])
def test_an_unusual_event_is_kept_as_it_is(raw: bytes, decoder: object) -> None:
    assert callable(decoder)
    transaction = decoder(b'{"events": [' + GOOD + b"," + raw + b"]}")
    assert [event.body.strip() for event in transaction.events] == [GOOD.decode(), raw.decode().strip()]
    assert "\0" not in transaction.events[1].body


def test_a_skipped_event_is_known_by_its_id_only() -> None:
    transaction = decode(b'{"events": [' + odd(b'["secret"]') + b', 5, {"event_id": 5}]}')
    assert transaction.skipped == ("$odd", "without an id", "without an id")


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"text", b'{"events": [}', b'{"events": []} x', b"\xff", b'{"events": [tru]}']
)
def test_what_is_no_json(raw: bytes) -> None:
    with pytest.raises(BadBody) as caught:
        decode(raw)
    assert caught.value.errcode == "M_NOT_JSON"


@pytest.mark.parametrize(
    "raw", [b"[]", b"5", b"null", b'"a"', b'{"events": 5}', b'{"events": {}}', b'{"events": null}']
)
def test_json_that_is_no_transaction(raw: bytes) -> None:
    with pytest.raises(BadBody) as caught:
        decode(raw)
    assert caught.value.errcode == "M_BAD_JSON"


@pytest.mark.parametrize(
    "raw", [b"[NaN]", b"NaN", b'{"events": NaN}', b'{"events": {"a": NaN}}', b"[" * 9999 + b"]" * 9999]
)
def test_odd_json_that_is_no_transaction(raw: bytes) -> None:
    with pytest.raises(BadBody) as caught:
        decode(raw)
    assert caught.value.errcode == "M_BAD_JSON"


def test_other_parts_may_be_anything() -> None:
    raw = (
        b'{"events": ['
        + GOOD
        + b'], "ephemeral": 5, "to_device": [1, {}, null], "de.sorunome.msc2409.ephemeral": {}}'
    )
    for transaction in (decode_transaction(raw), decode_odd_transaction(raw)):
        assert [event.event_id for event in transaction.events] == ["$good"]
        assert transaction.ephemeral == ()
        assert transaction.keys.is_empty


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        (b"[]", []),
        (b" [ ] ", []),
        (b"[1]", [b"1"]),
        (b'[1, "a,]", {"b": [2, 3]}]', [b"1", b' "a,]"', b' {"b": [2, 3]}']),
        (b'["\\\\", "\\""]', [b'"\\\\"', b' "\\""']),
    ],
)
def test_cutting_arrays(raw: bytes, parts: list[bytes]) -> None:
    assert split_array(raw) == parts


def test_cutting_objects() -> None:
    assert split_object(b' {"a" : [1, 2], "b":{"c": ":"}, "a": 3}') == {"a": b" 3", "b": b'{"c": ":"}'}
    assert split_object(b"{}") == {}


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1", b"[[]", b"5"])
def test_cutting_what_is_no_array(raw: bytes) -> None:
    with pytest.raises(ValueError, match="value"):
        split_array(raw)
