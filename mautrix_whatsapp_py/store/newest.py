"""Up to when messages of chats are recorded, so that nobody has to look for newer ones."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from mautrix_whatsapp_py.ids import WaMessageId
from mautrix_whatsapp_py.model.portal import MessagePart, PortalId

MOST_CHATS = 2000


@dataclass(slots=True)
class _Second:
    """The newest second in which a chat has messages that this process recorded, and which these are."""

    at: int
    ids: set[WaMessageId] = field(default_factory=set)


class Newest:
    """A hint that never takes a recorded message for a new one, as long as nobody else records any.

    Times are those of WhatsApp's server: no clock of ours is asked. Safe from any thread: rows are written on
    one of their own.
    """

    def __init__(self, most_chats: int = MOST_CHATS) -> None:
        self._most_chats = most_chats
        self._lock = threading.Lock()
        self._before: OrderedDict[PortalId, int] = OrderedDict()
        """The newest second of what was recorded when a chat was looked at first."""
        self._added: OrderedDict[PortalId, _Second] = OrderedDict()

    def add(self, parts: Iterable[MessagePart]) -> None:
        """These are about to be recorded, if nothing goes wrong."""
        with self._lock:
            for part in parts:
                self._add(part.portal_id, _second(part.sent_at), part.message_id)

    def learn(self, portal_id: PortalId, newest: datetime | None) -> None:
        """What the newest message recorded of a chat is from; asked for behind all that is recorded of it."""
        with self._lock:
            self._before.setdefault(portal_id, 0 if newest is None else _second(newest))
            if len(self._before) > self._most_chats:
                self._before.popitem(last=False)

    def knows(self, portal_id: PortalId) -> bool:
        """Whether anything was learned of a chat."""
        return portal_id in self._before

    def is_new(self, portal_id: PortalId, sent_at: datetime, message_id: WaMessageId) -> bool:
        """Whether a message is recorded for certain not."""
        with self._lock:
            before, at = self._before.get(portal_id), _second(sent_at)
            if before is None or at <= before:
                return False
            self._before.move_to_end(portal_id)
            added = self._added.get(portal_id)
            if added is None:
                return True
            return at > added.at or (at == added.at and message_id not in added.ids)

    def _add(self, portal_id: PortalId, at: int, message_id: WaMessageId) -> None:
        second = self._added.get(portal_id)
        if second is None or at > second.at:
            second = self._added[portal_id] = _Second(at)
        if at == second.at:
            second.ids.add(message_id)
        self._added.move_to_end(portal_id)
        if len(self._added) > self._most_chats:
            gone, _ = self._added.popitem(last=False)
            self._before.pop(gone, None)


def _second(moment: datetime) -> int:
    return int(moment.timestamp())
