"""From the text of a command to its answer."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Sequence

from mautrix_whatsapp_py.bridge.door import CommandRequest
from mautrix_whatsapp_py.commands.dialogs import Dialogs
from mautrix_whatsapp_py.commands.help import help_command, usage_text
from mautrix_whatsapp_py.commands.render import render
from mautrix_whatsapp_py.commands.results import Result, Said
from mautrix_whatsapp_py.commands.spec import Command, UsageError
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.convert.bot_text import quoted
from mautrix_whatsapp_py.errors import CommandError, MatrixUnreachable, PhoneNumberError, StoreUnavailable
from mautrix_whatsapp_py.model.mx import MxNotice

log = logging.getLogger(__name__)

Answer = Result | tuple[Result, ...]
NOT_ALLOWED = Said(text="You may not use commands of this bridge. Ask the person who runs it.")
FAULT = Said(
    text="That failed because of a fault in the bridge. The person who runs it finds the details in the log."
)
MAX_TYPO_CHARACTERS = 40


class Dispatcher:
    """The CommandDoor: finds the command, checks who calls it and how, runs it, renders what it answers."""

    def __init__(self, commands: Sequence[Command], *, prefix: str, dialogs: Dialogs) -> None:
        every = (help_command(lambda: self.commands), *commands)
        self.commands: tuple[Command, ...] = every
        self._prefix = prefix
        self._dialogs = dialogs
        self._by_name = _index(every)

    async def run(self, request: CommandRequest) -> Sequence[MxNotice]:
        """Carry out a command; what to answer. Raises only what heals when tried again."""
        return render(await self.answer(request))

    async def answer(self, request: CommandRequest) -> Answer:
        """The same, before anybody thinks of how it looks."""
        try:
            return await self._run(request)
        except CommandError as error:
            return Said(text=error.text)
        except (MatrixUnreachable, StoreUnavailable):
            raise
        except Exception:
            log.exception("the command in event %s failed", request.event_id)
            return FAULT

    async def _run(self, request: CommandRequest) -> Answer:
        if request.level < PermissionLevel.COMMANDS:
            return NOT_ALLOWED
        name, *words = request.text.split()
        command = self._by_name.get(name.lower())
        dialog = self._dialogs.get(request.sender, request.room_id)
        if dialog is not None and (command is None or command.name != "cancel"):
            return await dialog.take(request.text)
        if command is None:
            return self._unknown(name, request)
        if request.level < command.level:
            needed = f"it needs the level {_label(command.level)}. Ask the person who runs the bridge."
            return Said(text=f"You may not use `{command.name}`: {needed}")
        return await self._call(command, request, tuple(words))

    async def _call(self, command: Command, request: CommandRequest, words: tuple[str, ...]) -> Answer:
        prefix = self._prefix_for(request)
        try:
            return await command.run(command.parse(request, words, prefix=prefix))
        except (UsageError, PhoneNumberError) as error:
            return Said(text=f"{error.text}\n{usage_text(command, prefix=prefix)}")

    def _unknown(self, name: str, request: CommandRequest) -> Said:
        prefix = self._prefix_for(request)
        known = [name for name, command in self._by_name.items() if request.level >= command.level]
        near = difflib.get_close_matches(name.lower()[:MAX_TYPO_CHARACTERS], known, n=1)
        guess = f" Did you mean `{prefix}{near[0]}`?" if near else ""
        return Said(text=f"There is no command `{quoted(name)}`.{guess} Send `{prefix}help` for what there is.")

    def _prefix_for(self, request: CommandRequest) -> str:
        return "" if request.is_management else f"{self._prefix} "


def _index(commands: Sequence[Command]) -> dict[str, Command]:
    index: dict[str, Command] = {}
    for command in commands:
        for name in (command.name, *command.aliases):
            if name in index:
                raise ValueError(f"two commands are called {name}")
            index[name] = command
    return index


def _label(level: PermissionLevel) -> str:
    return level.name.lower()
