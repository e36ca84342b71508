"""A key nobody knows is an error that names the one that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.samples import SMALLEST, problems_of, with_line

MEANT = {
    "sibling": ("homeserver", "adress: x", "homeserver.adress", "did you mean homeserver.address?"),
    "other section": ("homeserver", "hs_token: x", "homeserver.hs_token", "did you mean appservice.hs_token?"),
    "old place": (
        "bridge",
        "username_template: x",
        "bridge.username_template",
        "did you mean appservice.username_template?",
    ),
    "inner sibling": (
        "appservice",
        "bot: {user_name: x}",
        "appservice.bot.user_name",
        "did you mean appservice.bot.username?",
    ),
    "inner namesake": (
        "appservice",
        "bot: {display_name: x}",
        "appservice.bot.display_name",
        "did you mean appservice.bot.displayname?",
    ),
    "nothing near": ("network", "zzzzzz: 1", "network.zzzzzz", "remove it"),
    "number": ("network", "1: 2", "network.1", "remove it"),
    "not a key of the file": ("data_folder", "a: b", "data_folder", "remove it"),
}


@pytest.mark.parametrize(("section", "line", "path", "mend"), MEANT.values(), ids=MEANT.keys())
def test_unknown_key_fails_with_the_nearest(tmp_path: Path, section: str, line: str, path: str, mend: str) -> None:
    problems = problems_of(tmp_path, with_line(section, line))
    assert problems == (f"{path}: is not a key of this bridge; {mend}",)


def test_unknown_section_fails_with_the_nearest(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, SMALLEST + "loging:\n    min_level: info\n")
    assert problems == ("loging: is not a key of this bridge; did you mean logging?",)
