from __future__ import annotations

import pytest

from mautrix_whatsapp_py.whatsapp.host.failures import classify_answer
from mautrix_whatsapp_py.whatsapp.host.links import LinkParts, LinkType, decode_link

CODE = "AbCdEfGhIjKlMnOpQrStUv"


@pytest.mark.parametrize(
    ("url", "type_"),
    [
        (f"https://chat.whatsapp.com/{CODE}", LinkType.GROUP),
        (f"http://chat.whatsapp.com/invite/{CODE}/", LinkType.GROUP),
        (f"  chat.whatsapp.com/{CODE}?mode=wwt ", LinkType.GROUP),
        (f"<https://whatsapp.com/channel/{CODE}>", LinkType.NEWSLETTER),
        (f"https://www.whatsapp.com/channel/{CODE}#x", LinkType.NEWSLETTER),
        (f"https://wa.me/qr/{CODE}", LinkType.CONTACT),
        (f"https://wa.me/message/{CODE}", LinkType.BUSINESS),
        (f"https://api.whatsapp.com/message/{CODE}", LinkType.BUSINESS),
    ],
)
def test_links_are_taken_apart(url: str, type_: LinkType) -> None:
    assert decode_link(url) == LinkParts(type=type_, code=CODE)


@pytest.mark.parametrize(
    "url",
    ["", "https://example.com/x", "https://wa.me/15550001111", f"https://chat.whatsapp.com.evil.org/{CODE}",
     "https://chat.whatsapp.com/", "https://chat.whatsapp.com/ab", f"https://evil.org/chat.whatsapp.com/{CODE}"],
)  # fmt: skip
def test_what_is_no_link_is_none(url: str) -> None:
    assert decode_link(url) is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("info query returned status 403: forbidden", "forbidden"),
        ("info query returned status 406: not-acceptable", "invalid"),
        ("that group invite link has been revoked", "revoked"),
        ("that group invite link is not valid", "invalid"),
        ("you're not participating in that group", "not-a-member"),
        ("that group does not exist", "not-found"),
        ("you don't have the permission to get the group's invite link", "forbidden"),
        ("server returned error 429", "too-often"),
        ("something new", "refused"),
    ],
)
def test_refusals_have_a_word_for_why(error: str, code: str) -> None:
    failure = classify_answer(error, has_effect=True)
    assert (failure.code, failure.is_certain, failure.is_final) == (code, True, True)


@pytest.mark.parametrize("has_effect", [True, False])
def test_silence_is_uncertain_only_when_something_may_have_happened(has_effect: bool) -> None:
    assert classify_answer("info query timed out", has_effect=has_effect).is_certain is not has_effect
    assert classify_answer("websocket not connected", has_effect=has_effect).is_certain
