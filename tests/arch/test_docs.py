"""Documents tell the truth: links lead somewhere, command lines are understood, snippets fit the program."""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mautrix_whatsapp_py.cli.entry import _parser
from mautrix_whatsapp_py.config.tree import Config
from mautrix_whatsapp_py.errors import ExitCode

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PROGRAM = "mautrix-whatsapp-py"
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^ *```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.DOTALL | re.MULTILINE)
_PROMPT = re.compile(
    r"^(?:\$ )?(?:sudo -u \S+ )?(?:docker compose \S+ (?:--rm )?\S+ )?(?P<line>(?:/\S+/)?[\w-]+ .*)$"
)

_SENT = re.compile(
    r"(?:(?:\b[Ss]end(?:s|ing)?|\bsaid|\bsay|the bot|the command)\s`(?:!wa )?|`!wa )([a-z]+(?:-[a-z]+)*)(?=[ `])"
)
"""Words that are sent to the bot."""


def ids(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


def command_lines(page: Path) -> Iterator[list[str]]:
    """Lines of code blocks that call the program or make."""
    for _, block in _BLOCK.findall(page.read_text()):
        for line in block.splitlines():
            found = _PROMPT.match(line.strip())
            name = Path(found["line"].split()[0]).name if found else ""
            if found and name in (PROGRAM, "make"):
                words = shlex.split(found["line"], comments=True)[1:]
                # What a program prints begins with its name, too.
                if words != ["…"]:
                    yield [name, *words]


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text()):
        if target.startswith(("http://", "https://", "#", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve()
        assert place.exists(), f"{page.name} leads to {target}"
        if anchor:
            assert anchor in anchors(place), f"{page.name} leads to {target}"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_command_lines_are_understood(page: Path) -> None:
    for name, *words in command_lines(page):
        if name == "make":
            run = ["make", "-n", *(word for word in words if not word.startswith("#"))]
            assert subprocess.run(run, cwd=ROOT, capture_output=True, check=False).returncode == 0, run
            continue
        # Only --help ends here; words that are wrong raise another error.
        with suppress(SystemExit):
            _parser().parse_args(words)


def test_enough_command_lines_are_found() -> None:
    assert sum(1 for page in PAGES for _ in command_lines(page)) > 20


def test_pages_are_reached_from_the_readme() -> None:
    linked = set(_LINK.findall((ROOT / "README.md").read_text()))
    for page in PAGES:
        if page.parent.name == "docs":
            assert f"docs/{page.name}" in linked, f"{page.name} is linked nowhere in the README"


def test_commands_that_users_are_told_of_exist() -> None:
    sources = [path.read_text() for path in (ROOT / "mautrix_whatsapp_py" / "commands").glob("*.py")]
    known = {
        name for source in sources for name in re.findall(r'\b(?:name=|NAME = |COMMAND = )"([a-z-]+)"', source)
    }
    told = re.findall(r"`([a-z]+(?:-[a-z]+)*)(?: [^`]*)?`", table_of("users.md"))
    sent = [name for page in PAGES for name in _SENT.findall(page.read_text())]
    assert len(told) > 10
    assert len(sent) > 10
    assert set(told) | set(sent) <= known


def table_of(name: str) -> str:
    return "\n".join(line for line in (ROOT / "docs" / name).read_text().splitlines() if line.startswith("|"))


def test_the_service_unit_fits_the_program() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "docker" / "systemd" / f"{PROGRAM}.service")
    service = unit["Service"]
    _, *words = shlex.split(service["ExecStart"])
    assert str(_parser().parse_args(words).config) == "/var/lib/mautrix-whatsapp-py/config.yaml"
    fatal = {int(code) for code in service["RestartPreventExitStatus"].split()}
    assert fatal <= {code.value for code in ExitCode}
    passing = {ExitCode.PING_FAILED, ExitCode.DATABASE_UNAVAILABLE, ExitCode.TOKEN_REFUSED}
    assert not fatal & {*passing, ExitCode.HOMESERVER_UNREACHABLE, ExitCode.CRASHED}
    hardened = {"NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "UMask": "0077"}
    assert {name: service[name] for name in hardened} == hardened


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_proxies_pass_on_what_is_served(name: str) -> None:
    text = (ROOT / "docker" / "reverse-proxy" / name).read_text()
    config = Config()
    for part in ("/login/", config.provisioning.prefix, f"127.0.0.1:{config.appservice.port}"):
        assert part in text
    assert text.count("{") == text.count("}")
