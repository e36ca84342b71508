"""The launcher in front of a process that knows nothing of the simulator."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.simulator.api import host_command, simulator
from tests.simulator.tests.clients import read_line

pytestmark = pytest.mark.neonize


async def test_child_process_links_and_echoes_from_any_folder(tmp_path: Path) -> None:
    async with simulator(tmp_path) as wa:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        command = host_command(wa, sys.executable, "-m", "tests.simulator.tests.hosted")
        process = await asyncio.create_subprocess_exec(
            *command, str(tmp_path / "hosted.db"), stdout=asyncio.subprocess.PIPE, cwd=tmp_path
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(30):
                qr = await read_line(process.stdout, b"QR ")
                await alice.phone.scan(qr.decode())
                await read_line(process.stdout, b"CONNECTED")
                await bob.phone.text(alice.pn, "hello")
                assert (await bob.phone.receive_next()).text == "echo hello"
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_failure_413_takes_the_process_down(tmp_path: Path) -> None:
    async with simulator(tmp_path) as wa:
        alice = wa.add_account("15550001111", "Alice")
        command = host_command(wa, sys.executable, "-m", "tests.simulator.tests.hosted")
        process = await asyncio.create_subprocess_exec(
            *command,
            str(tmp_path / "hosted.db"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(30):
                await alice.phone.scan((await read_line(process.stdout, b"QR ")).decode())
                await read_line(process.stdout, b"CONNECTED")
                with wa.failing_logins(413):
                    wa.proxy.drop_all()
                    assert await process.wait() == -signal.SIGABRT
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
