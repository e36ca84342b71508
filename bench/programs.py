"""Measurements that need a process of their own: the client library leaves threads behind."""

from __future__ import annotations

import asyncio
import sys


async def run_program(module: str) -> None:
    """Run a measurement to its end; RuntimeError when it fails."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module)
    if code := await process.wait():
        raise RuntimeError(f"{module} ended with {code}")
