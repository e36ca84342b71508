"""Reads YAML documents; an error never shows what they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node

from mautrix_whatsapp_py.errors import ConfigError, ExitCode


class NotYaml(ValueError):
    """The text is not YAML."""


def parse_yaml(text: str) -> Any:
    """Plain values of a YAML 1.2 text; NotYaml says where it is wrong."""
    try:
        # Only the pure reader follows YAML 1.2, where `no` and `on` are words.
        return YAML(typ="safe", pure=True).load(text)
    except DuplicateKeyError as error:
        raise NotYaml(f"has the same key twice{_place(error)}") from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise NotYaml(f"is not valid YAML{_place(error)}") from None


def compose_yaml(text: str) -> Node | None:
    """The nodes of a YAML text that parse_yaml accepts, with their places in it."""
    node: Node | None = YAML(typ="safe", pure=True).compose(text)
    return node


def read_text(path: Path) -> str:
    """The text of a file with its line ends as they are; ConfigError when there is none to be had."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        problem = "does not exist; write one with --generate-example-config"
    except IsADirectoryError:
        problem = "is a folder; name the file with --config"
    except PermissionError:
        problem = "may not be read by this user; change its owner or mode"
    except UnicodeDecodeError:
        problem = "is not UTF-8 text; save it as UTF-8"
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); check the path"
    raise ConfigError([f"{path}: {problem}"], code=ExitCode.CONFIG_UNREADABLE)


def parse_document(text: str, path: Path) -> dict[str, Any]:
    """The sections of a configuration's text; ConfigError names the file and the line."""
    try:
        raw = parse_yaml(text)
    except NotYaml as error:
        problem = f"{path}: {error}; correct it there"
        raise ConfigError([problem], code=ExitCode.CONFIG_UNREADABLE) from None
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        problem = f"{path}: holds no sections; compare it with the output of -e -c -"
        raise ConfigError([problem], code=ExitCode.CONFIG_UNREADABLE)
    return raw


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None) if isinstance(error, MarkedYAMLError) else None
    return f" in line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
