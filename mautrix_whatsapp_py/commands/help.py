"""The command that explains the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mautrix_whatsapp_py.commands.results import Group, Item, Listing, Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection
from mautrix_whatsapp_py.convert.bot_text import quoted
from mautrix_whatsapp_py.errors import CommandError


def help_command(commands: Callable[[], Sequence[Command]]) -> Command:
    """`help`, knowing all commands."""

    async def run(call: Call) -> Listing | Said:
        allowed = [command for command in commands() if call.request.level >= command.level]
        if not call.args:
            return _overview(allowed, call)
        name = call.args[0].lower()
        for command in allowed:
            if name in (command.name, *command.aliases):
                return Said(text=describe(command, prefix=call.prefix))
        raise CommandError(f"There is no command `{quoted(name)}`. Send `{call.prefix}help` for what there is.")

    return Command(
        name="help",
        section=CommandSection.GENERAL,
        summary="Show what I can do, or how one command is used.",
        usage="[command]",
        example="status",
        max_args=1,
        run=run,
    )


def describe(command: Command, *, prefix: str) -> str:
    """All about one command."""
    lines = [command.summary, usage_text(command, prefix=prefix)]
    lines += [f"`--{flag.name}`: {flag.summary}" for flag in command.flags]
    if command.aliases:
        lines.append("Also: " + ", ".join(f"`{prefix}{alias}`" for alias in command.aliases))
    return "\n".join(lines)


def usage_text(command: Command, *, prefix: str) -> str:
    """How a command is written, with an example."""
    lines = [f"Usage: `{command.written(command.usage, prefix=prefix)}`"]
    if command.example:
        lines.append(f"Example: `{command.written(command.example, prefix=prefix)}`")
    return "\n".join(lines)


def _overview(allowed: Sequence[Command], call: Call) -> Listing:
    groups = tuple(
        Group(title=section.value, items=items)
        for section in CommandSection
        if (items := tuple(_line(command, call) for command in allowed if command.section is section))
    )
    footer = f"Send `{call.prefix}help <command>` to see how one of them is used."
    return Listing(groups=groups, footer=footer)


def _line(command: Command, call: Call) -> Item:
    return Item(term=command.written(command.usage, prefix=call.prefix), text=command.summary, is_code=True)
