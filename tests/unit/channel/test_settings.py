"""From keys to rules."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.channel.settings import history_limit_of, to_rules, to_session_key
from mautrix_whatsapp_py.config.channel import (
    ChannelAccount,
    ChannelSection,
    DmPolicy,
    DmRule,
    DmRules,
    DmScope,
    GroupRule,
    GroupRules,
)
from mautrix_whatsapp_py.config.decode import decode_section
from mautrix_whatsapp_py.config.findings import Findings
from mautrix_whatsapp_py.ids import GROUP_SERVER, USER_SERVER, WaJid

ANNA = WaJid(user="14155550001", server=USER_SERVER)
CREW = WaJid(user="120363041234567890", server=GROUP_SERVER)


def decode(raw: dict[str, object]) -> tuple[ChannelSection, dict[str, str]]:
    findings = Findings()
    return decode_section(ChannelSection, raw, ("channel",), findings), findings.problems


def test_numbers_and_groups_are_compared_in_one_spelling() -> None:
    rules = to_rules(
        ChannelAccount(
            allow_from=("+1 (415) 555-0001", "*"),
            group_allow_from=("14155550002",),
            groups=GroupRules({CREW.user: GroupRule(require_mention=False), "*": GroupRule()}),
            allowed_chat_ids=("+14155550001", str(CREW)),
        )
    )
    assert rules.allow_from == {"14155550001", "*"}
    assert rules.group_allow_from == {"14155550002"}
    assert rules.groups is not None
    assert set(rules.groups) == {str(CREW), "*"}
    assert rules.allowed_chat_ids == {"14155550001", str(CREW)}


def test_an_accounts_key_goes_before_the_channels_and_that_before_the_default() -> None:
    section, problems = decode(
        {
            "dm_policy": "allowlist",
            "history_limit": 7,
            "web": {"heartbeat_seconds": 5, "reconnect": {"max_attempts": 3}},
            "accounts": {
                "Work": {"dm_policy": "disabled", "web": {"reconnect": {"initial_ms": 1}}},
                "home": None,
            },
        }
    )
    assert problems == {}
    assert set(section.accounts) == {"work", "home"}
    work, home = section.of_account("work"), section.of_account("home")
    assert (work.dm_policy, home.dm_policy) == (DmPolicy.DISABLED, DmPolicy.ALLOWLIST)
    assert (work.history_limit, home.history_limit) == (7, 7)
    assert (work.web.heartbeat_seconds, work.web.stall_minutes) == (5, 30)
    assert (work.web.reconnect.initial_ms, work.web.reconnect.max_attempts) == (1, 3)
    assert section.of_account("default").dm_policy is DmPolicy.ALLOWLIST


def test_a_wrong_key_is_named_once_and_where_it_is_written() -> None:
    _, problems = decode(
        {
            "history_limit": "many",
            "accounts": {
                "work": {"dm_policy": "sometimes", "web": {"heartbeat": 1}},
                "a b": {},
                "WORK": {},
                "home": [],
            },
        }
    )
    assert set(problems) == {
        "channel.history_limit",
        "channel.accounts.work.dm_policy",
        "channel.accounts.work.web.heartbeat",
        "channel.accounts.a b",
        "channel.accounts.WORK",
        "channel.accounts.home",
    }


@pytest.mark.parametrize(
    ("chat", "scope", "key"),
    [
        (ANNA, DmScope.MAIN, "main"),
        (ANNA, DmScope.PER_CONTACT, "whatsapp:contact:+14155550001"),
        (CREW, DmScope.MAIN, "whatsapp:group:120363041234567890@g.us"),
        (CREW, DmScope.PER_CONTACT, "whatsapp:group:120363041234567890@g.us"),
    ],
)
def test_groups_always_have_their_own_session(chat: WaJid, scope: DmScope, key: str) -> None:
    assert to_session_key(chat, number=ANNA.user, scope=scope) == key


def test_context_limits_are_those_of_the_chat() -> None:
    account = ChannelAccount(
        history_limit=9, dm_history_limit=3, dms=DmRules({"+1 415 555 0001": DmRule(history_limit=1)})
    )
    assert history_limit_of(account, CREW, number="") == 9
    assert history_limit_of(account, ANNA, number="14155550001") == 1
    assert history_limit_of(account, ANNA, number="14155550002") == 3
    assert history_limit_of(ChannelAccount(), ANNA, number="14155550001") == 0
