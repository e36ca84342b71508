"""The judge must see what it is there for."""

from __future__ import annotations

from tests.chaos.ledger import STATES, Token, compare

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
