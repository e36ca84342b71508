"""Facts and messages the converter tests speak of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import msgspec

from mautrix_whatsapp_py.convert.context import ToMatrixContext, ToWhatsAppContext, WaTarget
from mautrix_whatsapp_py.ids import MxEventId, MxUserId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import WaMessageRef
from mautrix_whatsapp_py.model.people import MxPerson
from mautrix_whatsapp_py.model.wa import WaSource, WaUndecryptable

GROUP = WaJid(user="120363000000000001", server="g.us")
ALICE = WaJid(user="12", server="lid")
BOB = WaJid(user="123", server="lid")
CAROL = WaJid(user="4915112345678", server="s.whatsapp.net")
ALICE_MX = MxUserId("@whatsapp_12:hs")
BOB_MX = MxUserId("@whatsapp_123:hs")
CAROL_MX = MxUserId("@carol:hs")
PEOPLE: Mapping[WaJid, MxPerson] = {
    ALICE: MxPerson(user_id=ALICE_MX, name="Alice"),
    BOB: MxPerson(user_id=BOB_MX, name="Bob <b>"),
    CAROL: MxPerson(user_id=CAROL_MX, name="Carol"),
}
ADDRESSED: Mapping[MxUserId, WaJid] = {person.user_id: jid for jid, person in PEOPLE.items()}
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
EVENT = MxEventId("$event")
REF = WaMessageRef(chat=GROUP, message_id=WaMessageId("3EB0AA"), sender=ALICE)
TO_MATRIX = ToMatrixContext(chat=GROUP, sender=ALICE, sender_user=ALICE_MX, people=PEOPLE)
UNDECRYPTABLE = WaUndecryptable(
    source=WaSource(chat=GROUP, sender=ALICE), message_id=WaMessageId("3EB0AA"), timestamp=NOON
)
TO_WHATSAPP = ToWhatsAppContext(chat=GROUP, written_at=NOON, now=NOON, addressed=ADDRESSED)


def pill(user_id: str, name: str) -> str:
    return f'<a href="https://matrix.to/#/{user_id}">{name}</a>'


def own_target(*, age: timedelta = timedelta(), is_own: bool = True) -> WaTarget:
    return WaTarget(ref=REF, sent_at=NOON - age, is_own=is_own)


def with_target(target: WaTarget, *, waited: timedelta = timedelta()) -> ToWhatsAppContext:
    return replace(TO_WHATSAPP, target=target, now=NOON + waited)


class _Checker(HTMLParser):
    """Fails on tags that do not close in order and on ones a message has no use for."""

    allowed = frozenset({"a", "blockquote", "br", "code", "del", "em", "li", "ol", "p", "pre", "strong", "ul"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.allowed, tag
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)


def require_well_formed(html: str | None) -> None:
    """Every tag is one we write, and closes what was opened last."""
    checker = _Checker()
    checker.feed(html or "")
    checker.close()
    assert checker.open == []


def replace(value: Any, **changes: Any) -> Any:
    """The same with changes, of a dataclass or of a struct."""
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(value, **changes)
    return dataclasses.replace(value, **changes)
