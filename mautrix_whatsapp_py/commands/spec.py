"""What a command is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from mautrix_whatsapp_py.bridge.door import CommandRequest
from mautrix_whatsapp_py.commands.results import Result
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.errors import CommandError


class CommandSection(StrEnum):
    """Where help lists a command; in this order."""

    GENERAL = "General"
    LOGIN = "Login"
    CHATS = "Chats"
    ADMIN = "Administration"


class UsageError(CommandError):
    """The command was written in a way it does not understand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A switch of a command, written `--name`."""

    name: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A command as somebody called it."""

    request: CommandRequest
    command: Command
    args: tuple[str, ...] = ()
    flags: frozenset[str] = frozenset()
    prefix: str = ""
    """What stands before commands in this room, with its space."""


Runner: TypeAlias = Callable[[Call], Awaitable[Result | tuple[Result, ...]]]
"""Carries a command out; a crash may repeat it with the same `request.event_id`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command: what help says of it, who may call it, how it is written, what it does."""

    name: str
    section: CommandSection
    summary: str
    run: Runner
    aliases: tuple[str, ...] = ()
    usage: str = ""
    """The arguments as help shows them."""
    example: str = ""
    """Arguments that make sense."""
    level: PermissionLevel = PermissionLevel.COMMANDS
    min_args: int = 0
    max_args: int | None = 0
    flags: tuple[Flag, ...] = ()
    takes_command: bool = False
    """Whether the last argument is another command, whose switches are its own."""

    def parse(self, request: CommandRequest, words: tuple[str, ...], *, prefix: str) -> Call:
        """A call from the words after the command's name; UsageError when they do not fit."""
        is_flag = [word.startswith("--") and not self.takes_command for word in words]
        flags = frozenset(word[2:].lower() for word, is_one in zip(words, is_flag, strict=True) if is_one)
        args = tuple(word for word, is_one in zip(words, is_flag, strict=True) if not is_one)
        if flags - {flag.name for flag in self.flags}:
            raise UsageError("This switch does not exist here.")
        if len(args) < self.min_args:
            raise UsageError("Something is missing.")
        if self.max_args is not None and len(args) > self.max_args:
            raise UsageError("That is more than this command takes.")
        return Call(request=request, command=self, args=args, flags=flags, prefix=prefix)

    def written(self, arguments: str, *, prefix: str) -> str:
        """The command as one would type it."""
        return f"{prefix}{self.name} {arguments}".rstrip()
