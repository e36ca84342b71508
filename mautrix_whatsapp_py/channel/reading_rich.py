"""Places, people, polls and the like, as text that a reader of the channel understands."""

from __future__ import annotations

from collections.abc import Iterable

from mautrix_whatsapp_py.channel.texts import without_marks
from mautrix_whatsapp_py.model.content import WaContent
from mautrix_whatsapp_py.model.rich import (
    WaCard,
    WaComment,
    WaContactCards,
    WaGroupInvite,
    WaLiveLocation,
    WaLocation,
    WaOccasion,
    WaPoll,
    WaPollResult,
)
from mautrix_whatsapp_py.model.wa_context import WaContext


def read_rich(content: WaContent) -> tuple[str, WaContext] | None:
    """The words for what is neither text nor file; None for what is no message of its own."""
    match content:
        case WaLocation(context=context):
            where = f"{content.latitude:.6f},{content.longitude:.6f}"
            return _join("<location>", content.name, content.address, where, content.comment, content.url), context
        case WaLiveLocation(context=context) if content.sequence <= 1:
            where = f"{content.latitude:.6f},{content.longitude:.6f}"
            return _join("<live location>", content.caption, where), context
        case WaContactCards(context=context):
            cards = (_read_card(card.name, card.text) for card in content.cards)
            return _join("<contacts>", content.title, *cards), context
        case WaPoll(context=context):
            return _join("<poll>", content.question, *_listed(content.options)), context
        case WaPollResult(context=context):
            votes = (f"{vote.option}: {vote.count}" for vote in content.votes)
            return _join("<poll result>", content.question, *_listed(votes)), context
        case WaGroupInvite(context=context):
            return _join("<invitation to a group>", content.name, content.caption), context
        case WaOccasion(context=context):
            start = "" if content.starts_at is None else content.starts_at.isoformat(timespec="minutes")
            words = (content.name, start, content.place, content.description, content.join_link)
            return _join("<event>", *words), context
        case WaComment(context=context):
            return without_marks(content.body), context
        case WaCard(context=context):
            shown = (content.title, content.body, content.footer, *content.details, *_listed(content.choices))
            return _join(f"<{content.kind}>", *shown, content.link), context
        case _:
            return None


def _join(kind: str, *words: str) -> str:
    return "\n".join([kind, *(without_marks(word) for word in words if word.strip())])


def _listed(words: Iterable[str]) -> list[str]:
    return [f"- {word}" for word in words]


def _read_card(name: str, card: str) -> str:
    """A name and its numbers."""
    numbers = [line.rpartition(":")[2].strip() for line in card.splitlines() if "TEL" in line.partition(":")[0]]
    return f"{name}: {', '.join(numbers)}" if numbers else name
