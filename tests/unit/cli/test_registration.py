"""The registration says what the server must know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mautrix_whatsapp_py.config import AppserviceSection, BotSection, Config, EncryptionSection, HomeserverSection
from mautrix_whatsapp_py.config.document import parse_yaml
from mautrix_whatsapp_py.config.rules import EXAMPLE_AS_TOKEN, EXAMPLE_HS_TOKEN
from mautrix_whatsapp_py.matrix.registration import (
    build_registration,
    encode_registration,
    new_sender,
    new_token,
    user_patterns,
)

ROOT = Path(__file__).resolve().parents[3]
CONFIG = Config(homeserver=HomeserverSection(domain="hs.test"))


def encoded(config: Config) -> dict[str, object]:
    values = parse_yaml(encode_registration(build_registration(config, as_token="a", hs_token="b")))
    assert isinstance(values, dict)
    return values


def test_registration_is_complete() -> None:
    values = encoded(CONFIG)
    sender = values.pop("sender_localpart")
    assert isinstance(sender, str)
    assert re.fullmatch("[a-z0-9]{32}", sender)
    assert values == {
        "id": "whatsapp",
        "url": "http://127.0.0.1:29318",
        "as_token": "a",
        "hs_token": "b",
        "rate_limited": False,
        "namespaces": {
            "users": [
                {"regex": r"^@whatsappbot:hs\.test$", "exclusive": True},
                {"regex": r"^@whatsapp_.*:hs\.test$", "exclusive": True},
            ],
            "aliases": [{"regex": r"^#whatsapp_.*:hs\.test$", "exclusive": True}],
        },
        "receive_ephemeral": True,
        "de.sorunome.msc2409.push_ephemeral": True,
    }


def test_ephemeral_events_are_not_asked_for_when_switched_off() -> None:
    config = replace(CONFIG, appservice=AppserviceSection(ephemeral_events=False))
    assert not [key for key in encoded(config) if "ephemeral" in key]


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        (EncryptionSection(allow=False, msc4190=True), set()),
        (EncryptionSection(allow=True, msc4190=False), {"org.matrix.msc3202"}),
        (EncryptionSection(allow=True, msc4190=True), {"org.matrix.msc3202", "io.element.msc4190"}),
    ],
)
def test_encryption_is_asked_for_when_allowed(section: EncryptionSection, keys: set[str]) -> None:
    values = encoded(replace(CONFIG, encryption=section))
    assert {key for key in values if key in ("org.matrix.msc3202", "io.element.msc4190")} == keys


PATTERNS = [
    ("hs.test", "whatsapp_{{.}}", "@whatsapp_49:hs.test", True),
    ("hs.test", "whatsapp_{{.}}", "@whatsappbot:hs.test", True),
    ("hs.test", "whatsapp_{{.}}", "@whatsapp_49:hsxtest", False),
    ("hs.test", "whatsapp_{{.}}", "@whatsapp_49:hs.test.evil", False),
    ("hs.test", "whatsapp_{{.}}", "@x@whatsapp_49:hs.test", False),
    ("hs.test", "whatsapp_{{.}}", "@whatsappbot2:hs.test", False),
    ("hs.test", "a.b+{{.}}=c", "@a.b+49=c:hs.test", True),
    ("hs.test", "a.b+{{.}}=c", "@aXbb49=c:hs.test", False),
    ("[::1]:8448", "whatsapp_{{.}}", "@whatsapp_49:[::1]:8448", True),
]


@pytest.mark.parametrize(("domain", "template", "user", "is_ours"), PATTERNS)
def test_namespaces_hold_our_users_only(domain: str, template: str, user: str, is_ours: bool) -> None:
    config = Config(
        homeserver=HomeserverSection(domain=domain), appservice=AppserviceSection(username_template=template)
    )
    assert any(re.search(pattern, user) for pattern in user_patterns(config)) is is_ours


def test_sender_is_neither_bot_nor_ghost() -> None:
    appservice = AppserviceSection(bot=BotSection(username="the-bot"), username_template="g{{.}}")
    senders: Iterator[str] = iter(["the-bot", "ghost", "stranger"])
    registration = build_registration(
        replace(CONFIG, appservice=appservice), as_token="a", hs_token="b", new_sender=lambda: next(senders)
    )
    assert registration.sender_localpart == "stranger"


def test_tokens_and_senders_do_not_repeat() -> None:
    assert len({new_token() for _ in range(100)} | {new_sender() for _ in range(100)}) == 200


def test_tokens_are_not_in_the_repr() -> None:
    shown = repr(build_registration(CONFIG, as_token="as-secret", hs_token="hs-secret"))
    assert "secret" not in shown


def test_example_registration_is_what_the_bridge_writes() -> None:
    values = parse_yaml((ROOT / "registration.yaml").read_text())
    expected = encode_registration(
        build_registration(Config(), as_token=EXAMPLE_AS_TOKEN, hs_token=EXAMPLE_HS_TOKEN)
    )
    assert {**values, "sender_localpart": ""} == {**parse_yaml(expected), "sender_localpart": ""}
    assert len(values["sender_localpart"]) == 32
