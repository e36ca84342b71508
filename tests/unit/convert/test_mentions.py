"""Who is meant, either way."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.convert.mentions import (
    WaMarkup,
    allowed,
    decode_pill,
    encode_pill,
    find_user_ids,
    name_mentions,
    notify,
    replace_user_ids,
)
from mautrix_whatsapp_py.ids import MxUserId, WaJid
from mautrix_whatsapp_py.model.content import MxMentions
from mautrix_whatsapp_py.model.people import MxPerson
from tests.unit.convert.builders import ADDRESSED, ALICE, ALICE_MX, BOB, BOB_MX, CAROL, CAROL_MX, PEOPLE

STRANGER = WaJid(user="5", server="lid")


def test_people_are_found_by_their_digits() -> None:
    assert name_mentions({ALICE, STRANGER}, PEOPLE) == {"12": PEOPLE[ALICE]}
    assert notify({ALICE, CAROL, STRANGER}, PEOPLE) == {ALICE_MX, CAROL_MX}


def test_two_addresses_with_the_same_digits_always_give_the_same_person() -> None:
    twin = WaJid(user="12", server="s.whatsapp.net")
    people = {**PEOPLE, twin: PEOPLE[BOB]}
    assert {name_mentions(order, people)["12"].name for order in ([ALICE, twin], [twin, ALICE])} == {"Alice"}


@pytest.mark.parametrize(
    ("href", "user"),
    [
        ("https://matrix.to/#/@a:hs", "@a:hs"),
        ("https://matrix.to/#/%40a:hs?via=x", "@a:hs"),
        ("https://matrix.to/#/@a", None),
        ("https://matrix.to/#/#a:hs", None),
        ("https://matrix.to/#/@a:hs/$event", None),
        ("https://evil/#/@a:hs", None),
        ("matrix:u/a:hs", "@a:hs"),
        ("matrix:r/a:hs", None),
        ("", None),
    ],
)
def test_decode_pill(href: str, user: str | None) -> None:
    assert decode_pill(href) == user


@pytest.mark.parametrize("user_id", ["@a:hs", "@a/b=c+d:hs:8448", '@"><x:hs', "@ü:hs"])
def test_a_pill_is_read_as_it_was_written(user_id: str) -> None:
    written = encode_pill(MxPerson(user_id=MxUserId(user_id), name="N"))
    assert decode_pill(written.split('"')[1]) == user_id


@pytest.mark.parametrize(
    ("body", "text", "jids"),
    [
        ("", "", set()),
        (f"{ALICE_MX} {BOB_MX}", "@12 @123", {ALICE, BOB}),
        (f"({CAROL_MX})", "(@4915112345678)", {CAROL}),
        ("@carol:hsx @xcarol:hs mail@carol:h", "@carol:hsx @xcarol:hs mail@carol:h", set()),
        ("@@carol:hs", "@@4915112345678", {CAROL}),
    ],
)
def test_user_ids_in_plain_text(body: str, text: str, jids: set[WaJid]) -> None:
    markup = replace_user_ids(body, ADDRESSED)
    assert markup == WaMarkup(text=text, mentions=frozenset(jids))
    assert {ADDRESSED[user] for user in find_user_ids(body) if user in ADDRESSED} == jids


def test_only_declared_users_may_be_mentioned() -> None:
    assert allowed(ADDRESSED, None) == ADDRESSED
    assert allowed(ADDRESSED, MxMentions(users=frozenset({BOB_MX}))) == {BOB_MX: BOB}
