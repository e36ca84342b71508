"""`channel doctor`: look at the channel and say what is wrong and how it is mended."""

from __future__ import annotations

import argparse
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mautrix_whatsapp_py.cli.arguments import config_path
from mautrix_whatsapp_py.cli.channel_client import TOKEN_FILE, ChannelClient, Refused
from mautrix_whatsapp_py.cli.channel_run import read_config
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.errors import ConfigError, ExitCode, StartupError
from mautrix_whatsapp_py.ops.findings import Finding, ill, is_ill, odd, skipped, to_json, to_text, well

MANY = 1_000
"""Items that wait for a reader, who probably is not there."""


def run(args: argparse.Namespace) -> int:
    """Look and tell; the exit code."""
    findings = look(config_path(args))
    print(to_json(findings) if args.json else to_text(findings))
    return ExitCode.UNWELL if is_ill(findings) else ExitCode.OK


def look(path: Path) -> list[Finding]:
    """Everything that can be seen of the channel from outside."""
    # Here and not above: who runs anything else need not wait for it.
    from mautrix_whatsapp_py.channel.checks import find_problems

    try:
        config = read_config(path)
    except ConfigError as error:
        return [ill("configuration", problem, "correct it in the file") for problem in error.problems]
    problems = find_problems(config.channel)
    if problems:
        return [ill("configuration", problem, "correct it in the file") for problem in problems]
    found = [well("configuration", f"{path} is valid")]
    found.extend(_look_at_files(config))
    try:
        client = ChannelClient.of(config)
        accounts = client.get("/v1/accounts")["accounts"]
    except Refused as error:
        mend = "delete channel.token or correct it: the running channel knows another"
        return [*found, ill("channel", f"it refuses us: {error.args[0]}", mend)]
    except StartupError as error:
        return [*found, ill("channel", error.args[0], error.mend), skipped("accounts", "the channel does not run")]
    found.append(well("channel", f"answers at {config.channel.bridge_url}"))
    for account in accounts:
        found.extend(_look_at_account(account))
    for webhook in client.get("/v1/webhooks")["webhooks"]:
        found.append(_look_at_webhook(webhook))
    waiting = client.get("/v1/pairing")["requests"]
    if waiting:
        mend = "channel pairing list, then approve or deny"
        found.append(odd("pairing", f"{len(waiting)} wait to be let in", mend))
    return found


def _look_at_files(config: Config) -> Iterator[Finding]:
    token = config.data_folder / TOKEN_FILE
    if config.channel.token is None and token.exists():
        yield _look_at_mode("token", token)
    folder = Path(os.environ.get(config.channel.auth_dir_env or "WHATSAPP_PERSONAL_AUTH_DIR", "") or "")
    sessions = folder if str(folder) != "." else Path(config.channel.auth_dir or config.session_folder)
    if sessions.exists():
        yield _look_at_mode("sessions", sessions)
    for root in config.channel.media_roots:
        if not Path(root).is_dir():
            yield odd("media_roots", f"{root} is no folder", "make it or take it out of channel.media_roots")


def _look_at_mode(name: str, path: Path) -> Finding:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        return ill(name, f"others on this machine may look into {path}", f"chmod go-rwx {path}")
    return well(name, f"{path} is private")


def _look_at_account(account: dict[str, Any]) -> Iterator[Finding]:
    name, state = f"account {account['id']}", account["state"]
    if state == "CONNECTED":
        yield well(name, f"{account['number']} is connected")
    elif state in ("STARTING", "CONNECTING"):
        yield odd(name, "is coming up", "wait a moment and look again")
    else:
        yield ill(
            name, f"is {state}", account["message"] or "link it: channel login, or `login` to the bot on Matrix"
        )
    if account["stalls"]:
        mend = "nothing; if it goes on, link the account anew"
        yield odd(name, f"was silent and connected anew {account['stalls']} times", mend)
    if account["waiting"] >= MANY:
        yield odd(name, f"{account['waiting']} messages wait for a reader", "start the program that reads them")


def _look_at_webhook(webhook: dict[str, Any]) -> Finding:
    name = f"webhook {webhook['url']}"
    if webhook["dead"]:
        return ill(name, f"{webhook['dead']} events were given up: {webhook['error']}", "channel webhooks retry")
    if webhook["waiting"] and webhook["error"]:
        return odd(name, f"{webhook['waiting']} events wait: {webhook['error']}", "start the program behind it")
    return well(name, "takes what it is told")
