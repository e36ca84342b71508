from __future__ import annotations

from mautrix_whatsapp_py.commands.dialogs import Dialogs
from mautrix_whatsapp_py.commands.dispatch import Dispatcher
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from tests.unit.commands.calls import COMMANDS, ask


async def said(text: str, *, level: PermissionLevel = PermissionLevel.USER, is_management: bool = True) -> str:
    dispatcher = Dispatcher(COMMANDS, prefix="!wa", dialogs=Dialogs())
    (notice,) = await dispatcher.run(ask(text, level=level, is_management=is_management))
    return notice.body


OVERVIEW = """General:
• `help [command]`: Show what I can do, or how one command is used.

Chats:
• `echo <word> [word]`: Say it again.
• `faulty`: Break.
• `refuse`: Refuse.
• `count`: Count.
• `waiting`: Wait.

Send `help <command>` to see how one of them is used."""


async def test_help_lists_what_the_caller_may_do_in_groups() -> None:
    assert await said("help") == OVERVIEW


async def test_an_admin_sees_more() -> None:
    assert "Administration:\n• `sudo`: Rule." in await said("help", level=PermissionLevel.ADMIN)


async def test_elsewhere_help_shows_the_prefix() -> None:
    text = await said("help", is_management=False)
    assert "• `!wa echo <word> [word]`: Say it again." in text
    assert "Send `!wa help <command>`" in text


async def test_help_of_a_command_shows_usage_example_switches_and_other_names() -> None:
    assert await said("help say") == (
        "Say it again.\nUsage: `echo <word> [word]`\nExample: `echo hello`\n`--loud`: Shout.\nAlso: `say`"
    )


async def test_help_of_what_one_may_not_use_tells_nothing() -> None:
    assert await said("help sudo") == "There is no command `sudo`. Send `help` for what there is."
