"""Finds the key that was meant."""

from __future__ import annotations

from difflib import get_close_matches

from mautrix_whatsapp_py.config.schema import KeyPath, all_keys, dotted

CLOSE_ENOUGH = 0.6


def suggest_key(path: KeyPath) -> str | None:
    """The nearest key: the only namesake, else a sibling of nearly that name, else any of nearly that name."""
    keys = [key.path for key in all_keys()]
    namesakes = [known for known in keys if known[-1] == path[-1]]
    if len(namesakes) == 1:
        return dotted(namesakes[0])
    siblings = {known[-1]: known for known in keys if known[:-1] == path[:-1]}
    everywhere = {known[-1]: known for known in keys}
    for candidates in (siblings, everywhere):
        if match := get_close_matches(path[-1], candidates, n=1, cutoff=CLOSE_ENOUGH):
            return dotted(candidates[match[0]])
    return None


def unknown_key_text(path: KeyPath) -> str:
    """What is wrong with an unknown key, and the key that was meant."""
    meant = suggest_key(path)
    mend = f"did you mean {meant}?" if meant else "remove it"
    return f"is not a key of this bridge; {mend}"
