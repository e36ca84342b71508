"""Files of messages that wait behind others in their chat: fetched beforehand, shown in their turn."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from mautrix_whatsapp_py.ids import WaMessageId
from mautrix_whatsapp_py.model.media import MediaUnavailable, MxFile
from mautrix_whatsapp_py.model.portal import PortalId
from mautrix_whatsapp_py.tasks import end_all

PER_CHAT: Final = 3
"""How many files of one chat are fetched or kept ready at a time, the one whose turn it is included."""
AT_ONCE: Final = 6
"""How many files are fetched before their turn, all chats together; a file whose turn it is waits for no other."""
_REMEMBERED: Final = 512

Brought: TypeAlias = MxFile | MediaUnavailable | None
Bring: TypeAlias = Callable[[], Awaitable[Brought]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKey:
    """A file of a message, which several accounts may see."""

    portal_id: PortalId
    message_id: WaMessageId
    path: str


@dataclass(slots=True, kw_only=True)
class _File:
    bring: Bring
    task: asyncio.Future[Brought] | None = None
    is_its_turn: bool = False

    @property
    def is_ahead(self) -> bool:
        return self.task is not None and not self.task.done() and not self.is_its_turn


class FilesAhead:
    """Keeps what it fetched until the message is settled: tries of the same message fetch nothing twice."""

    def __init__(self, *, per_chat: int = PER_CHAT, at_once: int = AT_ONCE) -> None:
        self._per_chat = per_chat
        self._at_once = at_once
        self._chats: dict[PortalId, OrderedDict[FileKey, _File]] = {}
        self._settled: OrderedDict[FileKey, None] = OrderedDict()
        self._is_stopped = False

    def offer(self, key: FileKey, bring: Bring) -> None:
        """A message came that has a file; `bring` gives None when nobody needs it."""
        if self._is_stopped:
            return
        chat = self._chats.setdefault(key.portal_id, OrderedDict())
        if key not in chat and key not in self._settled:
            chat[key] = _File(bring=bring)
        self._begin()

    async def take(self, key: FileKey) -> Brought:
        """The file of the message whose turn it is; None when it was not offered, or nobody needed it then."""
        file = self._chats.get(key.portal_id, OrderedDict[FileKey, _File]()).get(key)
        if file is None:
            return None
        if file.task is None or _is_worth_another(file.task, was_taken=file.is_its_turn):
            file.task = asyncio.ensure_future(file.bring())
        file.is_its_turn = True
        self._begin()
        return await asyncio.shield(file.task)

    def settle(self, key: FileKey) -> None:
        """The message is done with."""
        self._settled[key] = None
        self._settled.move_to_end(key)
        if len(self._settled) > _REMEMBERED:
            self._settled.popitem(last=False)
        chat = self._chats.get(key.portal_id, OrderedDict[FileKey, _File]())
        file = chat.pop(key, None)
        if file is not None and file.task is not None:
            _end(file.task)
        if not chat:
            self._chats.pop(key.portal_id, None)
        self._begin()

    async def stop(self) -> None:
        """End what is under way; the messages come again."""
        self._is_stopped = True
        tasks = [file.task for chat in self._chats.values() for file in chat.values() if file.task is not None]
        self._chats.clear()
        await end_all(tasks)

    def _begin(self) -> None:
        """Start what there is room for; every chat's first files before any chat's second ones."""
        free = self._at_once - sum(file.is_ahead for chat in self._chats.values() for file in chat.values())
        for place in range(self._per_chat):
            for chat in self._chats.values():
                file = next(islice(chat.values(), place, None), None)
                if file is not None and file.task is None and free > 0:
                    file.task = asyncio.ensure_future(file.bring())
                    free -= 1


def _is_worth_another(task: asyncio.Future[Brought], *, was_taken: bool) -> bool:
    """Whether what a fetch ended in is no answer, or one that was given before."""
    if not task.done():
        return False
    if task.cancelled() or task.exception() is not None:
        return True
    return was_taken and not isinstance(task.result(), MxFile)


def _end(task: asyncio.Future[Brought]) -> None:
    if not task.cancel() and not task.cancelled():
        # Whoever took it has heard of its failure; of one that nobody took there is nothing to tell.
        task.exception()
