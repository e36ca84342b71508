"""Configurations for the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from mautrix_whatsapp_py.config import Loaded, read
from mautrix_whatsapp_py.errors import ConfigError

SMALLEST = """\
homeserver:
    address: http://127.0.0.1:8008
    domain: localhost
appservice:
    as_token: as-secret
    hs_token: hs-secret
bridge:
    permissions:
        "@me:localhost": admin
"""


def read_text_as_config(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> Loaded:
    """What the bridge makes of a text."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return read(path, env or {})


def problems_of(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> tuple[str, ...]:
    """The problems a text has."""
    return error_of(tmp_path, text, env).problems


def error_of(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> ConfigError:
    """The error a text causes."""
    with pytest.raises(ConfigError) as caught:
        read_text_as_config(tmp_path, text, env)
    return caught.value


def with_line(section: str, line: str, text: str = SMALLEST) -> str:
    """The smallest configuration with one more line in a section."""
    head = f"{section}:\n"
    return text.replace(head, f"{head}    {line}\n") if head in text else f"{text}{head}    {line}\n"
