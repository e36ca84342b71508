"""Everything on this machine: Synapse, the bridge, and a simulated WhatsApp with phones to link. `make demo`.

python -m tests.simulator.demo               start, or resume, until Ctrl-C
python -m tests.simulator.demo scan          show a phone the newest QR code that the bot has posted
python -m tests.simulator.demo code ABCD-EFGH    type the bot's code into a phone
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from mautrix_whatsapp_py.cli import quickstart
from mautrix_whatsapp_py.config.document import read_text
from mautrix_whatsapp_py.config.edit import replace_values
from mautrix_whatsapp_py.config.files import replace_file
from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.ops.child import Child
from mautrix_whatsapp_py.ops.folder import FolderLock
from tests.simulator.demo_hosts import end_hosts
from tests.simulator.demo_phone import Addresses, PhoneError, enter_code, read_addresses, scan

ALICE: Final = "15550001111"
BOB: Final = "15550002222"
CONTROL_PORT: Final = 29319
DATA: Final = Path("data/demo")
_START_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        match options.action:
            case "scan":
                device = asyncio.run(scan(options.data, options.phone))
                _say(f"+{options.phone} has scanned the code and linked device {device}")
            case "code":
                device = asyncio.run(enter_code(options.data, options.phone, options.code))
                _say(f"+{options.phone} has taken the code and linked device {device}")
            case _:
                return run(options.data)
    except KeyboardInterrupt:
        return ExitCode.OK
    except StartupError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.code
    except PhoneError as error:
        sys.stderr.write(f"error: {error}\n")
        return ExitCode.USAGE
    return ExitCode.OK


def run(data: Path) -> int:
    """Run all three until a signal, or until one of them ends; the exit code."""
    folder = _ensure_folder(data)
    with _locked(folder / "demo"):
        quickstart.ensure_files(data)
        # Those of a start that was killed would look for a simulator that is gone.
        asyncio.run(end_hosts(data))
        with _running_simulator(folder) as addresses:
            _set_host_command(data / "config.yaml", addresses.host_command)
            try:
                return quickstart.start(data, also=guide(data, addresses.control))
            finally:
                asyncio.run(end_hosts(data))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulator.demo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", nargs="?", choices=("start", "scan", "code"), default="start")
    parser.add_argument("code", nargs="?", default="", help="for `code`: what the bot shows")
    parser.add_argument("--data", type=Path, default=DATA, metavar="FOLDER", help=f"default: {DATA}")
    parser.add_argument("--phone", default=ALICE, metavar="NUMBER", help=f"whose phone (default: {ALICE})")
    return parser


def _ensure_folder(data: Path) -> Path:
    """The simulator's folder; never in the data of a real bridge, whose links the simulator would end."""
    folder = data / "simulator"
    if (data / "config.yaml").exists() and not folder.is_dir():
        raise StartupError(
            f"{data} belongs to a bridge that is no demo",
            mend="choose another folder with --data",
            code=ExitCode.DATA_FOLDER,
        )
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StartupError(
            f"{folder} cannot be written ({error.strerror})",
            mend="let this user write there, or choose another folder with --data",
            code=ExitCode.DATA_FOLDER,
        ) from None
    return folder


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FolderLock(folder)
    try:
        lock.acquire()
    except StartupError:
        raise StartupError(
            "this demo is running already",
            mend="stop it with Ctrl-C where it runs, or choose another folder with --data",
            code=ExitCode.DATA_FOLDER,
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _running_simulator(folder: Path) -> Iterator[Addresses]:
    accounts = ["--account", f"{ALICE}=Alice", "--account", f"{BOB}=Bob"]
    port = str(quickstart.choose_port(CONTROL_PORT))
    child = Child(
        "tests.simulator",
        ["--folder", str(folder), "--control-port", port, *accounts],
        output=folder / "simulator.out",
    )
    try:
        yield asyncio.run(_addresses_when_ready(child, folder))
    finally:
        asyncio.run(child.stop())


async def _addresses_when_ready(child: Child, folder: Path) -> Addresses:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_START_SECONDS):
            while child.is_running:
                with contextlib.suppress(OSError, msgspec.DecodeError):
                    return read_addresses(folder)
                await asyncio.sleep(_POLL_SECONDS)
    raise StartupError(
        "the simulated WhatsApp did not start", mend=f"see {folder / 'simulator.out'}", code=ExitCode.CRASHED
    )


def _set_host_command(config: Path, command: list[str]) -> None:
    replace_file(config, replace_values(read_text(config), {("whatsapp", "host_command"): command}))


def guide(data: Path, control: str) -> Sequence[str]:
    """What is printed below the next steps of `quickstart`."""
    where = "" if data == DATA else f" --data {data}"
    scan_words, code_words = f"scan{where}", f"code ABCD-EFGH{where}"
    phones = f"Alice (+{ALICE}) and Bob (+{BOB}) have phones"
    return (
        "",
        f"WhatsApp is simulated here; {phones}. To link Alice's, send the bot",
        f"  login                     and run  make demo ARGS={shlex.quote(scan_words)}",
        f"  login code +{ALICE}   and run  make demo ARGS={shlex.quote(code_words)}  with the bot's code",
        "To let the phones talk, and to see what they can do besides:",
        f"""  curl {control}/accounts/{BOB}/messages -d '{{"to": "{ALICE}", "text": "Hello Alice"}}'""",
        f"  curl {control}/accounts/{ALICE}/inbox",
        f"  curl {control}",
        "Ctrl-C here stops the simulated WhatsApp as well; its phones remember what they have linked",
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
