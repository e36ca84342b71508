"""Whether a chat is bridged; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mautrix_whatsapp_py.model.filtering import EVERYTHING, ChatFacts, ChatTrait, FilterRule

TRAITS = frozenset(trait.value for trait in ChatTrait)


def is_wanted(facts: ChatFacts, *layers: Sequence[FilterRule]) -> bool:
    """Whether a chat is let in.

    Earlier layers win over later ones; within one, what names a chat wins over its traits, those over its kind,
    and that over `all`. What no rule speaks of is let in.
    """
    for rules in layers:
        verdict = _judge(facts, {rule.subject: rule.is_allowed for rule in rules})
        if verdict is not None:
            return verdict
    return True


def wants_traits(*layers: Iterable[FilterRule]) -> bool:
    """Whether any rule looks at traits, which cost a question."""
    return any(rule.subject in TRAITS for rules in layers for rule in rules)


def _judge(facts: ChatFacts, verdicts: dict[str, bool]) -> bool | None:
    named = [verdicts[chat] for chat in facts.ids if chat in verdicts]
    traits = [verdicts[trait.value] for trait in facts.traits if trait.value in verdicts]
    for found in (named, traits):
        if found:
            return all(found)
    return verdicts.get(facts.kind.value, verdicts.get(EVERYTHING))
