"""A child process that is held does nothing before it is told to."""

from __future__ import annotations

from pathlib import Path

from mautrix_whatsapp_py.ops.child import Child


async def test_a_held_child_runs_when_it_is_released(tmp_path: Path) -> None:
    source, target = tmp_path / "in.json", tmp_path / "out.json"
    source.write_text("[1]")
    child = Child("json.tool", [str(source), str(target)], held_after="json")
    assert not target.exists()
    child.release()
    assert await child.wait() == 0
    assert target.read_text().split() == ["[", "1", "]"]
    child.release()
    await child.stop()


async def test_a_held_child_ends_when_it_is_stopped(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    child = Child("json.tool", [str(tmp_path / "in.json"), str(target)], held_after="json")
    await child.stop()
    assert not child.is_running
    assert not target.exists()
