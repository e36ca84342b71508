"""`cluster`: who leads among the workers that share a database, and who is to let go."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from dataclasses import asdict

from mautrix_whatsapp_py.cli.arguments import Subparsers, add_config_flag, config_path, is_set
from mautrix_whatsapp_py.config import Config, read
from mautrix_whatsapp_py.errors import ExitCode, StartupError, StoreError


def add_parser(subparsers: Subparsers) -> None:
    """Make `cluster` known to the command line."""
    parser = subparsers.add_parser("cluster", help="look at the workers that share a database, or drain one")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    status = actions.add_parser("status", help="say which workers there are, what they hold and who leads")
    add_config_flag(status)
    status.add_argument("--json", action="store_true", help="print JSON")
    drain = actions.add_parser("drain", help="have a worker hand over and stand aside until it is started anew")
    add_config_flag(drain)
    drain.add_argument("worker", help="the name of the worker")


def run(args: argparse.Namespace) -> int:
    """Carry out what was asked; the exit code."""
    config = read(config_path(args), os.environ).config
    if not config.cluster.enabled:
        raise StartupError(
            "This bridge shares its database with nobody",
            mend="set cluster.enabled to share it",
            code=ExitCode.USAGE,
        )
    try:
        if args.action == "drain":
            return asyncio.run(_drain(config, args.worker))
        return asyncio.run(_show(config, is_json=is_set(args, "json")))
    except StoreError as error:
        raise StartupError(
            "The database does not answer",
            mend="check that the server runs and that database.uri is right",
            code=ExitCode.DATABASE_UNAVAILABLE,
        ) from error


async def _drain(config: Config, worker: str) -> int:
    # Loads the database libraries; a wrong word is told without them.
    from mautrix_whatsapp_py.app.cluster import drain_worker

    if not await drain_worker(config, worker):
        raise StartupError(
            f"There is no worker called {worker}",
            mend="see cluster status for their names",
            code=ExitCode.USAGE,
        )
    print(f"{worker} hands over all it does, and stands aside until it is started anew")
    return ExitCode.OK


async def _show(config: Config, *, is_json: bool) -> int:
    from mautrix_whatsapp_py.app.cluster import fetch_workers

    report = await fetch_workers(config)
    if is_json:
        print(json.dumps(asdict(report), indent=2))
    else:
        print("\n".join(report.lines))
    return ExitCode.OK if report.leader is not None else ExitCode.UNWELL
