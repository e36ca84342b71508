"""What about a group message wakes its reader."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import regex

from mautrix_whatsapp_py.channel.policy import Trigger
from mautrix_whatsapp_py.config.channel import Activation
from mautrix_whatsapp_py.ids import WaJid

PATTERN_SECONDS = 0.05
MAX_PATTERN = 500
_COMMAND = re.compile(r"/activation\s+(mention|always)", re.IGNORECASE)


class BadPattern(ValueError):
    """The text is no regular expression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """Regular expressions that count as a mention."""

    compiled: tuple[regex.Pattern[str], ...] = ()

    def match(self, text: str) -> bool:
        """Whether one is found; one that takes too long is not."""
        return any(_finds(pattern, text) for pattern in self.compiled)


def compile_patterns(patterns: Sequence[str]) -> Patterns:
    """Ready the patterns of a configuration; BadPattern names its position in the list."""
    compiled: list[regex.Pattern[str]] = []
    for number, pattern in enumerate(patterns, start=1):
        if len(pattern) > MAX_PATTERN:
            raise BadPattern(f"pattern {number} is longer than {MAX_PATTERN} characters")
        try:
            compiled.append(regex.compile(pattern, regex.IGNORECASE))
        except regex.error:
            raise BadPattern(f"pattern {number} is no regular expression") from None
    return Patterns(compiled=tuple(compiled))


def _finds(pattern: regex.Pattern[str], text: str) -> bool:
    try:
        return pattern.search(text, timeout=PATTERN_SECONDS) is not None
    except TimeoutError:
        return False


def find_trigger(
    *,
    text: str,
    mentions: frozenset[WaJid],
    quoted_sender: WaJid | None,
    own: frozenset[WaJid],
    patterns: Patterns,
    ignores_mentions: bool = False,
) -> Trigger:
    """What of a group message addresses the account; `own` are its addresses, number and LID."""
    return Trigger(
        is_mentioned=not ignores_mentions and bool({one.bare for one in mentions} & own),
        matches_pattern=patterns.match(text),
        answers_us=quoted_sender is not None and quoted_sender.bare in own,
    )


def parse_activation(text: str) -> Activation | None:
    """The choice in a message that is nothing but the command."""
    match = _COMMAND.fullmatch(text.strip())
    return Activation(match[1].lower()) if match is not None else None
