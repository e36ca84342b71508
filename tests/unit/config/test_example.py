"""The example is complete, explained, and says what the defaults are."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from mautrix_whatsapp_py.config.decode import decode_section
from mautrix_whatsapp_py.config.document import parse_yaml
from mautrix_whatsapp_py.config.example import example_text
from mautrix_whatsapp_py.config.findings import Findings
from mautrix_whatsapp_py.config.schema import Key, all_keys, dotted
from mautrix_whatsapp_py.config.tree import Config
from tests.unit.config.samples import problems_of

ROOT = Path(__file__).resolve().parents[3]
KEYS = list(all_keys())
EXAMPLE = YAML().load(example_text())


def test_example_is_the_file_at_the_root() -> None:
    assert example_text() == (ROOT / "example-config.yaml").read_text()


def test_example_equals_the_defaults() -> None:
    findings = Findings()
    decoded = decode_section(Config, parse_yaml(example_text()), (), findings)
    assert decoded == Config()
    assert findings == Findings()


def test_example_prints_on_every_terminal() -> None:
    assert example_text().isascii()


@pytest.mark.parametrize("key", KEYS, ids=lambda key: dotted(key.path))
def test_key_is_in_the_example_with_a_sentence_above_it(key: Key) -> None:
    node = EXAMPLE
    for name in key.path[:-1]:
        node = node[name]
    line = node.lc.key(key.path[-1])[0]
    comment = example_text().splitlines()[line - 1].strip()
    assert comment.startswith("# ")
    assert comment.endswith(".")


def test_example_is_refused_until_it_is_filled_in(tmp_path: Path) -> None:
    problems = [problem.split(":")[0] for problem in problems_of(tmp_path, example_text())]
    assert problems == [
        "homeserver.domain",
        "homeserver.address",
        "appservice.as_token",
        "appservice.hs_token",
        "bridge.permissions",
    ]
