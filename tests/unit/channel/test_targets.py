"""Targets: every form of the contract, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mautrix_whatsapp_py.channel.targets import (
    ALIASES,
    Target,
    TargetKind,
    get_default_account,
    parse_account_id,
    parse_number,
    parse_target,
    print_target,
)
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import GROUP_SERVER, LID_SERVER, USER_SERVER, WaJid

ANNA = WaJid(user="4917000000001", server=USER_SERVER)
CREW = WaJid(user="120363041234567890", server=GROUP_SERVER)


@pytest.mark.parametrize(
    ("text", "kind", "chat"),
    [
        ("whatsapp-personal:work:contact:+4917000000001", TargetKind.CONTACT, ANNA),
        ("whatsapp-personal:work:contact:4917000000001", TargetKind.CONTACT, ANNA),
        ("whatsapp-personal:work:contact:+49 (170) 000-000-01", TargetKind.CONTACT, ANNA),
        ("whatsapp-personal:work:contact:4917000000001@s.whatsapp.net", TargetKind.CONTACT, ANNA),
        ("whatsapp-personal:work:contact:4917000000001:7@s.whatsapp.net", TargetKind.CONTACT, ANNA),
        (
            "whatsapp-personal:work:contact:123456789@lid",
            TargetKind.CONTACT,
            WaJid(user="123456789", server=LID_SERVER),
        ),
        ("whatsapp-personal:WORK:group:120363041234567890", TargetKind.GROUP, CREW),
        ("whatsapp-personal:work:group:120363041234567890@g.us", TargetKind.GROUP, CREW),
        ("contact:+4917000000001", TargetKind.CONTACT, ANNA),
        ("group:120363041234567890", TargetKind.GROUP, CREW),
    ],
)
def test_each_form_names_its_chat(text: str, kind: TargetKind, chat: WaJid) -> None:
    assert parse_target(text, account="work") == Target(account="work", kind=kind, chat=chat)


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_an_alias_of_the_channel_names_the_same(alias: str) -> None:
    assert parse_target(f"{alias}:default:contact:{ANNA.user}", account=None).chat == ANNA


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no account"),
        ("contact:+4917000000001", "names no account"),
        ("whatsapp-personal", "incomplete"),
        ("whatsapp-personal:work", "incomplete"),
        ("whatsapp-personal:wörk:contact:+4917000000001", "account's name"),
        ("whatsapp-personal:work:channel:1", "names a contact: or a group:"),
        ("whatsapp-personal:work:contact:", "only digits"),
        ("whatsapp-personal:work:contact:+0170000000", "begins with 0"),
        ("whatsapp-personal:work:contact:+49170", "too short"),
        ("whatsapp-personal:work:contact:+4917000000000001", "too long"),
        ("whatsapp-personal:work:contact:+49170000000a", "only digits"),
        ("whatsapp-personal:work:contact:٤٩١٧٠٠٠٠٠٠٠", "only digits"),
        ("whatsapp-personal:work:contact:1@g.us", "no contact's address"),
        ("whatsapp-personal:work:contact:status@broadcast", "no contact's address"),
        ("whatsapp-personal:work:contact:@@", "no WhatsApp address"),
        ("whatsapp-personal:work:group:4917000000001@s.whatsapp.net", "no group's address"),
        ("whatsapp-personal:work:group:crew", "no group's address"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        parse_target(text, account=None)


@given(
    st.from_regex(r"[a-z0-9_-]{1,32}", fullmatch=True),
    st.one_of(
        st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True).map(
            lambda user: (TargetKind.CONTACT, WaJid(user=user, server=USER_SERVER))
        ),
        st.from_regex(r"[0-9]{1,20}", fullmatch=True).map(
            lambda user: (TargetKind.CONTACT, WaJid(user=user, server=LID_SERVER))
        ),
        st.from_regex(r"[0-9]{5,20}(-[0-9]{5,12})?", fullmatch=True).map(
            lambda user: (TargetKind.GROUP, WaJid(user=user, server=GROUP_SERVER))
        ),
    ),
)
def test_printing_and_parsing_are_each_others_opposite(account: str, named: tuple[TargetKind, WaJid]) -> None:
    target = Target(account=account, kind=named[0], chat=named[1])
    assert parse_target(print_target(target), account=None) == target


@given(st.text(max_size=60))
def test_any_text_is_a_target_or_a_sentence(text: str) -> None:
    try:
        target = parse_target(text, account="work")
    except CommandError as error:
        said = str(error)
    else:
        said = "."
        assert parse_target(print_target(target), account=None) == target
    assert said.endswith(".")


def test_the_default_account_is_default_or_the_first() -> None:
    assert get_default_account(frozenset({"work", "default"})) == "default"
    assert get_default_account(frozenset({"work", "home"})) == "home"
    assert get_default_account(frozenset()) is None


@pytest.mark.parametrize("text", ["", "a" * 33, "a b", "a:b", "ä", "a\n"])
def test_an_account_name_of_other_characters_is_refused(text: str) -> None:
    with pytest.raises(CommandError):
        parse_account_id(text)


def test_a_number_is_taken_as_people_write_it() -> None:
    assert parse_number("+1 (415) 555-00.01") == "14155550001"
