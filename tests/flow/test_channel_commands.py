"""Commands that ask a channel which runs, and the bot's command about strangers."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from mautrix_whatsapp_py.app.strangers import ChannelStrangers
from mautrix_whatsapp_py.cli.entry import main
from mautrix_whatsapp_py.commands.strangers import stranger_commands
from mautrix_whatsapp_py.config.channel import Webhook
from mautrix_whatsapp_py.errors import ExitCode
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind
from mautrix_whatsapp_py.store.store import Store
from tests.fakes.whatsapp import START, device_of
from tests.flow.channel_desk import BEN, LOGIN, TOKEN, Desk, desk_of, number
from tests.flow.desk import Desk as BotDesk
from tests.flow.world import ALICE, ROOT, World

WEBHOOK = Webhook(url="http://127.0.0.1:9/x", secret="a-long-secret-for-tests")


class Shell:
    """The command line against a channel in this process."""

    def __init__(self, desk: Desk, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._config = folder / "config.yaml"
        self._capsys = capsys
        channel = {"bridge_url": str(desk.http.make_url("/bridge")), "token": TOKEN}
        self._config.write_text(json.dumps({"channel": channel}))

    async def run(self, *words: str) -> tuple[int, str]:
        """A command; its exit code and what it printed."""
        name, *rest = words
        code = await asyncio.to_thread(main, ["channel", name, "-c", str(self._config), *rest])
        said = self._capsys.readouterr()
        return code, said.out + said.err


@pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
async def test_channel_doctor_says_what_is_wrong_and_how_it_is_mended(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with desk_of(store, tmp_path / "desk", webhooks=(WEBHOOK,)) as desk:
        shell = Shell(desk, tmp_path, capsys)
        code, said = await shell.run("doctor")
        assert (code, "account default: +15550001111 is connected" in said) == (ExitCode.OK, True), said
        await desk.hear("let me in")
        desk.network.set_state(LOGIN, WaState(kind=WaStateKind.BAD_CREDENTIALS, since=START, message="Link it."))
        code, said = await shell.run("doctor", "--json")
        found = {one["name"]: one for one in json.loads(said)["findings"]}
        assert code == ExitCode.UNWELL
        assert (found["account default"]["outcome"], found["account default"]["mend"]) == ("error", "Link it.")
        assert found["pairing"]["outcome"] == "warning"
        task = asyncio.create_task(desk.parts.postman.run())
        async with asyncio.timeout(30):
            while not (await desk.call("GET", "/v1/webhooks"))[1]["webhooks"][0]["error"]:
                await asyncio.sleep(0.005)
        task.cancel()
        code, said = await shell.run("doctor")
        assert "could not be reached" in said
        code, said = await shell.run("webhooks", "list")
        assert (code, "1 wait, 0 were given up" in said) == (ExitCode.OK, True)
        code, said = await shell.run("webhooks", "retry")
        assert (code, said) == (ExitCode.OK, "0 events are told again.\n")
    code, said = await shell.run("doctor")
    assert (code, "No channel answers" in said) == (ExitCode.UNWELL, True)


@pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
async def test_every_command_answers_in_json(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with desk_of(store, tmp_path / "desk", allow_from=(f"+{BEN}",), webhooks=(WEBHOOK,)) as desk:
        shell = Shell(desk, tmp_path, capsys)
        message_id = await desk.hear("hello")
        await desk.hear("let me in", sender=number("15550009999"))
        _, pending = await desk.call("GET", "/v1/pairing")
        target = ("--target", f"contact:+{BEN}")
        commands: tuple[tuple[str, ...], ...] = (
            ("accounts",),
            ("status",),
            ("send", *target, "--text", "hi", "--reply-to", message_id),
            ("react", *target, "--message-id", message_id, "--emoji", "👍"),
            ("poll", *target, "--question", "When?", "--option", "now", "--option", "later"),
            ("pairing", "list"),
            ("pairing", "approve", pending["requests"][0]["code"]),
            ("webhooks", "list"),
            ("webhooks", "retry"),
            ("doctor",),
        )
        for words in commands:
            code, said = await shell.run(*words, "--json")
            assert code == ExitCode.OK, said
            assert isinstance(json.loads(said), dict), words
            code, said = await shell.run(*words)
            # What was approved is nobody's code any more.
            assert code == (ExitCode.USAGE if "approve" in words else ExitCode.OK), said
            assert not said.startswith("{")
        assert len(desk.client.messages) == 2 * 3 + 1


def test_channel_logs_shows_the_end_and_follows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, log = tmp_path / "config.yaml", tmp_path / "bridge.log"
    config.write_text(json.dumps({"logging": {"file": str(log)}}))
    log.write_text("one\ntwo\nthree\n")
    assert main(["channel", "logs", "-c", str(config), "--lines", "2"]) == ExitCode.OK
    assert capsys.readouterr().out == "two\nthree\n"
    turns = iter(("four\nfi", "ve\n"))

    def more(_seconds: float) -> None:
        written = next(turns, None)
        if written is not None:
            with log.open("a") as file:
                file.write(written)
        elif not (tmp_path / "bridge.log.1").exists():
            log.rename(tmp_path / "bridge.log.1")
            log.write_text("six\n")
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr("mautrix_whatsapp_py.cli.channel_logs.time.sleep", more)
    assert main(["channel", "logs", "-c", str(config), "--lines", "1", "--follow", "--json"]) == ExitCode.OK
    shown = [json.loads(line)["line"] for line in capsys.readouterr().out.splitlines()]
    assert shown == ["three", "four", "five", "six"]
    config.write_text("{}")
    assert main(["channel", "logs", "-c", str(config)]) == ExitCode.USAGE
    assert "logging.file" in capsys.readouterr().err


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """Alice at her management room, and what the bot knows of strangers."""

    desk: BotDesk
    strangers: ChannelStrangers

    async def ask(self, command: str) -> str:
        """A command of alice's."""
        return await self.desk.ask(command)


@pytest.fixture
async def bot(world: World) -> Bot:
    strangers = ChannelStrangers()
    world.more_commands = lambda _: stranger_commands(strangers, logins=world.logins)
    await world.restart()
    return Bot(desk=await BotDesk.open(world), strangers=strangers)


@pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
async def test_the_bot_lets_strangers_in_for_the_owner_of_the_account_alone(
    bot: Bot, store: Store, tmp_path: Path
) -> None:
    assert "still starting" in await bot.ask("pairing")
    async with desk_of(store, tmp_path / "desk") as desk:
        bot.strangers.bind(desk.parts.channel)
        await bot.desk.world.logins.add(ROOT, device_of(LOGIN))
        await desk.hear("let me in")
        await desk.hear("me too", sender=number("15550009999"))
        _, pending = await desk.call("GET", "/v1/pairing")
        code = pending["requests"][0]["code"]
        assert "None of your accounts" in await bot.ask(f"pairing approve {code}")
        await bot.desk.world.logins.add(ALICE, device_of(LOGIN))
        listed = await bot.ask("pairing list")
        codes = dict(re.findall(r"\+(\d+)\W+([A-Z2-9]{8})", listed))
        assert set(codes) == {BEN, "15550009999"}
        assert f"+{BEN} is let in" in await bot.ask(f"pairing approve {codes[BEN]}")
        assert "is refused" in await bot.ask(f"pairing deny {codes['15550009999']}")
        assert "No one waits" in await bot.ask(f"pairing approve {codes[BEN]}")
        assert "Nobody waits" in await bot.ask("pairing")
        assert "approve or deny" in await bot.ask("pairing maybe")
        await desk.hear("thank you")
        assert await desk.texts_read() == ["thank you"]
