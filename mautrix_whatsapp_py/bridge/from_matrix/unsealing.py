"""Encrypted events: read in the order of their room; one whose key is late waits for it beside the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.errors import BridgeError, MatrixError
from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, MxTxnId
from mautrix_whatsapp_py.model.mx import MxEncrypted, MxEvent, MxNotice, MxOther
from mautrix_whatsapp_py.model.portal import PortalId
from mautrix_whatsapp_py.model.sealed import CannotOpen, KeyMissing, KeyName, OpenFailure
from mautrix_whatsapp_py.ports import Clock, MatrixApi, MxInbox
from mautrix_whatsapp_py.ports_ciphers import Ciphers
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 3.0
"""How long a room waits for a key: it comes another way than the event, and often a moment later."""
ANSWER_SECONDS: Final = 22.0
"""How long the session that wrote something has to answer, before its user is told to do something."""
KEEP_SECONDS: Final = 24 * 3600.0
_REASONS: Final = {
    OpenFailure.UNKNOWN_KIND: notices.UNKNOWN_CIPHER,
    OpenFailure.CORRUPT: notices.NOT_DECRYPTABLE,
    OpenFailure.REPEATED: notices.REPEATED_CIPHER,
    OpenFailure.UNKNOWN_DEVICE: notices.UNKNOWN_SESSION,
    OpenFailure.UNTRUSTED: notices.UNTRUSTED_SESSION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """An encrypted event on its way."""

    event: MxEncrypted
    seq: InboxSeq
    portal_id: PortalId | None


class Unsealing:
    """Opens events; those that wait stay in the inbox, so that a restart tries them again."""

    def __init__(
        self,
        ciphers: Ciphers,
        *,
        matrix: MatrixApi,
        inbox: MxInbox,
        users: Users,
        clock: Clock,
        retry: Callable[[Sealed], None],
    ) -> None:
        self._ciphers = ciphers
        self._matrix = matrix
        self._inbox = inbox
        self._users = users
        self._clock = clock
        self._retry = retry
        self._parked: dict[str, list[Sealed]] = {}
        self._told: dict[MxEventId, MxEventId] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        ciphers.add_listener(self._on_key)

    async def open(self, sealed: Sealed) -> MxEvent | None:
        """What an event says, nothing of use when nobody will ever know; None while it waits for its key."""
        event = sealed.event
        try:
            opened = await self._ciphers.decrypt(event, patience_seconds=PATIENCE_SECONDS)
        except KeyMissing as missing:
            self._park(sealed, missing.name)
            return None
        except CannotOpen as failure:
            log.info("event %s cannot be decrypted: %s", event.origin.event_id, failure.failure)
            await self._tell(sealed, _REASONS[failure.failure])
            return MxOther(origin=event.origin, kind="m.room.encrypted")
        told = self._told.pop(event.origin.event_id, None)
        if told is not None:
            spawn(self._take_back(event, told), name="a notice that is over", tasks=self._tasks)
        return opened

    async def cancel(self, event_id: MxEventId | None) -> bool:
        """An event was taken back; whether it waited, and nobody needs to read it any more."""
        for parked in self._parked.values():
            for sealed in [one for one in parked if one.event.origin.event_id == event_id]:
                parked.remove(sealed)
                await self._inbox.mark_handled(sealed.seq)
                return True
        return False

    async def stop(self) -> None:
        """Wait for nothing any more."""
        await end_all(self._tasks)

    def _park(self, sealed: Sealed, name: KeyName) -> None:
        parked = self._parked.setdefault(name.session, [])
        if all(other.seq != sealed.seq for other in parked):
            parked.append(sealed)
        if sealed.event.origin.event_id not in self._told:
            spawn(self._follow(sealed, name), name="a missing key", tasks=self._tasks)

    def _on_key(self, session: str) -> None:
        for sealed in self._parked.pop(session, ()):
            self._retry(sealed)

    async def _follow(self, sealed: Sealed, name: KeyName) -> None:
        """Ask for the key, say so, and give the event up in the end."""
        origin = sealed.event.origin
        self._ciphers.request_key(origin.sender, name)
        try:
            told = await self._tell(sealed, notices.KEY_REFUSED if name.is_refused else notices.KEY_AWAITED)
            if told is not None:
                self._told[origin.event_id] = told
            await self._clock.sleep(ANSWER_SECONDS)
            if not self._waits(sealed, name):
                return
            if told is not None and not name.is_refused:
                await self._tell(sealed, notices.KEY_MISSING, edits=told)
            await self._clock.sleep(KEEP_SECONDS)
            if self._waits(sealed, name):
                self._parked[name.session].remove(sealed)
                self._told.pop(origin.event_id, None)
                await self._inbox.mark_handled(sealed.seq)
        except BridgeError as error:
            log.info("a missing key could not be told of: %s", type(error).__name__)

    def _waits(self, sealed: Sealed, name: KeyName) -> bool:
        return any(other.seq == sealed.seq for other in self._parked.get(name.session, ()))

    async def _tell(self, sealed: Sealed, reason: str, *, edits: MxEventId | None = None) -> MxEventId | None:
        """Tell the sender in a chat, or where they speak with the bot; elsewhere nothing was meant for us."""
        origin = sealed.event.origin
        if sealed.portal_id is None and await self._users.get_management_room(origin.sender) != origin.room_id:
            return None
        text = notices.tell_failed("message", reason)
        notice = MxNotice(body=text, reply_to=origin.event_id if edits is None else None, edits=edits)
        txn_id = MxTxnId(f"sealed-{origin.event_id}" if edits is None else f"sealed-{origin.event_id}-end")
        return await self._matrix.send_notice(origin.room_id, notice, sender=self._matrix.bot, txn_id=txn_id)

    async def _take_back(self, event: MxEncrypted, told: MxEventId) -> None:
        try:
            txn_id = MxTxnId(f"unsealed-{event.origin.event_id}")
            await self._matrix.send_redaction(event.origin.room_id, told, sender=self._matrix.bot, txn_id=txn_id)
        except MatrixError as error:
            log.info("a notice that is over stays: %s", type(error).__name__)
