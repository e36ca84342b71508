"""Finds the key that was meant."""

from __future__ import annotations

from difflib import get_close_matches

from mautrix_whatsapp_py.config.schema import KeyPath, all_keys, dotted

CLOSE_ENOUGH = 0.6


def suggest_key(path: KeyPath) -> str | None:
    """The nearest key: a namesake elsewhere, a sibling, or the nearest of all."""
    keys = [key.path for key in all_keys()]
    namesakes = [known for known in keys if known[-1] == path[-1]]
    if len(namesakes) == 1:
        return dotted(namesakes[0])
    siblings = {known[-1]: known for known in keys if known[:-1] == path[:-1]}
    if match := get_close_matches(path[-1], siblings, n=1, cutoff=CLOSE_ENOUGH):
        return dotted(siblings[match[0]])
    match = get_close_matches(dotted(path), [dotted(known) for known in keys], n=1, cutoff=CLOSE_ENOUGH)
    return match[0] if match else None


def unknown_key_text(path: KeyPath) -> str:
    """What is wrong with an unknown key, and the key that was meant."""
    meant = suggest_key(path)
    mend = f"did you mean {meant}?" if meant else "remove it"
    return f"is not a key of this bridge; {mend}"
