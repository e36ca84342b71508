"""docs/commands.md shows what the bot really says.

With UPDATE_DOCS=1 in the environment the page is written anew instead of compared.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from mautrix_whatsapp_py.commands.help import describe
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.model.wa_directory import WaContact
from tests.flow.chat import BEN, CARLA, CLUB
from tests.flow.desk import Desk
from tests.flow.world import ALICE, DM, ROOT, World

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
ROOTS_DM = MxRoomId("!root:localhost")
_BLOCK = re.compile(r"(<!-- (?P<name>[a-z-]+) -->\n```text\n).*?(```\n)", re.DOTALL)

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""


@pytest.fixture
async def desk(world: World) -> Desk:
    desk = await Desk.open(world)
    await world.open_dm(room_id=ROOTS_DM, user=ROOT)
    desk.directory.add_group(CLUB.user, "Garden club", members=12)
    desk.directory.add_group("120363099", "Family", members=5)
    desk.directory.contacts.append(WaContact(jid=BEN, full_name="Ben Builder", push_name="Ben"))
    desk.directory.contacts.append(WaContact(jid=CARLA, full_name="Carla", push_name="Carla"))
    desk.directory.add_person(BEN.user)
    return desk


async def _transcript(desk: Desk, *lines: tuple[str, MxRoomId, MxUserId]) -> str:
    """What people wrote and the bot answered, as a client shows it."""
    shown = []
    for command, room_id, sender in lines:
        name = sender.removeprefix("@").split(":")[0]
        answer = await desk.ask(command, room_id=room_id, sender=sender)
        shown.append(f"{name}: {command}\nbot: " + _indent(answer))
    return _settle("\n\n".join(shown))


def _indent(text: str) -> str:
    return text.replace("\n", "\n     ").replace("     \n", "\n")


def _settle(text: str) -> str:
    """The parts that depend on the machine are the same everywhere."""
    return re.sub(r"!whatsapp_chat-[0-9a-f]+:localhost", "!room:example.com", text).replace(
        "via=localhost", "via=example.com"
    )


def _administration(text: str) -> str:
    """What others do not see."""
    rest = text[text.index("     Administration:") :].partition("\n\n")[0]
    return rest.replace("     ", "", 1).replace("\n     ", "\n")


async def _sync(desk: Desk) -> str:
    """Every state of the one notice that shows progress."""
    before = len(desk.world.matrix.sent)
    await desk.world.say("sync")
    await desk.world.work.syncing.idle()
    states = [sent.notice.body for sent in desk.world.matrix.sent[before:]]
    first, *edits = [f"bot: {_indent(state)}" for state in states]
    return "\n\n".join(["alice: sync", first, *(f"(edited)\n{edit}" for edit in edits)])


async def _in_a_group(desk: Desk) -> str:
    opened = await _transcript(desk, ("open garden", DM, ALICE))
    room_id = desk.chat.room_id
    desk.join(room_id)
    inside = await _transcript(
        desk,
        ("!wa id", room_id, ALICE),
        ("!wa invite-link", room_id, ALICE),
        ("!wa disappearing-timer 7d", room_id, ALICE),
        ("!wa disappearing-timer 2d", room_id, ALICE),
        ("!wa privacy receipts off", room_id, ALICE),
        ("!wa filter deny this", room_id, ALICE),
    )
    return f"{opened}\n\n{inside}"


async def _transcripts(desk: Desk) -> dict[str, str]:
    return {
        "help": await _transcript(desk, ("help", DM, ALICE)),
        "help-admin": _administration(await _transcript(desk, ("help", ROOTS_DM, ROOT))),
        "group": await _in_a_group(desk),
        "people": await _transcript(
            desk,
            ("list-contacts", DM, ALICE),
            ("list-groups garden", DM, ALICE),
            ("pm +1 555 000 2222", DM, ALICE),
            ("pm +1 555 000 9999", DM, ALICE),
        ),
        "sync": _settle(await _sync(desk)),
    }


async def test_the_page_shows_what_the_bot_says(desk: Desk) -> None:
    shown = await _transcripts(desk)
    page = PAGE.read_text()
    wanted = _BLOCK.sub(lambda match: f"{match[1]}{shown[match['name']]}\n{match[3]}", page)
    if os.environ.get("UPDATE_DOCS") == "1":
        PAGE.write_text(wanted)
    assert {match["name"] for match in _BLOCK.finditer(page)} == set(shown)
    assert PAGE.read_text() == wanted


async def test_the_page_names_every_command(desk: Desk) -> None:
    page = PAGE.read_text()
    commands = desk.world.dispatcher.commands
    assert not [command.name for command in commands if f"`{command.name}" not in page]
    assert not [alias for command in commands for alias in command.aliases if f"`{alias}`" not in page]


async def test_every_command_has_an_example_that_parses(desk: Desk) -> None:
    for command in desk.world.dispatcher.commands:
        text = describe(command, prefix="")
        assert not command.usage or command.example, command.name
        assert "Usage: `" in text
        assert command.level <= PermissionLevel.ADMIN
