"""`channel serve`: what it survives, and what ends it."""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from mautrix_whatsapp_py.cli import channel_serve
from mautrix_whatsapp_py.cli.channel_client import ChannelClient, Refused
from mautrix_whatsapp_py.cli.entry import main
from mautrix_whatsapp_py.errors import ExitCode, StartupError

GONE = StartupError("No channel answers", mend="start it", code=ExitCode.LISTENER)
ITEM = {"text": "hi", "reply_target": {"id": "contact:+15550002222"}, "delivery": {"ack_cursor": "i1"}}


class _End(Exception):
    """The test has seen enough."""


class Channel:
    """What answers the loop: each turn is a fault, or items."""

    def __init__(self, *turns: Exception | list[dict[str, Any]]) -> None:
        self.turns = deque(turns)
        self.done: list[tuple[str, dict[str, Any]]] = []

    def post(self, _path: str, body: dict[str, Any]) -> Any:
        operation = body["operation"]
        if operation != "receive_batch":
            self.done.append((operation, body["payload"]))
            return {"payload": {}}
        turn = self.turns.popleft() if self.turns else _End()
        if isinstance(turn, Exception):
            raise turn
        return {"payload": {"messages": turn}}

    @property
    def answers(self) -> list[str]:
        return [said["message"]["text"] for name, said in self.done if name == "send_message"]

    @property
    def acknowledged(self) -> list[str]:
        return [said["ack_cursor"] for name, said in self.done if name == "ack_inbound"]


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    rested: list[float] = []
    monkeypatch.setattr(channel_serve, "sleep", rested.append)
    return rested


def serve(
    monkeypatch: pytest.MonkeyPatch, folder: Path, channel: Channel, command: str, *, once: bool = False
) -> int:
    monkeypatch.setattr(ChannelClient, "of", lambda _config: channel)
    (folder / "config.yaml").write_text("{}")
    args = argparse.Namespace(
        config=folder / "config.yaml", command_line=command, account=None, once=once, timeout=20.0
    )
    return channel_serve.serve(args)


def program(folder: Path, text: str) -> str:
    (folder / "program.py").write_text(text)
    return f"{sys.executable} {folder / 'program.py'}"


def test_it_outlives_the_channel_and_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rests: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    """The channel goes twice, then the command fails once, then all is well again."""
    once = tmp_path / "failed"
    text = (
        f"import json, pathlib, sys\nfailed = pathlib.Path({json.dumps(str(once))})\n"
        "if not failed.exists():\n    failed.touch()\n    sys.exit(3)\n"
        "print(json.load(sys.stdin)['text'].upper())\n"
    )
    channel = Channel(GONE, Refused(503, "away"), [ITEM], [ITEM])
    with pytest.raises(_End):
        serve(monkeypatch, tmp_path, channel, program(tmp_path, text))
    assert (channel.answers, channel.acknowledged) == (["HI"], ["i1"])
    assert rests == [2.0, 4.0, 8.0]
    said = capsys.readouterr().err
    assert "the command ended with 3" in said
    assert [name for name, _ in channel.done if name == "send_message"] == ["send_message"]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_waiting_does_not_mend_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rests: list[float], status: int
) -> None:
    with pytest.raises(Refused):
        serve(monkeypatch, tmp_path, Channel(Refused(status, "no")), program(tmp_path, ""))
    assert rests == []


@pytest.mark.parametrize("command", ["no-such-command-anywhere", "{program}"])
def test_once_tells_of_a_command_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    channel = Channel([ITEM])
    words = command.format(program=program(tmp_path, "import sys; sys.exit(1)"))
    with pytest.raises(StartupError, match="comes again"):
        serve(monkeypatch, tmp_path, channel, words, once=True)
    assert channel.acknowledged == []


def test_nothing_said_is_no_answer_and_once_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = Channel([ITEM], [])
    assert serve(monkeypatch, tmp_path, channel, program(tmp_path, ""), once=True) == ExitCode.OK
    assert (channel.answers, channel.acknowledged) == ([], ["i1"])


def test_a_command_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text(json.dumps({"channel": {"token": "a-long-word-for-tests-only"}}))
    assert main(["channel", "serve", "-c", str(tmp_path / "config.yaml"), "--exec", " "]) == ExitCode.USAGE
    assert "names no command" in capsys.readouterr().err
