"""Polls: the two sides' names of options, and their text form with the votes so far. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from mautrix_whatsapp_py.convert.card_words import tell_moment
from mautrix_whatsapp_py.convert.text import Formatted, clean_line, escape
from mautrix_whatsapp_py.model.polls import MxPollOption, MxPollStart, PollOption, PollVote
from mautrix_whatsapp_py.model.rich import WaPoll, WaPollResult

MAX_OPTIONS: Final = 12
MAX_OPTION: Final = 100
"""Characters of an option on WhatsApp."""
MAX_QUESTION: Final = 255
_MOST_SHOWN: Final = 20
"""Options of a poll on Matrix."""
_MAX_SHOWN: Final = 340
_NOTHING: Final = "…"


def digest_of(option: str) -> bytes:
    """How votes on WhatsApp name an option."""
    return hashlib.sha256(option.encode("utf-8", "replace")).digest()


def to_poll_start(poll: WaPoll) -> MxPollStart:
    """A poll from WhatsApp as a poll on Matrix."""
    options: dict[str, MxPollOption] = {}
    for option in poll.options[:_MOST_SHOWN]:
        key = digest_of(option).hex()
        options.setdefault(key, MxPollOption(id=key, text=_shown(option)))
    shown = tuple(options.values())
    question = _shown(poll.question)
    most = poll.selectable if 0 < poll.selectable <= len(shown) else len(shown)
    start = MxPollStart(question=question, options=shown, max_selections=max(most, 1))
    return MxPollStart(
        question=question,
        options=shown,
        max_selections=start.max_selections,
        fallback=render_poll(start).body,
    )


def options_of(start: MxPollStart) -> tuple[PollOption, ...]:
    """How the two sides name the options of a poll that was made on Matrix."""
    return tuple(PollOption(id=option.id, digest=digest_of(option.text)) for option in start.options)


def known_options(poll: WaPoll) -> tuple[PollOption, ...]:
    """How the two sides name the options of a poll that was made on WhatsApp."""
    digests = dict.fromkeys(digest_of(option) for option in poll.options)
    return tuple(PollOption(id=digest.hex(), digest=digest) for digest in digests)


def ids_of(digests: Iterable[bytes], options: Sequence[PollOption]) -> tuple[str, ...]:
    """The options of a vote as Matrix names them."""
    names = {option.digest: option.id for option in options}
    return tuple(names.get(digest, digest.hex()) for digest in digests)


def count_votes(votes: Iterable[PollVote], options: Sequence[PollOption]) -> Mapping[str, int]:
    """How many chose each option, by its id on Matrix."""
    names = {option.digest: option.id for option in options}
    return Counter(names[digest] for vote in votes for digest in set(vote.digests) if digest in names)


def render_poll(
    start: MxPollStart,
    counts: Mapping[str, int] | None = None,
    *,
    voters: int = 0,
    note: str = "",
) -> Formatted:
    """The text form of a poll; with counts, the votes so far."""
    lines = [f"📊 {start.question}"]
    items: list[str] = []
    for number, option in enumerate(start.options, start=1):
        votes = "" if counts is None else f" – {_plural(counts.get(option.id, 0), 'vote')}"
        lines.append(f"{number}. {option.text}{votes}")
        items.append(f"<li>{escape(option.text)}{votes}</li>")
    if counts is not None:
        note = " ".join(filter(None, (f"{_plural(voters, 'person', 'people')} voted.", note)))
    elif not note and start.max_selections != 1:
        note = "Several answers are possible."
    body = "\n".join([*lines, *([note] if note else [])])
    tail = f"<p>{escape(note)}</p>" if note else ""
    html = f"<p><strong>📊 {escape(start.question)}</strong></p><ol>{''.join(items)}</ol>{tail}"
    return Formatted(body=body, html=html)


def note_of(poll: WaPoll) -> str:
    """What is to be known of a poll beside its options."""
    parts = []
    if poll.is_quiz:
        parts.append("This is a quiz.")
    if poll.selectable != 1:
        parts.append("Several answers are possible.")
    if poll.ends_at is not None:
        parts.append(f"It ends on {tell_moment(poll.ends_at)}.")
    return " ".join(parts)


def tell_result(result: WaPollResult) -> str:
    """The outcome that a channel publishes, in WhatsApp's markup."""
    lines = [f"📊 *{_shown(result.question)}*"]
    lines += [f"* {_shown(vote.option)} – {_plural(vote.count, 'vote')}" for vote in result.votes]
    return "\n".join(lines)


def _shown(text: str) -> str:
    return clean_line(text, _MAX_SHOWN) or _NOTHING


def _plural(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
