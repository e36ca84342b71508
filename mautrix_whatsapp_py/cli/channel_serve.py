"""`channel serve --exec`: a reply loop around a command."""

from __future__ import annotations

import argparse
import json
import logging
import shlex
import subprocess
import sys
from time import sleep
from typing import Any

from mautrix_whatsapp_py.cli.arguments import Parser, config_path
from mautrix_whatsapp_py.cli.channel_client import ChannelClient, Refused
from mautrix_whatsapp_py.cli.channel_run import read_config
from mautrix_whatsapp_py.errors import ExitCode, StartupError

log = logging.getLogger(__name__)

WAIT_MS = 30_000
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 2.0, 60.0
_PASSING = frozenset({409, 429, 503})
"""Refusals that may be over later: not linked, too often, no connection."""


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
    if args.once:
        while _answer_next(client, context, command, args.timeout, wait_ms=0):
            pass
        return ExitCode.OK
    rest_seconds = FIRST_REST_SECONDS
    while True:
        try:
            _answer_next(client, context, command, args.timeout, wait_ms=WAIT_MS)
        except StartupError as error:
            if isinstance(error, Refused) and error.status not in _PASSING:
                raise
            # The channel is started anew, or the command is mended, while this waits; nothing is lost meanwhile.
            print(f"warning: {error}; trying again in {rest_seconds:.0f} s", file=sys.stderr, flush=True)
            sleep(rest_seconds)
            rest_seconds = min(rest_seconds * 2, LONGEST_REST_SECONDS)
        else:
            rest_seconds = FIRST_REST_SECONDS


def _answer_next(
    client: ChannelClient, context: dict[str, Any], command: list[str], timeout: float, *, wait_ms: int
) -> bool:
    """Answer the next message; whether there was one."""
    try:
        items = _receive(client, context, wait_ms=wait_ms)
        for item in items:
            _answer(client, item, command, timeout)
        return bool(items)
    finally:
        _give_back(client, context)


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
    try:
        done = subprocess.run(  # noqa: S603  the user's own command
            command, input=json.dumps(item).encode(), stdout=subprocess.PIPE, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise _failed(f"gave no answer in {timeout:.0f} s") from None
    except OSError as error:
        raise _failed(f"cannot be run ({error.strerror})") from None
    if done.returncode != 0:
        raise _failed(f"ended with {done.returncode}")
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


def _failed(what: str) -> StartupError:
    return StartupError(
        f"the command {what}; the message stays unanswered and comes again",
        mend="mend the command",
        code=ExitCode.USAGE,
    )
