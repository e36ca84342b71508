"""What the bridge needs of the world; adapters implement it, the fakes of the tests too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.mx import MxEphemeral, MxEvent, MxNotice, MxServerInfo, MxStored


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def now(self) -> datetime:
        """Aware time of day."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class MatrixApi(Protocol):
    """The homeserver as the bridge uses it.

    Every call has a deadline and retries what may heal (429, 5xx, no connection) with the same
    transaction id; it raises MatrixUnreachable when it gave up and MatrixRefused when told no.
    """

    @property
    def bot(self) -> MxUserId:
        """The bridge's own user."""

    async def join_room(self, room_id: MxRoomId, *, user: MxUserId) -> None:
        """Accept an invitation or join; joining twice is joining once."""

    async def leave_room(self, room_id: MxRoomId, *, user: MxUserId, reason: str = "") -> None:
        """Leave or refuse an invitation; leaving twice is leaving once."""

    async def send_notice(
        self, room_id: MxRoomId, notice: MxNotice, *, sender: MxUserId, txn_id: MxTxnId
    ) -> MxEventId:
        """Send or edit a notice; the same transaction id gives the same event."""

    async def send_redaction(
        self, room_id: MxRoomId, event_id: MxEventId, *, sender: MxUserId, txn_id: MxTxnId, reason: str = ""
    ) -> None:
        """Redact an event."""

    async def fetch_members(self, room_id: MxRoomId) -> frozenset[MxUserId]:
        """Who is joined or invited, the bot included."""

    async def fetch_server_info(self) -> MxServerInfo:
        """Versions and features of the homeserver."""

    async def fetch_whoami(self) -> MxUserId:
        """The user our token stands for."""

    async def send_ping(self) -> float:
        """Have the homeserver call us back; the seconds it took."""


class MxInbox(Protocol):
    """Where transactions of the homeserver rest until they are handled."""

    async def add_transaction(self, txn_id: MxTxnId, events: Sequence[MxStored]) -> Sequence[MxStored]:
        """Store a transaction in one database transaction; what was new, with sequence numbers.

        A known transaction or event id stores nothing. Raises StoreUnavailable when nothing was stored.
        """

    async def get_pending(self) -> Sequence[MxStored]:
        """What is not handled yet, oldest first."""

    async def mark_handled(self, seq: InboxSeq) -> None:
        """Forget an event's body; its id stays known."""


class MxEventSink(Protocol):
    """Who is told of Matrix events; every method only enqueues and never raises."""

    def on_mx_event(self, event: MxEvent, seq: InboxSeq) -> None:
        """A stored event."""

    def on_mx_ephemeral(self, event: MxEphemeral) -> None:
        """Typing or a receipt."""
