"""What wakes the reader of a group."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.channel.activation import (
    BadPattern,
    Patterns,
    compile_patterns,
    find_trigger,
    parse_activation,
)
from mautrix_whatsapp_py.channel.policy import Trigger
from mautrix_whatsapp_py.config.channel import Activation
from mautrix_whatsapp_py.ids import LID_SERVER, USER_SERVER, WaJid

NUMBER = WaJid(user="14155550000", server=USER_SERVER)
LID = WaJid(user="77", server=LID_SERVER)
OTHER = WaJid(user="14155550001", server=USER_SERVER)
OWN = frozenset({NUMBER, LID})


@pytest.mark.parametrize(
    ("mentions", "quoted", "ignores", "expected"),
    [
        ((), None, False, Trigger()),
        ((OTHER,), OTHER, False, Trigger()),
        ((NUMBER,), None, False, Trigger(is_mentioned=True)),
        ((LID,), None, False, Trigger(is_mentioned=True)),
        ((WaJid(user=NUMBER.user, server=USER_SERVER, device=3),), None, False, Trigger(is_mentioned=True)),
        ((NUMBER,), None, True, Trigger()),
        ((), LID, False, Trigger(answers_us=True)),
        ((), NUMBER, True, Trigger(answers_us=True)),
    ],
)
def test_mentions_and_replies(
    mentions: tuple[WaJid, ...], quoted: WaJid | None, ignores: bool, expected: Trigger
) -> None:
    found = find_trigger(
        text="hello",
        mentions=frozenset(mentions),
        quoted_sender=quoted,
        own=OWN,
        patterns=Patterns(),
        ignores_mentions=ignores,
    )
    assert found == expected


def test_patterns_count_as_mentions_whatever_their_case() -> None:
    patterns = compile_patterns([r"\bhal\b", "open the pod"])
    assert patterns.match("Hey HAL, are you there")
    assert patterns.match("please OPEN THE POD bay doors")
    assert not patterns.match("halt")


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "(?P<x", "a" * 501])
def test_a_bad_pattern_is_named_by_its_place_and_not_repeated(pattern: str) -> None:
    with pytest.raises(BadPattern, match="pattern 2") as caught:
        compile_patterns(["fine", pattern])
    assert "a" * 501 not in str(caught.value)


def test_a_pattern_that_explodes_is_no_mention() -> None:
    patterns = compile_patterns([r"^(\w+\s?)*\1$", r"(a|a|a|a|a|aa)+$"])
    assert not patterns.match("a" * 60 + "!")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/activation always", Activation.ALWAYS),
        ("  /Activation  MENTION \n", Activation.MENTION),
        ("/activation", None),
        ("/activation sometimes", None),
        ("please /activation always", None),
        ("/activation always please", None),
    ],
)
def test_the_command_is_a_message_of_its_own(text: str, expected: Activation | None) -> None:
    assert parse_activation(text) is expected
