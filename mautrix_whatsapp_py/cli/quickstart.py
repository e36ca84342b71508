"""`quickstart`: a running bridge from nothing, with a homeserver of its own where there is none."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from mautrix_whatsapp_py.cli import run as run_command
from mautrix_whatsapp_py.cli.arguments import PROGRAM, Subparsers
from mautrix_whatsapp_py.cli.generate import FirstSettings, write_first_files
from mautrix_whatsapp_py.config import Config, load
from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.ops.local_place import HOST, SERVER_NAME, USER, is_port_free, is_synapse_installed

HOMESERVER_PORT = 8008
BRIDGE_PORT = 29318


def add_parser(subparsers: Subparsers) -> None:
    """Make `quickstart` known to the command line."""
    parser = subparsers.add_parser(
        "quickstart", help="start a bridge and, where there is none, a homeserver for it"
    )
    keep = "where everything is kept (default: data)"
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER", help=keep)


def run(args: argparse.Namespace) -> int:
    """Write what is missing, start what is needed; the exit code."""
    return start(args.data)


def start(data: Path, *, also: Sequence[str] = ()) -> int:
    """`quickstart` on a folder, with more lines behind the five that say what to do next; the exit code."""
    ensure_files(data)
    config_path = data / "config.yaml"
    config = load(config_path, os.environ)
    port = _local_port(config, data)
    if port is None:
        return run_command.run(argparse.Namespace(config=config_path))
    _require_synapse()
    _require_registration(data)
    # Loads an HTTP client, which the rest of the command line does without.
    from mautrix_whatsapp_py.cli.local_stack import run_both

    return run_both(config, data, port, regenerate=_generate_registration(data), also=also)


def ensure_files(data: Path) -> None:
    """Write the configuration and the registration of a folder that has none."""
    if not (data / "config.yaml").exists():
        _write_first_files(data)


def choose_port(preferred: int) -> int:
    """The usual port, or another when that is taken."""
    if is_port_free(preferred):
        return preferred
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


def _write_first_files(data: Path) -> None:
    _require_synapse()
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data / "homeserver").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StartupError(
            f"{data} cannot be written ({error.strerror})",
            mend="let this user write there, or choose another folder with --data",
            code=ExitCode.DATA_FOLDER,
        ) from None
    # Ports are chosen once: the configuration keeps them from then on.
    settings = FirstSettings(
        homeserver_address=f"http://{HOST}:{choose_port(HOMESERVER_PORT)}",
        homeserver_domain=SERVER_NAME,
        admin=MxUserId(f"@{USER}:{SERVER_NAME}"),
        appservice_port=choose_port(BRIDGE_PORT),
    )
    files = write_first_files(data, settings)
    print(f"{files.config} and {files.registration} are written")


def _local_port(config: Config, data: Path) -> int | None:
    """The port of the homeserver that lives in the data folder; None when another one is configured."""
    address = urlsplit(config.homeserver.address)
    is_local = address.hostname == HOST and config.homeserver.domain == SERVER_NAME
    return address.port if is_local and (data / "homeserver").is_dir() else None


def _require_synapse() -> None:
    if not is_synapse_installed():
        raise StartupError(
            "there is no homeserver to connect to, and Synapse is not installed",
            mend="run pip install 'mautrix-whatsapp-py[local]'",
            code=ExitCode.HOMESERVER_UNREACHABLE,
        )


def _require_registration(data: Path) -> None:
    if not (data / "registration.yaml").is_file():
        raise StartupError(
            f"{data / 'registration.yaml'} is missing",
            mend=f"write it anew with {_generate_registration(data)}",
            code=ExitCode.DATA_FOLDER,
        )


def _generate_registration(data: Path) -> str:
    return f"{PROGRAM} -g -c {data / 'config.yaml'} -r {data / 'registration.yaml'}"
