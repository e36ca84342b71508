"""The container's script, run against a folder instead of in a container."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from mautrix_whatsapp_py.config.document import parse_yaml
from mautrix_whatsapp_py.config.edit import replace_values
from mautrix_whatsapp_py.config.environment import PREFIX
from mautrix_whatsapp_py.config.example import example_text
from mautrix_whatsapp_py.errors import ExitCode
from tests.unit.cli.commands import PLAIN_USER, ROOT, open_folder, python_path

SCRIPT = ROOT / "docker" / "entrypoint.sh"
# Stands for the program: writes what it is asked to, and tells who it was and how it was called.
PROGRAM = """\
#!/bin/sh
echo "$(id -u):$(id -g) $PWD $*"
case "$*" in
*--generate-example-config*) [ -z "${FAIL:-}" ] || exit "$FAIL"; touch "$DATA_FOLDER/config.yaml" ;;
*--generate-registration*) [ -z "${FAIL:-}" ] || exit "$FAIL"; touch "$DATA_FOLDER/registration.yaml" ;;
*) exit 42 ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Container:
    """A folder that holds the script, a program and the data."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(
        self, *words: str, env: Mapping[str, str] | None = None, user: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the script; as another user only when we are root."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        base = {"DATA_FOLDER": str(self.data), "BRIDGE_COMMAND": str(self.folder / "program")}
        is_switch = user is not None and os.geteuid() == 0
        return subprocess.run(
            [str(self.folder / "entrypoint.sh"), *words],
            env={**clean, **base, **(env or {})},
            cwd=self.folder,
            user=user if is_switch else None,
            group=user if is_switch else None,
            extra_groups=[] if is_switch else None,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def files(self) -> list[str]:
        return sorted(path.name for path in self.data.iterdir())


@pytest.fixture
def container() -> Iterator[Container]:
    """A fresh container, reachable for every user."""
    with open_folder() as folder:
        shutil.copy(SCRIPT, folder / "entrypoint.sh")
        program = folder / "program"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        (folder / "data").mkdir()
        (folder / "data").chmod(0o777)
        yield Container(folder)


def own_ids(uid: int) -> str:
    """Who a process is that was asked to be this user, root or not."""
    return f"{uid}:{uid}" if os.geteuid() == 0 else f"{os.geteuid()}:{os.getegid()}"


@pytest.mark.parametrize("user", [None, PLAIN_USER], ids=["as it is", "plain user"])
def test_three_starts_lead_to_a_running_bridge(container: Container, user: int | None) -> None:
    ids = own_ids(1337 if user is None else user)
    data = container.data

    first = container.start(user=user)
    assert first.returncode == 0
    assert container.files() == ["config.yaml"]
    assert f"{ids} {data} --generate-example-config --config {data}/config.yaml" in first.stderr
    assert "start the container again" in first.stderr

    second = container.start(user=user)
    assert second.returncode == 0
    assert container.files() == ["config.yaml", "registration.yaml"]
    called = f"--generate-registration --config {data}/config.yaml --registration {data}/registration.yaml"
    assert f"{ids} {data} {called}" in second.stderr
    assert "app_service_config_files" in second.stderr

    third = container.start("--ignore-foreign-tables", user=user)
    assert third.returncode == 42
    assert third.stdout == f"{ids} {data} --config {data}/config.yaml --ignore-foreign-tables\n"


@pytest.mark.parametrize("given", [[], ["config.yaml"]], ids=["configuration", "registration"])
def test_failure_to_write_is_passed_on_without_promises(container: Container, given: list[str]) -> None:
    for name in given:
        (container.data / name).touch()
    run = container.start(env={"FAIL": "20"}, user=PLAIN_USER)
    assert run.returncode == 20
    assert "start the container again" not in run.stderr
    assert container.files() == given


def test_program_may_be_several_words(container: Container) -> None:
    run = container.start(env={"BRIDGE_COMMAND": f"sh {container.folder}/program"}, user=PLAIN_USER)
    assert run.returncode == 0
    assert container.files() == ["config.yaml"]


def pretend_root(folder: Path) -> Mapping[str, str]:
    """Tools that say we are root and tell what root would have done."""
    tools = folder / "tools"
    tools.mkdir()
    for name, body in {"id": "echo 0", "chown": 'echo "chown $*"', "setpriv": 'echo "setpriv $*"'}.items():
        (tools / name).write_text(f"#!/bin/sh\n{body}\n")
        (tools / name).chmod(0o755)
    return {"PATH": f"{tools}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("ids", "owner"),
    [
        ({}, "1337:1337"),
        ({"UID": "500"}, "500:500"),
        ({"UID": "500", "GID": "600"}, "500:600"),
        ({"GID": "600"}, "1337:600"),
    ],
)
def test_root_hands_the_files_over_and_becomes_that_user(
    container: Container, ids: Mapping[str, str], owner: str
) -> None:
    run = container.start("--flag", env={**pretend_root(container.folder), **ids}, user=PLAIN_USER)
    uid, gid = owner.split(":")
    assert run.stdout.splitlines() == [
        f"chown -R {owner} {container.data}",
        f"setpriv --reuid={uid} --regid={gid} --clear-groups -- {container.folder}/entrypoint.sh --flag",
    ]


def test_root_may_stay_root_where_that_is_nobody_special(container: Container) -> None:
    run = container.start(env={**pretend_root(container.folder), "UID": "0"}, user=PLAIN_USER)
    assert run.returncode == 0
    assert "setpriv" not in run.stdout
    assert container.files() == ["config.yaml"]


def test_files_belong_to_the_user_that_was_asked_for(container: Container) -> None:
    container.start(env={"UID": "1500", "GID": "1600"})
    owner = (container.data / "config.yaml").stat()
    expected = (1500, 1600) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    assert (owner.st_uid, owner.st_gid) == expected


def test_real_program_writes_both_files_and_starts(tmp_path: Path) -> None:
    command = f"env PYTHONPATH={shlex.quote(python_path())} {sys.executable} -m mautrix_whatsapp_py"
    container = Container(tmp_path)
    shutil.copy(SCRIPT, tmp_path / "entrypoint.sh")
    container.data.mkdir()
    env = {"BRIDGE_COMMAND": command, "UID": str(os.geteuid()), "GID": str(os.getegid())}

    assert container.start(env=env).returncode == 0
    config = container.data / "config.yaml"
    assert config.read_text() == example_text()

    assert container.start(env=env).returncode == ExitCode.DOMAIN_UNSET
    assert container.files() == ["config.yaml"]
    config.write_text(replace_values(config.read_text(), {("homeserver", "domain"): "localhost"}))
    assert container.start(env=env).returncode == 0
    assert container.files() == ["config.yaml", "config.yaml.bak", "registration.yaml"]
    registration = parse_yaml((container.data / "registration.yaml").read_text())
    assert registration["as_token"] in config.read_text()

    third = container.start(env=env)
    assert third.returncode == ExitCode.CONFIG_INVALID
    assert [line.split(": ")[1] for line in third.stderr.splitlines()] == [
        "homeserver.address",
        "bridge.permissions",
    ]
