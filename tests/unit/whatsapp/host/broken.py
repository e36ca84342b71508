"""Protobufs of every kind, broken in every way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from tests.unit.whatsapp.host.contents import Message

_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    1: st.floats(allow_nan=True, width=64),
    2: st.floats(width=32),
    3: st.integers(-(2**63), 2**63 - 1),
    4: st.integers(0, 2**64 - 1),
    5: st.integers(-(2**31), 2**31 - 1),
    8: st.booleans(),
    9: st.text(st.characters(codec="utf-8"), max_size=20)
    | st.sampled_from(["1@lid", "2:3@s.whatsapp.net", "@", ":@", "1@g.us", "T"]),
    12: st.binary(max_size=20),
    13: st.integers(0, 2**32 - 1),
}
_INTERESTING = (
    "extendedTextMessage",
    "protocolMessage",
    "reactionMessage",
    "encReactionMessage",
    "secretEncryptedMessage",
    "editedMessage",
    "ephemeralMessage",
    "imageMessage",
    "groupInviteMessage",
    "liveLocationMessage",
    "locationMessage",
    "pinInChatMessage",
    "pollCreationMessageV3",
    "pollUpdateMessage",
    "eventMessage",
    "interactiveMessage",
    "templateMessage",
    "contactsArrayMessage",
)


def _fill(draw: st.DrawFn, message: Any, depth: int) -> None:
    fields = list(message.DESCRIPTOR.fields)
    if not fields:
        return
    likely = [field for field in fields if field.name in _INTERESTING]
    chosen = draw(st.lists(st.sampled_from(fields) | st.sampled_from(likely or fields), max_size=4))
    for field in chosen:
        _set(draw, message, field, depth)


def _set(draw: st.DrawFn, message: Any, field: Any, depth: int) -> None:
    if field.message_type is not None:
        if depth > 0:
            part = getattr(message, field.name)
            if field.is_repeated:
                part = part.add()
            part.SetInParent()
            _fill(draw, part, depth - 1)
        return
    if field.enum_type is not None:
        values: st.SearchStrategy[Any] = st.sampled_from(sorted(field.enum_type.values_by_number))
    else:
        values = _SCALARS.get(field.type, st.just(0))
    if field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(values, max_size=3)))
    else:
        setattr(message, field.name, draw(values))


@st.composite
def messages(draw: st.DrawFn, names: Sequence[str] = ()) -> Any:
    """Any message; with names, one of these kinds."""
    message = Message()
    if names:
        name = draw(st.sampled_from(names))
        if name != "conversation":
            getattr(message, name).SetInParent()
            _fill(draw, getattr(message, name), 4)
            return message
    _fill(draw, message, 5)
    return message


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A serialized message some bytes of which were changed, cut or doubled."""
    body = bytearray(draw(messages()).SerializePartialToString())
    for _ in range(draw(st.integers(0, 6))):
        position = draw(st.integers(0, max(len(body) - 1, 0)))
        match draw(st.sampled_from(["set", "cut", "double", "insert"])):
            case "set" if body:
                body[position] = draw(st.integers(0, 255))
            case "cut":
                del body[position : position + draw(st.integers(1, 4))]
            case "double":
                body += body[position : position + 20]
            case _:
                body[position:position] = draw(st.binary(max_size=4))
    return bytes(body)
