"""`channel serve --exec`: a reply loop around a command."""

from __future__ import annotations

import argparse
import json
import logging
import shlex
import subprocess
import sys
import time
from typing import Any

from mautrix_whatsapp_py.cli.arguments import Parser, config_path
from mautrix_whatsapp_py.cli.channel_client import ChannelClient, Refused
from mautrix_whatsapp_py.cli.channel_run import read_config
from mautrix_whatsapp_py.errors import ExitCode, StartupError

log = logging.getLogger(__name__)

WAIT_MS = 30_000
REST_SECONDS = 2.0
_AWAY = 503


def add_parser(parser: Parser) -> None:
    """What `serve` takes."""
    parser.add_argument(
        "--exec",
        required=True,
        dest="command_line",
        metavar="CMD",
        help="run for each message: the item as JSON comes in, the answer goes out",
    )
    parser.add_argument("--once", action="store_true", help="stop when nothing more waits")
    parser.add_argument("--timeout", type=float, default=300.0, metavar="SECONDS", help="for one answer (300)")


def serve(args: argparse.Namespace) -> int:
    """Answer until told to stop; an item is acknowledged when its answer was sent."""
    client = ChannelClient.of(read_config(config_path(args)))
    command = shlex.split(args.command_line)
    if not command:
        mend = "write --exec 'python assistant.py'"
        raise StartupError("--exec names no command", mend=mend, code=ExitCode.USAGE)
    context: dict[str, Any] = {}
    if args.account:
        context = {"runtime_context": {"account": {"account_id": args.account}}}
    while True:
        try:
            items = _receive(client, context, wait_ms=0 if args.once else WAIT_MS)
            for item in items:
                _answer(client, item, command, args.timeout)
        except Refused as error:
            if error.status != _AWAY or args.once:
                raise
            print(f"warning: {error.args[0]}", file=sys.stderr)
            time.sleep(REST_SECONDS)
            continue
        finally:
            _give_back(client, context)
        if args.once and not items:
            return ExitCode.OK


def _receive(client: ChannelClient, context: dict[str, Any], *, wait_ms: int) -> list[dict[str, Any]]:
    # One at a time: what waits for its answer is nobody else's meanwhile.
    payload = {**context, "wait_ms": wait_ms, "max": 1}
    answer = client.post("/bridge", {"operation": "receive_batch", "payload": payload})
    items: list[dict[str, Any]] = answer["payload"]["messages"]
    return items


def _give_back(client: ChannelClient, context: dict[str, Any]) -> None:
    try:
        client.post("/bridge", {"operation": "complete_batch", "payload": context})
    except StartupError:
        # It becomes free by itself.
        return


def _answer(client: ChannelClient, item: dict[str, Any], command: list[str], timeout: float) -> None:
    cursor = item["delivery"]["ack_cursor"]
    done = subprocess.run(  # noqa: S603  the user's own command
        command, input=json.dumps(item).encode(), stdout=subprocess.PIPE, timeout=timeout, check=False
    )
    if done.returncode != 0:
        raise StartupError(
            f"the command ended with {done.returncode}; the message stays unanswered and comes again",
            mend="mend the command and start again",
            code=ExitCode.USAGE,
        )
    text = done.stdout.decode(errors="replace").strip()
    if text:
        # The cursor as key: a crash between answer and acknowledgement answers nothing twice.
        payload = {
            "target": {"id": item["reply_target"]["id"]},
            "message": {"text": text},
            "idempotency_key": f"serve-{cursor}",
        }
        client.post("/bridge", {"operation": "send_message", "payload": payload})
    client.post("/bridge", {"operation": "ack_inbound", "payload": {"ack_cursor": cursor}})
