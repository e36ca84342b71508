from __future__ import annotations

import pytest

from mautrix_whatsapp_py.bridge.door import CommandRequest
from mautrix_whatsapp_py.commands.dialogs import Dialog, Dialogs
from mautrix_whatsapp_py.commands.dispatch import Dispatcher
from mautrix_whatsapp_py.commands.results import Said
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.errors import MatrixUnreachable
from mautrix_whatsapp_py.ids import MxRoomId
from tests.unit.commands.calls import ALICE, COMMANDS, ECHO, ROOM, ask


async def answer(request: CommandRequest, dialogs: Dialogs | None = None) -> str:
    dispatcher = Dispatcher(COMMANDS, prefix="!wa", dialogs=dialogs or Dialogs())
    (notice,) = await dispatcher.run(request)
    return notice.body


USAGE = "Usage: `echo <word> [word]`\nExample: `echo hello`"
GOLDEN = {
    "echo hello": "hello []",
    "ECHO  hello   there": "hello there []",
    "say hello": "hello []",
    "echo hello --loud": "hello ['loud']",
    "echo --LOUD hello": "hello ['loud']",
    "echo": f"Something is missing.\n{USAGE}",
    "echo a b c": f"That is more than this command takes.\n{USAGE}",
    "echo a --quiet": f"This switch does not exist here.\n{USAGE}",
    "count x": "That is more than this command takes.\nUsage: `count`\nExample: `count 3`",
    "count": "That is not a number.\nUsage: `count`\nExample: `count 3`",
    "refuse": "Not on a Sunday.",
    "ehco hello": "There is no command `ehco`. Did you mean `echo`? Send `help` for what there is.",
    "sudo rm": "You may not use `sudo`: it needs the level admin. Ask the person who runs the bridge.",
    "sud": "There is no command `sud`. Send `help` for what there is.",
    "😀": "There is no command `😀`. Send `help` for what there is.",
    "`rm`": "There is no command `'rm'`. Send `help` for what there is.",
    "<b>x</b>": "There is no command `<b>x</b>`. Send `help` for what there is.",
    "שלום עולם": "There is no command `שלום`. Send `help` for what there is.",
    "x" * 65536: f"There is no command `{'x' * 59}…`. Send `help` for what there is.",
}


@pytest.mark.parametrize("text", GOLDEN, ids=lambda text: text[:20])
async def test_answers(text: str) -> None:
    assert await answer(ask(text)) == GOLDEN[text]


async def test_outside_the_management_room_everything_is_shown_with_its_prefix() -> None:
    said = await answer(ask("echo", is_management=False))
    assert "`!wa echo <word> [word]`" in said
    said = await answer(ask("ehco", is_management=False))
    assert said == "There is no command `ehco`. Did you mean `!wa echo`? Send `!wa help` for what there is."


async def test_an_admin_may_use_what_others_may_not() -> None:
    assert await answer(ask("sudo x", level=PermissionLevel.ADMIN)) == "x []"


async def test_relayed_people_may_not_use_commands() -> None:
    said = await answer(ask("help", level=PermissionLevel.RELAY))
    assert said == "You may not use commands of this bridge. Ask the person who runs it."


async def test_a_fault_tells_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    said = await answer(ask("faulty"))
    assert "fault in the bridge" in said
    assert "secret detail" not in said
    assert "$question" in caplog.text


async def test_what_may_heal_is_left_to_the_queue() -> None:
    with pytest.raises(MatrixUnreachable):
        await answer(ask("waiting"))


def test_two_commands_may_not_share_a_name() -> None:
    with pytest.raises(ValueError, match="echo"):
        Dispatcher((ECHO, ECHO), prefix="!wa", dialogs=Dialogs())


def _dialog(room_id: MxRoomId = ROOM) -> Dialog:
    async def take(text: str) -> Said:
        return Said(text=f"taken: {text}")

    return Dialog(name="login", room_id=room_id, take=take)


async def test_an_open_question_takes_the_next_message() -> None:
    dialogs = Dialogs()
    dialogs.start(ALICE, _dialog())
    assert await answer(ask("echo hello"), dialogs) == "taken: echo hello"


async def test_a_question_in_another_room_takes_nothing_here() -> None:
    dialogs = Dialogs()
    dialogs.start(ALICE, _dialog(MxRoomId("!other:localhost")))
    assert await answer(ask("echo hello"), dialogs) == "hello []"


def test_the_oldest_questions_give_way() -> None:
    dialogs = Dialogs(size=1)
    dialogs.start(ALICE, _dialog())
    dialogs.start(ask("x", sender=ALICE).sender, _dialog())
    assert dialogs.get(ALICE, ROOM) is not None
    other = type(ALICE)("@bob:localhost")
    dialogs.start(other, _dialog())
    assert dialogs.get(ALICE, ROOM) is None
    assert dialogs.end(other) is not None
    assert dialogs.end(other) is None
