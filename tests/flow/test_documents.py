"""Every command line of the program in every document is carried out, where it would be typed."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from mautrix_whatsapp_py.cli import main
from mautrix_whatsapp_py.errors import ExitCode
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import SqliteAddress
from tests.arch.test_docs import PAGES, PROGRAM, command_lines
from tests.flow.channel_desk import TOKEN, desk_of, number
from tests.homeserver import Registration
from tests.homeserver.runner import BridgeProcess
from tests.postgres import Postgres
from tests.takeover.old import OldDatabase, fill_bridgev2
from tests.takeover.test_command import CURRENT

ROOT = Path(__file__).parents[2]
README = "README.md"
"""Its commands are run by tests/arch/test_readme.py, together with what it shows of their output."""
LASTING = {
    ("channel", "run"): ("tests/flow/channel_stage.py", "run = "),
    ("channel", "serve"): ("tests/flow/test_channel_alone.py", 'run("serve"'),
}
"""Commands that go on until they are stopped, and the tests that start them as programs."""
Run = Callable[..., Awaitable[None]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an operator types; the bridge's own folder with a configuration that nobody answers to."""
    monkeypatch.chdir(tmp_path)
    registration = Registration(url="http://127.0.0.1:9")
    BridgeProcess(
        tmp_path,
        homeserver_url="http://127.0.0.1:9",
        registration=registration,
        port=9,
        database_uri="sqlite:///bridge.db",
    )
    return tmp_path


@pytest.fixture
def database(postgres: Postgres, postgres_template: str) -> Iterator[Callable[[bool], str]]:
    """Makes databases, with our tables or empty."""
    made: list[str] = []

    def make(has_tables: bool) -> str:
        made.append(f"test_{uuid4().hex}")
        return postgres.create_database(made[-1], template=postgres_template if has_tables else None)

    yield make
    for name in made:
        postgres.drop_database(name)


def lines_of(name: str) -> list[list[str]]:
    """The program's command lines on a page."""
    page = next(page for page in PAGES if page.name == name)
    return [words for program, *words in command_lines(page) if program == PROGRAM]


async def carry_out(words: list[str], *, code: int = ExitCode.OK) -> None:
    assert await asyncio.to_thread(main, words) == code, words


def test_every_page_with_commands_is_carried_out_here() -> None:
    pages = {page.name for page in PAGES if lines_of(page.name)}
    assert pages - {README} == set(re.findall(r'lines_of\("([\w.-]+)"\)', Path(__file__).read_text()))


async def test_backup(folder: Path, sqlite_template: Path, database: Callable[[bool], str]) -> None:
    shutil.copy(sqlite_template, folder / "bridge.db")
    back_up, restore, copy = lines_of("backup.md")
    await carry_out(_below(folder, back_up))
    assert (folder / "backups" / "whatsapp-today" / "manifest.json").is_file()
    await carry_out(_below(folder, restore))
    restored = folder / "srv" / "whatsapp" / "config.yaml"
    assert restored.read_text() == (folder / "config.yaml").read_text()
    assert copy[-1].startswith("postgresql://")
    await carry_out([*copy[:-1], database(False)])


async def test_scale(folder: Path, postgres: Postgres, database: Callable[[bool], str]) -> None:
    uri = database(True)
    config = json.loads((folder / "config.yaml").read_text())
    config |= {"database": {"uri": uri}, "cluster": {"enabled": True}}
    (folder / "config.yaml").write_text(json.dumps(config))
    name = re.search(r"test_\w+", uri)
    assert name
    now = "CAST(extract(epoch FROM now()) * 1000 AS BIGINT)"
    worker = f"INSERT INTO workers VALUES ('w1', 'holder', '0', {now}, {now}, false)"
    lease = f"INSERT INTO leases VALUES ('bridge', 1, 'holder', {now}, {now} + 60000)"
    for statement in (worker, lease):
        postgres.execute(statement, database=name[0])
    for words in lines_of("scale.md"):
        await carry_out(words)
    assert postgres.execute("SELECT is_draining FROM workers", database=name[0]) == [(True,)]


async def test_importing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = folder / "path" / "to" / "old"
    old.mkdir(parents=True)
    (old / "config.yaml").write_text(CURRENT)
    fill_bridgev2(OldDatabase(address=SqliteAddress(path=old / "old.db")))
    for words in lines_of("importing.md"):
        await carry_out(_below(folder, words))
    assert "messages: 20 of 21" in capsys.readouterr().out


async def test_installation(folder: Path) -> None:
    (folder / "config.yaml").unlink()
    (folder / "registration.yaml").unlink()
    example, registration, doctor = lines_of("install.md")
    await carry_out(example)
    _fill_in(folder / "config.yaml")
    await carry_out(registration)
    assert (folder / "registration.yaml").is_file()
    # Nothing answers here, which it finds.
    await carry_out(doctor, code=ExitCode.UNWELL)


async def test_double_puppets(folder: Path) -> None:
    (folder / "config.yaml").unlink()
    (folder / "registration.yaml").unlink()
    await carry_out(["-e"])
    _fill_in(folder / "config.yaml")
    (words,) = lines_of("double-puppets.md")
    await carry_out(words)
    assert "as_token" in (folder / "doublepuppet.yaml").read_text()


@pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
async def test_channel(folder: Path, store: Store) -> None:
    (folder / "config.yaml").unlink()
    carried_out = []
    async with desk_of(store, folder / "desk") as desk:
        await desk.hear("let me in", sender=number("15550009999"))
        _, pending = await desk.call("GET", "/v1/pairing")
        for words in lines_of("channel.md"):
            if tuple(words[:2]) in LASTING:
                continue
            if words[-2:-1] == ["approve"]:
                words[-1] = pending["requests"][0]["code"]
            await carry_out(words)
            carried_out.append(words)
            if words == ["-e"]:
                # From here on the channel of this process is meant.
                channel = {"bridge_url": str(desk.http.make_url("/bridge")), "token": TOKEN}
                (folder / "config.yaml").write_text(json.dumps({"channel": channel}))
        _, pending = await desk.call("GET", "/v1/pairing")
    assert len(carried_out) == 3
    assert pending["requests"] == []


def test_commands_that_last_are_started_elsewhere() -> None:
    lasting = {tuple(words[:2]) for words in lines_of("channel.md")} & LASTING.keys()
    assert lasting == LASTING.keys()
    for words, (path, start) in LASTING.items():
        assert start in (ROOT / path).read_text(), f"{path} does not start {words}"


def _below(folder: Path, words: list[str]) -> list[str]:
    """Absolute paths of a page below a folder of ours."""
    return [f"{folder}{word}" if word.startswith("/") else word for word in words]


def _fill_in(config: Path) -> None:
    """As the page says: what is marked example.com, and who may use the bridge."""
    text = (
        config.read_text().replace("https://example.com", "http://127.0.0.1:9").replace("example.com", "localhost")
    )
    config.write_text(text)
