"""What the README says is true: its commands run, its tables are complete."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.figures import section
from mautrix_whatsapp_py.errors import ExitCode
from tests.homeserver.quickstart import STEPS
from tests.simulator.demo import CONTROL_PORT, DATA, guide

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PROGRAM = "mautrix-whatsapp-py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A command of the README and what the README shows of its output; `…` stands for anything."""

    command: str
    output: tuple[str, ...]


def shown_commands() -> Iterator[Shown]:
    for block in re.findall(r"^```console\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *output = part.splitlines()
            yield Shown(command=command, output=tuple(output))


COMMANDS = list(shown_commands())
MAKE = sorted({shown.command for shown in COMMANDS if shown.command.startswith("make ")})


def table_rows(heading: str) -> list[list[str]]:
    section_text = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in section_text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_its_commands_run_one_after_another_in_one_folder(tmp_path: Path) -> None:
    """Those of `make` have side effects on the checkout; the next test and CI look after them."""
    commands = [shown for shown in COMMANDS if shown.command not in MAKE]
    assert len(commands) > 5
    for shown in commands:
        words = shlex.split(shown.command)
        assert words[0] in (PROGRAM, "sed"), f"nobody runs {shown.command!r}: say here how"
        if words[0] == PROGRAM:
            words[:1] = [sys.executable, "-m", "mautrix_whatsapp_py"]
        run = subprocess.run(
            words,
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert run.returncode == 0, f"{shown.command}: {run.stdout}{run.stderr}"
        for line in shown.output:
            pattern = ".*".join(re.escape(piece) for piece in line.split("…"))
            assert re.search(pattern, run.stdout), f"{shown.command} printed {run.stdout!r}, not {line!r}"


@pytest.mark.parametrize("command", MAKE)
def test_its_make_targets_exist(command: str) -> None:
    words = shlex.split(command)
    run = subprocess.run(
        ["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr


def test_it_shows_what_quickstart_prints() -> None:
    assert STEPS.search(README)


def test_it_shows_what_the_demo_prints() -> None:
    assert "\n".join(guide(DATA, f"http://127.0.0.1:{CONTROL_PORT}")) in README


def test_it_lists_every_exit_code() -> None:
    rows = table_rows("Exit codes")
    assert [(int(row[0]), row[1].strip("`")) for row in rows] == [(code.value, code.name) for code in ExitCode]
    assert all(row[2] for row in rows)


def test_it_lists_every_flag() -> None:
    """The help is the truth."""
    run = [sys.executable, "-m", "mautrix_whatsapp_py", "--help"]
    text = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    in_help = set(re.findall(r"(?<!\w)--[a-z-]+[a-z]", text)) - {"--help"}
    in_table = set(re.findall(r"--[a-z-]+[a-z]", " ".join(row[0] for row in table_rows("Command line"))))
    assert in_table == in_help


def test_it_says_why_each_dependency_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *extras["local"], *extras["encryption"]]
    names = {re.split(r"[\[=<>~!]", item)[0] for item in declared} - {project["name"]}
    assert {row[0] for row in table_rows("Why each dependency is there")} == names


def test_its_figures_are_those_that_were_measured() -> None:
    assert section(ROOT / "bench" / "results") in README
