"""A file gets the keys it lacks, and nothing else in it moves."""

from __future__ import annotations

import difflib
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mautrix_whatsapp_py.config import upgrade
from mautrix_whatsapp_py.config.document import parse_yaml
from mautrix_whatsapp_py.config.edit import CannotEdit, add_missing_keys, replace_values
from mautrix_whatsapp_py.config.example import example_text
from mautrix_whatsapp_py.config.schema import KeyPath, all_keys

EXAMPLE = example_text()
VALUES = parse_yaml(EXAMPLE)
LEAVES = [key.path for key in all_keys() if not key.is_section]


def value_at(text: str, path: KeyPath) -> Any:
    node = parse_yaml(text)
    for name in path:
        node = node[name]
    return node


def means_the_example(text: str) -> bool:
    """Whether a text says what the example says; one that is the example need not be read for that."""
    return text == EXAMPLE or bool(parse_yaml(text) == VALUES)


def without(text: str, path: KeyPath) -> str:
    """The example without one key and its comment, by way of its lines."""
    lines = text.splitlines(keepends=True)
    start = next(
        number
        for number, line in enumerate(lines)
        if line.startswith("    " * (len(path) - 1) + f"{path[-1]}:")
        and _section_of(lines, number)[: len(path) - 1] == path[:-1]
    )
    end = start + 1
    while (
        end < len(lines) and lines[end].startswith("    " * len(path)) and not lines[end].lstrip().startswith("#")
    ):
        end += 1
    while lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return "".join(lines[:start] + lines[end:])


def _section_of(lines: list[str], number: int) -> KeyPath:
    path: dict[int, str] = {}
    for line in lines[: number + 1]:
        if line.strip() and not line.lstrip().startswith("#"):
            depth = (len(line) - len(line.lstrip())) // 4
            path = {level: name for level, name in path.items() if level < depth}
            path[depth] = line.strip().partition(":")[0]
    return tuple(path.values())


def added(before: str, after: str) -> list[str]:
    """The lines that came; AssertionError when one went."""
    changes = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    assert not [line for line in changes if line.startswith("- ")]
    return [line[2:] for line in changes if line.startswith("+ ")]


def test_complete_file_stays_as_it_is() -> None:
    assert add_missing_keys(EXAMPLE, EXAMPLE) == EXAMPLE


@pytest.mark.parametrize("path", LEAVES, ids=".".join)
def test_missing_key_returns_with_its_comment(path: KeyPath) -> None:
    text = without(EXAMPLE, path)
    after = add_missing_keys(text, EXAMPLE)
    # Whether it was without the key indeed.
    assert after != text
    assert means_the_example(after)
    assert sorted(after.splitlines()) == sorted(EXAMPLE.splitlines())


@settings(deadline=None, max_examples=25)
@given(st.sets(st.sampled_from(LEAVES)))
def test_any_set_of_missing_keys_returns(paths: set[KeyPath]) -> None:
    text = EXAMPLE
    for path in sorted(paths):
        text = without(text, path)
    after = add_missing_keys(text, EXAMPLE)
    assert means_the_example(after)
    assert add_missing_keys(after, EXAMPLE) == after
    added(text, after)


STYLED = """\
# My bridge, do not touch!
appservice:   # two spaces indent
  hs_token:  'b'   # from the server
  as_token: "a"

  bot: {username: bot}
  # Trailing remark of this section.

homeserver:
      domain: localhost # here
      address: >-
        http://127.0.0.1:8008

# Another remark.
bridge:
  permissions:
    '@me:localhost': admin # me
logging:
database: {}
unknown_to_us: [1, 2]"""


