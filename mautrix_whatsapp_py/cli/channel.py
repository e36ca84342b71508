"""`channel`: the linked accounts as a local API."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mautrix_whatsapp_py.cli import (
    channel_doctor,
    channel_import,
    channel_logs,
    channel_mcp,
    channel_run,
    channel_serve,
)
from mautrix_whatsapp_py.cli.arguments import Parser, Subparsers, add_config_flag, config_path
from mautrix_whatsapp_py.cli.channel_client import ChannelClient
from mautrix_whatsapp_py.cli.channel_run import read_config
from mautrix_whatsapp_py.errors import ExitCode, StartupError

Command = Callable[[argparse.Namespace], int]


def add_parser(subparsers: Subparsers) -> None:
    """Make `channel` and its commands known to the command line."""
    parser = subparsers.add_parser("channel", help="the linked accounts as a local API for agents and scripts")
    commands = parser.add_subparsers(dest="channel_command", metavar="COMMAND", required=True)
    channel_run.add_parsers(commands)
    channel_import.add_parser(commands)
    _add(commands, "accounts", "all accounts and where they stand")
    _add(commands, "status", "one account and where it stands")
    _add_send(commands)
    _add_react(commands)
    poll = _add(commands, "poll", "send a poll")
    poll.add_argument("--target", required=True)
    poll.add_argument("--question", required=True)
    poll.add_argument("--option", action="append", default=[], help="an option; say it for each of them")
    poll.add_argument("--selectable", type=int, default=1, help="how many may be chosen (1); 0 for any number")
    _add(commands, "mcp", "serve the channel to an assistant over the Model Context Protocol")
    channel_serve.add_parser(_add(commands, "serve", "answer messages with the output of a command"))
    _add(commands, "doctor", "look at the channel and say what is wrong")
    channel_logs.add_parser(_add(commands, "logs", "show the end of the log"))
    webhooks = _add(commands, "webhooks", "programs that are told of events, and what they did not take")
    webhooks.add_argument("action", choices=("list", "retry"))
    pairing = _add(commands, "pairing", "strangers who wait to be let in")
    pairing.add_argument("action", choices=("list", "approve", "deny"))
    pairing.add_argument("code", nargs="?", default="")


def _add(commands: Subparsers, name: str, text: str) -> Parser:
    parser = commands.add_parser(name, help=text)
    add_config_flag(parser)
    parser.add_argument("--account", default=None, help="the account (default: the first)")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    return parser


def _add_send(commands: Subparsers) -> None:
    parser = _add(commands, "send", "send a message")
    parser.add_argument("--target", required=True, help="contact:+14155550001 or group:120363…@g.us")
    parser.add_argument("--text", default="")
    parser.add_argument("--media", type=Path, default=None, help="a file")
    parser.add_argument("--gif-playback", action="store_true", help="show a video as a GIF")
    parser.add_argument("--reply-to", default="", help="the id of the message that this answers")
    parser.add_argument("--idempotency-key", default="", help="the same key is sent once")


def _add_react(commands: Subparsers) -> None:
    parser = _add(commands, "react", "react to a message")
    parser.add_argument("--target", required=True)
    parser.add_argument("--message-id", required=True)
    parser.add_argument("--emoji", default="", help="none takes the reaction back")


def run(args: argparse.Namespace) -> int:
    """Carry out a command; the exit code."""
    commands: dict[str, Command] = {
        "run": channel_run.run,
        "login": channel_run.login,
        "logout": channel_run.logout,
        "serve": channel_serve.serve,
        "import": channel_import.run,
        "mcp": channel_mcp.run,
        "doctor": channel_doctor.run,
        "logs": channel_logs.run,
        "accounts": _accounts,
        "status": _status,
        "send": _send,
        "react": _react,
        "poll": _poll,
        "pairing": _pairing,
        "webhooks": _webhooks,
    }
    return commands[args.channel_command](args)


def _client(args: argparse.Namespace) -> ChannelClient:
    return ChannelClient.of(read_config(config_path(args)))


def _accounts(args: argparse.Namespace) -> int:
    answer = _client(args).get("/v1/accounts")
    lines = [_account_line(account) for account in answer["accounts"]]
    return _say(args, answer, *lines)


def _status(args: argparse.Namespace) -> int:
    client = _client(args)
    name = args.account or client.get("/v1/accounts")["accounts"][0]["id"]
    answer = client.get(f"/v1/accounts/{name}")
    return _say(args, answer, _account_line(answer))


def _account_line(account: dict[str, Any]) -> str:
    trouble = f": {account['message']}" if account["message"] else ""
    number = account["number"] or "not linked"
    return f"{account['id']} ({number}) is {account['state']}{trouble}; {account['waiting']} to read"


def _send(args: argparse.Namespace) -> int:
    client = _client(args)
    media = None
    if args.media is not None:
        media = {"upload": client.upload(args.media), "gif_playback": args.gif_playback}
    body = {
        "target": args.target,
        "account": args.account,
        "text": args.text,
        "media": media,
        "reply_to": args.reply_to,
        "idempotency_key": args.idempotency_key,
    }
    answer = client.post("/v1/messages", body)
    return _say(args, answer, f"Sent: {' '.join(answer['message_ids'])}")


def _react(args: argparse.Namespace) -> int:
    body = {
        "target": args.target,
        "account": args.account,
        "message_id": args.message_id,
        "emoji": args.emoji,
    }
    return _say(args, _client(args).post("/v1/reactions", body), "Done.")


def _poll(args: argparse.Namespace) -> int:
    body = {
        "target": args.target,
        "account": args.account,
        "question": args.question,
        "options": args.option,
        "selectable": args.selectable,
    }
    answer = _client(args).post("/v1/polls", body)
    return _say(args, answer, f"Sent: {' '.join(answer['message_ids'])}")


def _pairing(args: argparse.Namespace) -> int:
    client = _client(args)
    if args.action == "list":
        answer = client.get("/v1/pairing", account=args.account)
        lines = [f"{one['account']}: {one['number']} has the code {one['code']}" for one in answer["requests"]]
        return _say(args, answer, *(lines or ["Nobody waits."]))
    if not args.code:
        raise StartupError("which code?", mend=f"channel pairing {args.action} CODE", code=ExitCode.USAGE)
    answer = client.post(f"/v1/pairing/{args.action}", {"code": args.code, "account": args.account})
    what = "is let in" if args.action == "approve" else "is refused"
    return _say(args, answer, f"{answer['number']} {what}.")


def _webhooks(args: argparse.Namespace) -> int:
    client = _client(args)
    if args.action == "retry":
        answer = client.post("/v1/webhooks/retry", {})
        return _say(args, answer, f"{answer['count']} events are told again.")
    answer = client.get("/v1/webhooks")
    lines = [
        f"{one['url']}: {one['waiting']} wait, {one['dead']} were given up"
        + (f" ({one['error']})" if one["error"] else "")
        for one in answer["webhooks"]
    ]
    return _say(args, answer, *(lines or ["There are no webhooks."]))


def _say(args: argparse.Namespace, answer: object, *lines: str) -> int:
    if args.json:
        json.dump(answer, sys.stdout)
        print()
    else:
        for line in lines:
            print(line)
    return ExitCode.OK
