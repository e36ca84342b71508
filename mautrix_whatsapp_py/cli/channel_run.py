"""`channel run`, `channel login` and `channel logout`: the commands that hold the links themselves."""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from mautrix_whatsapp_py.cli.arguments import Subparsers, add_config_flag, config_path, run_options
from mautrix_whatsapp_py.config import Config, read
from mautrix_whatsapp_py.config.rules import EXAMPLE_DOMAIN
from mautrix_whatsapp_py.errors import CommandError, ExitCode, StartupError
from mautrix_whatsapp_py.model.wa_link import WaPaired, WaPairingFailed, WaPairingStep, WaPhoneCode, WaQrCode

_CUSTOM_CODE = (
    "the WhatsApp library makes up the pairing code itself and cannot be given one",
    "leave --custom-pairing-code out and use the code that is shown",
)


def add_parsers(commands: Subparsers) -> None:
    """Make the commands known to the command line."""
    for name, text in (
        ("run", "run the channel; link the account when it is not"),
        ("login", "link an account and stop"),
        ("logout", "unlink an account"),
    ):
        parser = commands.add_parser(name, help=text)
        add_config_flag(parser)
        parser.add_argument("--account", default=None, help="the account (default: the first)")
        parser.add_argument("--json", action="store_true", help="say what happens in JSON, a line each")
        if name == "logout":
            continue
        parser.add_argument("--pairing-code", default="", metavar="PHONE", help="also show a code to type")
        parser.add_argument("--custom-pairing-code", default="", metavar="CODE", help="ask for this very code")
        parser.add_argument("--qr-png", type=Path, default=None, metavar="FILE", help="write the QR code here too")


def read_config(path: Path) -> Config:
    """The configuration as far as the channel needs it."""
    return read(path, os.environ, is_without_matrix=True).config


def run(args: argparse.Namespace) -> int:
    """Run the channel: with the bridge where a Matrix server is configured, else alone."""
    config = read_config(config_path(args))
    if config.homeserver.domain in ("", EXAMPLE_DOMAIN):
        return _run_alone(config, args, ends_when_linked=False)
    if not config.channel.enabled:
        raise StartupError(
            "a Matrix server is configured, so the channel runs with the bridge, and channel.enabled is false",
            mend="set channel.enabled to true",
            code=ExitCode.CONFIG_INVALID,
        )
    from mautrix_whatsapp_py import app

    return app.run(read(config_path(args), os.environ).config, run_options(args))


def login(args: argparse.Namespace) -> int:
    """Link an account and stop."""
    config = read_config(config_path(args))
    if config.homeserver.domain not in ("", EXAMPLE_DOMAIN):
        raise StartupError(
            "a Matrix server is configured, so accounts belong to Matrix users",
            mend="send `login` to the bridge's bot on Matrix; the channel uses the same link",
            code=ExitCode.USAGE,
        )
    return _run_alone(config, args, ends_when_linked=True)


def logout(args: argparse.Namespace) -> int:
    """Unlink an account."""
    from mautrix_whatsapp_py.cli.channel_client import ChannelClient

    client = ChannelClient.of(read_config(config_path(args)))
    name = args.account or client.get("/v1/accounts")["accounts"][0]["id"]
    answer = client.post(f"/v1/accounts/{name}/logout", {})
    print(json.dumps(answer) if args.json else "The account is unlinked.")
    return ExitCode.OK


def _run_alone(config: Config, args: argparse.Namespace, *, ends_when_linked: bool) -> int:
    # Loads every library of the channel; whoever only asks a channel that runs need not wait for that.
    from mautrix_whatsapp_py.app.alone import AloneOptions, run_alone
    from mautrix_whatsapp_py.channel.linking import LinkWish
    from mautrix_whatsapp_py.channel.targets import parse_number

    if args.custom_pairing_code:
        text, mend = _CUSTOM_CODE
        raise StartupError(text, mend=mend, code=ExitCode.USAGE)
    try:
        phone = parse_number(args.pairing_code) if args.pairing_code else ""
    except CommandError as error:
        raise StartupError(
            f"--pairing-code: {error.text}", mend="give the number with its country code", code=ExitCode.USAGE
        ) from None
    wish = LinkWish(account=args.account, phone=phone)
    show = partial(_show_json if args.json else _show, png=args.qr_png)
    alone = AloneOptions(wish=wish, ends_when_linked=ends_when_linked, show=show)
    return run_alone(config, run_options(args), alone)


async def _show(account: str, step: WaPairingStep, *, png: Path | None) -> None:
    match step:
        case WaQrCode():
            _write_png(step.data, png)
            print(f"Scan this with WhatsApp on the phone (Settings > Linked devices) to link {account}:")
            print(draw_terminal(step.data), flush=True)
        case WaPhoneCode():
            print(f"Or type this code on the phone (Link with phone number): {step.code}", flush=True)
        case WaPaired():
            print(f"{account} is linked as +{step.device.login}.", flush=True)
        case WaPairingFailed():
            print(f"Linking {account} came to nothing: {step.reason}.", file=sys.stderr, flush=True)


async def _show_json(account: str, step: WaPairingStep, *, png: Path | None) -> None:
    match step:
        case WaQrCode():
            _write_png(step.data, png)
            said = {"step": "qr", "data": step.data}
        case WaPhoneCode():
            said = {"step": "code", "code": step.code}
        case WaPaired():
            said = {"step": "linked", "number": f"+{step.device.login}"}
        case WaPairingFailed():
            said = {"step": "failed", "reason": step.reason}
    print(json.dumps({"account": account, **said}), flush=True)


def draw_terminal(data: str) -> str:
    """A QR code in half blocks, black on white whatever the terminal's colours."""
    from qrcode.constants import ERROR_CORRECT_L
    from qrcode.main import QRCode

    code: QRCode[Any] = QRCode(error_correction=ERROR_CORRECT_L, border=2)
    code.add_data(data)
    code.make(fit=True)
    rows = code.get_matrix()
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        halves = "".join(_HALVES[bool(one), bool(other)] for one, other in zip(upper, lower, strict=True))
        lines.append(f"\x1b[30;107m{halves}\x1b[0m")
    return "\n".join(lines)


_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def _write_png(data: str, png: Path | None) -> None:
    if png is None:
        return
    from mautrix_whatsapp_py.media.qr import draw_qr

    png.write_bytes(draw_qr(data).data)
    png.chmod(0o600)
