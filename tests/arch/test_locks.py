"""The lock files: complete, hashed, of one mind, and free of anybody's machine."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)", flags=re.MULTILINE)
LOCKS = ("run", "local", "test")


def text_of(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def pins(name: str) -> set[tuple[str, str]]:
    return {(found["name"], found["version"]) for found in PIN.finditer(text_of(name))}


def declared(name: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = {
        "run": project["dependencies"],
        "local": [*project["dependencies"], *extras["local"]],
        "test": [*project["dependencies"], *(line for extra in extras.values() for line in extra)],
    }[name]
    return [Requirement(line) for line in lines if not line.startswith("mautrix-whatsapp-py")]


@pytest.mark.parametrize("name", LOCKS)
def test_every_declared_package_is_pinned_within_its_bounds(name: str) -> None:
    pinned = dict(pins(name))
    for requirement in declared(name):
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} is pinned to {version}: make lock"


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_a_hash_and_nothing_names_a_place(name: str) -> None:
    text = text_of(name)
    assert "/" not in text
    assert not re.search(r"^\s*(#|-)(?!-hash)", text, flags=re.MULTILINE)
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in block, block


def test_one_environment_can_hold_all_three() -> None:
    assert pins("run") <= pins("local") <= pins("test")
