"""Damaged files of every kind: an answer to each, within bounds, and nothing left behind.

`make fuzz` tries 5,000 of them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import shutil
from collections import Counter
from pathlib import Path

import pytest

from mautrix_whatsapp_py.errors import ConversionFailed
from mautrix_whatsapp_py.media.jobs import Bounds
from mautrix_whatsapp_py.media.tools import ToolLimits, WorkerTools
from mautrix_whatsapp_py.model.media_ready import UnreadyReason
from mautrix_whatsapp_py.model.wa_context import WaKind
from tests.data.media.clips import clip, sounds, videos
from tests.data.media.mutate import mutated
from tests.data.media.pictures import animations, pictures, tgs, was

log = logging.getLogger(__name__)

COUNT = int(os.environ.get("FUZZ", "200"))
AT_ONCE = 4
BOUNDS = Bounds(seconds=20, memory_bytes=512 << 20)
IDLE_BYTES = 256 << 20
"""More than the worker takes before it has opened anything."""
MAX_BYTES = 16 << 20


async def test_damaged_files_are_answered_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    tools = WorkerTools(ToolLimits(quick=BOUNDS, slow=BOUNDS, at_once=AT_ONCE, slow_at_once=AT_ONCE))
    outcomes: Counter[str] = Counter()
    sources = _sources()

    async def convert(number: int) -> None:
        data, kind = sources[number % len(sources)]
        folder = tmp_path / f"job{number}"
        folder.mkdir()
        (folder / "source").write_bytes(mutated(data, number))
        try:
            if number // len(sources) % 2:
                await tools.prepare_for_matrix(folder / "source", kind, folder, with_waveform=True)
            else:
                await tools.prepare_for_whatsapp(folder / "source", kind, folder, max_bytes=MAX_BYTES)
            outcomes["ready"] += 1
        except ConversionFailed as error:
            outcomes[UnreadyReason(error.code)] += 1
        finally:
            shutil.rmtree(folder)

    numbers = iter(range(COUNT))

    async def work() -> None:
        for number in numbers:
            await convert(number)

    try:
        await convert(0)
        pid = tools.worker_pid
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        assert tools.worker_pid == pid, f"the worker itself ended: {outcomes}"
    finally:
        await tools.stop()
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    log.warning("outcomes: %s; %d MB in the largest process", dict(outcomes), most >> 20)
    assert outcomes.total() == COUNT + 1
    assert outcomes["ready"] > COUNT // 10
    assert outcomes["broken"] > COUNT // 10
    assert not outcomes["crashed"]
    assert not outcomes["too-slow"], "a job ran until its time was over"
    assert most < IDLE_BYTES + BOUNDS.memory_bytes
    assert not list(scratch.iterdir()), "a file was left behind"
    assert {path.name for path in tmp_path.iterdir()} == {"scratch"}


def _sources() -> list[tuple[bytes, WaKind]]:
    gif = clip("mp4", video="libx264", seconds=1)
    return [
        *((sample.data, WaKind.IMAGE) for sample in (*pictures(), *animations())),
        *((sample.data, WaKind.STICKER) for sample in animations()),
        *((data, WaKind.STICKER) for data in (was(), tgs())),
        *((sample.data, WaKind.VIDEO) for sample in videos()),
        *((sample.data, WaKind.VOICE) for sample in sounds()),
        *((sample.data, WaKind.AUDIO) for sample in sounds()),
        (gif, WaKind.GIF),
    ]
