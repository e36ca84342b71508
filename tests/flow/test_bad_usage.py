"""Commands that are written wrongly say how they are written, and do nothing."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.commands.spec import Command
from mautrix_whatsapp_py.ids import MxRoomId
from tests.flow.chat import CLUB
from tests.flow.desk import Desk
from tests.flow.world import ROOT, World

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""

ROOTS_DM = MxRoomId("!root:localhost")
WRONG_WORDS = (
    "block nobody",
    "create-group",
    "create-group Club +ben",
    "disappearing-timer 2d",
    "filter deny everybody",
    "filter deny",
    "filter forbid group",
    "list rooms",
    "login by pigeon",
    "login code 0",
    "login code",
    "mute 5",
    "mute forever",
    "pair me",
    "pm nobody",
    "privacy receipts maybe",
    "privacy shoes off",
    "resolve-identifier Ben",
    "rsvp perhaps",
    "sync everything",
    "unblock nobody",
    "vote first",
)


@pytest.fixture
async def desk(world: World) -> Desk:
    desk = await Desk.open(world)
    await world.open_dm(room_id=ROOTS_DM, user=ROOT)
    return desk


def wrong(command: Command) -> list[str]:
    """How nobody may write it."""
    lines = [] if command.takes_command else ["--nonsense"]
    if command.min_args:
        lines.append("")
    if command.max_args is not None:
        lines.append("x " * (command.max_args + 1))
    return [f"{name} {words}".strip() for name in (command.name, *command.aliases) for words in lines]


async def test_every_command_tells_how_it_is_written(desk: Desk) -> None:
    world = desk.world
    for command in world.dispatcher.commands:
        for line in wrong(command):
            world.matrix.calls.clear()
            said = await desk.ask(line, room_id=ROOTS_DM, sender=ROOT)
            assert f"Usage: `{command.name}" in said, line
            assert not command.usage or f"Example: `{command.name} " in said, line
            assert set(world.matrix.calls) == {"send_notice"}, line


async def test_wrong_words_are_explained(desk: Desk) -> None:
    desk.directory.add_group(CLUB.user, "Club")
    await desk.ask("open club")
    room_id = desk.chat.room_id
    desk.join(room_id)
    world = desk.world
    for line in WRONG_WORDS:
        world.matrix.calls.clear()
        desk.directory.calls.clear()
        said = await desk.ask(f"!wa {line}", room_id=room_id)
        name = line.split()[0]
        assert f"\nUsage: `!wa {name} " in said, line
        assert f"\nExample: `!wa {name} " in said, line
        assert set(world.matrix.calls) == {"send_notice"}, line
        assert not desk.directory.calls, line
        assert not world.network.pairings, line
