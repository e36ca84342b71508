"""Values from the environment: MAUTRIX_WHATSAPP_<SECTION>__<KEY>, and …_FILE for a file that holds one."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mautrix_whatsapp_py.config.document import NotYaml, parse_yaml
from mautrix_whatsapp_py.config.findings import Findings
from mautrix_whatsapp_py.config.reference import is_reference_key
from mautrix_whatsapp_py.config.schema import Key, KeyPath, all_keys
from mautrix_whatsapp_py.errors import ExitCode

PREFIX = "MAUTRIX_WHATSAPP_"
FILE_SUFFIX = "_FILE"
SEPARATOR = "__"


def name_of(path: KeyPath) -> str:
    """The variable that overrides a key."""
    return PREFIX + SEPARATOR.join(path).upper()


def apply_environment(raw: dict[str, Any], env: Mapping[str, str], findings: Findings) -> None:
    """Put the environment's values over those of the file."""
    keys = {name_of(key.path): key for key in all_keys()}
    # A section first, then its keys: the more specific variable wins.
    for name in sorted(name for name in env if name.startswith(PREFIX)):
        if name in keys:
            _override(raw, keys[name], name, env[name], findings)
        elif name.endswith(FILE_SUFFIX) and name.removesuffix(FILE_SUFFIX) in keys:
            _override_from_file(raw, keys[name.removesuffix(FILE_SUFFIX)], name, env, findings)
        elif SEPARATOR in name:
            _note_unknown(raw, name, env[name], keys, findings)
        # Others are not ours: Kubernetes sets MAUTRIX_WHATSAPP_PORT for a service of the bridge's name.


def overridden(env: Mapping[str, str], path: KeyPath) -> str | None:
    """The variable that gives this very key its value, if one does."""
    names = (name_of(path), name_of(path) + FILE_SUFFIX)
    return next((name for name in names if name in env), None)


def _override_from_file(
    raw: dict[str, Any], key: Key, name: str, env: Mapping[str, str], findings: Findings
) -> None:
    plain = name.removesuffix(FILE_SUFFIX)
    if plain in env:
        findings.add((name,), f"is set, and so is {plain}; keep one of them")
        return
    try:
        text = Path(env[name]).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError):
        problem = f"names a file that cannot be read: {env[name]}"
        findings.add((name,), problem, code=ExitCode.CONFIG_UNREADABLE)
        return
    _override(raw, key, name, text, findings)


def _override(raw: dict[str, Any], key: Key, name: str, text: str, findings: Findings) -> None:
    value: Any = text
    if not key.is_text:
        try:
            value = parse_yaml(text)
        except NotYaml as error:
            findings.add((name,), f"{error}; correct its value")
            return
    elif not text:
        value = None
    _put(raw, key.path, value)


def _put(raw: dict[str, Any], path: KeyPath, value: Any) -> None:
    """Set a value; a group of keys is laid over what is there, permissions and lists replace it."""
    node = raw
    for name in path[:-1]:
        inner = node.get(name)
        if inner is None:
            inner = node[name] = {}
        if not isinstance(inner, dict):
            return  # reported when the section is decoded
        node = inner
    here = node.get(path[-1])
    if isinstance(value, dict) and isinstance(here, dict) and path[-1] != "permissions":
        for name, inner in value.items():
            _put(here, (name,), inner)
    else:
        node[path[-1]] = value


def _note_unknown(raw: dict[str, Any], name: str, text: str, keys: Mapping[str, Key], findings: Findings) -> None:
    path = tuple(name.removeprefix(PREFIX).removesuffix(FILE_SUFFIX).lower().split(SEPARATOR))
    if is_reference_key(path):
        _put(raw, path, text)
        return
    match = get_close_matches(name, keys, n=1, cutoff=0.6)
    mend = f"did you mean {match[0]}?" if match else "remove it"
    findings.add((name,), f"is not a key of this bridge; {mend}")