def test_style_comments_and_order_of_the_user_stay() -> None:
    after = add_missing_keys(STYLED, EXAMPLE)
    values = parse_yaml(after)
    assert values["homeserver"]["retry_limit"] == 4
    assert values["appservice"]["bot"]["displayname"] == "WhatsApp bridge bot"
    assert values["logging"] == {"min_level": "info", "format": "text", "file": None}
    assert values["bridge"]["permissions"] == {"@me:localhost": "admin"}
    assert values["whatsapp"]["sessions_per_host"] == 20
    changed = [line for line in STYLED.splitlines() if line not in after.splitlines()]
    assert changed == ["  bot: {username: bot}"]
    assert (
        "      # How often a request that the server could not take is sent again.\n      retry_limit: 4\n"
        in after
    )
    assert add_missing_keys(after, EXAMPLE) == after


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n",
        "homeserver: text\n" + EXAMPLE.replace("homeserver:", "unused:"),
        EXAMPLE.replace("    proxy: null\n", "    <<: {proxy: http://p}\n"),
    ],
    ids=["empty", "list", "section is text", "merged key"],
)
def test_what_cannot_be_completed_is_left_alone(text: str) -> None:
    assert add_missing_keys(text, EXAMPLE) == text


def test_windows_line_ends_stay() -> None:
    text = without(EXAMPLE, ("network", "proxy")).replace("\n", "\r\n")
    after = add_missing_keys(text, EXAMPLE)
    assert parse_yaml(after) == parse_yaml(EXAMPLE)
    assert after.count("\r\n") == text.count("\r\n")


TOKEN = ("appservice", "as_token")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("as_token: x  # why", 'as_token: "new"  # why'),
        ("as_token: 'x: #'", 'as_token: "new"'),
        ("as_token:", 'as_token: "new"'),
        ("as_token: # why", 'as_token: "new" # why'),
        ("as_token: null", 'as_token: "new"'),
        ('"as_token" : x', '"as_token" : "new"'),
        ("as_token: {a: b}", 'as_token: "new"'),
        ("as_token: |\n        x", 'as_token: "new"'),
    ],
)
def test_value_is_replaced_and_nothing_else(before: str, after: str) -> None:
    frame = "# top\nappservice:\n    {}\n    # next\n    hs_token: y\n"
    assert replace_values(frame.format(before), {TOKEN: "new"}) == frame.format(after)


def test_value_in_a_one_line_section_is_replaced() -> None:
    assert replace_values("appservice: {as_token: x, id: y}", {TOKEN: "n"}) == 'appservice: {as_token: "n", id: y}'


def test_group_of_values_is_replaced() -> None:
    permissions = {"*": "relay", "@ü:hs": "admin"}
    after = replace_values(EXAMPLE, {("bridge", "permissions"): permissions})
    assert value_at(after, ("bridge", "permissions")) == permissions
    assert "# How the bridge appears to WhatsApp" in after


@pytest.mark.parametrize(
    "text",
    [
        "appservice:\n    id: x\n",
        "appservice: 5\n",
        "other: &t x\nappservice:\n    as_token: *t\n",
        "appservice:\n    as_token: &t x\n    hs_token: *t\n",
        "",
    ],
    ids=["absent", "no section", "alias", "anchor", "empty"],
)
def test_value_that_cannot_be_replaced_is_named(text: str) -> None:
    with pytest.raises(CannotEdit, match=r"appservice\.as_token"):
        replace_values(text, {TOKEN: "new"})


def test_upgrade_keeps_a_copy_and_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    before = without(EXAMPLE, ("network", "proxy"))
    path.write_text(before)
    path.chmod(0o640)
    assert upgrade(path)
    assert path.read_text() == EXAMPLE
    backup = tmp_path / "config.yaml.bak"
    assert backup.read_text() == before
    assert [stat.S_IMODE(file.stat().st_mode) for file in (path, backup)] == [0o640, 0o640]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.yaml", "config.yaml.bak"]


def test_nothing_is_written_when_nothing_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(EXAMPLE)
    inode = path.stat().st_ino
    assert not upgrade(path)
    assert path.stat().st_ino == inode
    assert list(tmp_path.iterdir()) == [path]
