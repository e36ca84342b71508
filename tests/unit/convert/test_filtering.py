from __future__ import annotations

import pytest

from mautrix_whatsapp_py.convert.filtering import is_wanted, wants_traits
from mautrix_whatsapp_py.model.filtering import ChatFacts, ChatKind, ChatTrait, FilterRule

CLUB = ChatFacts(kind=ChatKind.GROUP, ids=frozenset({"12@g.us"}))
BEN = ChatFacts(kind=ChatKind.DIRECT, ids=frozenset({"15@s.whatsapp.net", "99@lid", "+15"}))
OLD_CLUB = ChatFacts(
    kind=ChatKind.GROUP, ids=frozenset({"12@g.us"}), traits=frozenset({ChatTrait.ARCHIVED, ChatTrait.MUTED})
)


def rules(*texts: str) -> tuple[FilterRule, ...]:
    return tuple(FilterRule(subject=text[1:], is_allowed=text[0] == "+") for text in texts)


@pytest.mark.parametrize(
    ("facts", "layers", "wanted"),
    [
        (CLUB, [], True),
        (CLUB, [rules("-group")], False),
        (BEN, [rules("-group")], True),
        (CLUB, [rules("-all")], False),
        (CLUB, [rules("-all", "+group")], True),
        (CLUB, [rules("+group", "-12@g.us")], False),
        (CLUB, [rules("-group", "+12@g.us")], True),
        (BEN, [rules("-99@lid")], False),
        (BEN, [rules("-++15")], True),
        (BEN, [(FilterRule(subject="+15", is_allowed=False),)], False),
        (BEN, [rules("-99@lid", "+15@s.whatsapp.net")], False),
        (OLD_CLUB, [rules("-archived")], False),
        (CLUB, [rules("-archived")], True),
        (OLD_CLUB, [rules("-archived", "+muted")], False),
        (OLD_CLUB, [rules("-archived", "+12@g.us")], True),
        (OLD_CLUB, [rules("-archived", "+group")], False),
        (CLUB, [rules("+group"), rules("-12@g.us")], True),
        (CLUB, [rules("+direct"), rules("-group")], False),
        (CLUB, [(), rules("-all")], False),
    ],
)
def test_the_closest_rule_of_the_first_layer_decides(
    facts: ChatFacts, layers: list[tuple[FilterRule, ...]], wanted: bool
) -> None:
    assert is_wanted(facts, *layers) is wanted


def test_traits_are_asked_for_only_when_a_rule_needs_them() -> None:
    assert wants_traits((), rules("-muted"))
    assert not wants_traits(rules("-group", "-12@g.us"), ())
