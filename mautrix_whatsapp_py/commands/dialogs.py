"""Who is in the middle of answering questions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mautrix_whatsapp_py.commands.results import Result
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId

MAX_DIALOGS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """An open question and what takes its answer."""

    name: str
    room_id: MxRoomId
    take: Callable[[str], Awaitable[Result | tuple[Result, ...]]]


class Dialogs:
    """At most one open question per person; the oldest give way."""

    def __init__(self, *, size: int = MAX_DIALOGS) -> None:
        self._size = size
        self._open: OrderedDict[MxUserId, Dialog] = OrderedDict()

    def start(self, user: MxUserId, dialog: Dialog) -> None:
        """Ask; an older question of the same person is dropped."""
        self._open.pop(user, None)
        self._open[user] = dialog
        while len(self._open) > self._size:
            self._open.popitem(last=False)

    def get(self, user: MxUserId, room_id: MxRoomId) -> Dialog | None:
        """The question somebody has open in a room."""
        dialog = self._open.get(user)
        return dialog if dialog is not None and dialog.room_id == room_id else None

    def end(self, user: MxUserId) -> Dialog | None:
        """Close somebody's question; which it was."""
        return self._open.pop(user, None)
