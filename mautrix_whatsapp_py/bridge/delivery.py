"""The one speaker about sends: what became of what people wrote."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.errors import MatrixError
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId, SendId
from mautrix_whatsapp_py.model.content import MxMentions, MxMessageContent, MxMsgType, MxReply
from mautrix_whatsapp_py.model.mx import MxCheckpoint, MxOrigin, MxSendOutcome, MxSendStatus, MxStep, MxStepStatus
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.ports import Clock, MatrixChats
from mautrix_whatsapp_py.ports_homeserver import Checkpoints
from mautrix_whatsapp_py.store.outbox import OutboxRows
from mautrix_whatsapp_py.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """How people are told."""

    with_status_events: bool = False
    with_receipts: bool = False
    with_notices: bool = True


def send_id_of(event_id: MxEventId) -> SendId:
    """The id under which an event is sent to WhatsApp, once."""
    return SendId(f"mx-{event_id}")


class Delivery:
    """Tells senders by status events, receipts of the bot and notices, as far as the configuration wants it."""

    def __init__(
        self,
        *,
        chats: MatrixChats,
        bot: MxUserId,
        store: Store,
        clock: Clock,
        checkpoints: Checkpoints,
        settings: DeliverySettings = DeliverySettings(),
    ) -> None:
        self._chats = chats
        self._bot = bot
        self._store = store
        self._outbox = OutboxRows()
        self._clock = clock
        self._checkpoints = checkpoints
        self._settings = settings
        self._uncertain: set[MxEventId] = set()

    async def load(self) -> None:
        """Read whose fate is open; before the first event."""
        async with self._store.reading() as tx:
            self._uncertain = {row.event_id for row in await self._outbox.get_uncertain(tx)}

    @property
    def has_uncertain(self) -> bool:
        """Whether the fate of anything is open."""
        return bool(self._uncertain)

    def received(self, origin: MxOrigin) -> None:
        """It is the turn of an event."""
        self._note(origin, MxStepStatus.SUCCESS, step=MxStep.BRIDGE)

    async def sent(self, origin: MxOrigin) -> None:
        """WhatsApp has it."""
        self._note(origin, MxStepStatus.SUCCESS)
        await self._accepted(origin.room_id, origin.event_id)

    async def pending(self, origin: MxOrigin) -> None:
        """It waits for WhatsApp."""
        self._note(origin, MxStepStatus.WILL_RETRY)
        await self._show(origin.room_id, MxSendStatus(event_id=origin.event_id, outcome=MxSendOutcome.PENDING))

    async def failed(self, origin: MxOrigin, *, what: str, sentence: str) -> None:
        """It will not reach WhatsApp; raises MatrixUnreachable as long as nobody could be told."""
        text = notices.tell_failed(what, sentence)
        await self._tell(origin, text)
        self._note(origin, MxStepStatus.PERM_FAILURE, info=sentence)
        await self._show(origin.room_id, _status(origin, MxSendOutcome.FAILED, sentence))

    async def uncertain(self, origin: MxOrigin, *, what: str) -> None:
        """Nobody knows whether it reached WhatsApp; told before it is remembered as told."""
        self._uncertain.add(origin.event_id)
        await self._tell(origin, notices.tell_uncertain(what))
        self._note(origin, MxStepStatus.TIMEOUT, info=notices.UNKNOWN_OUTCOME)
        await self._show(origin.room_id, _status(origin, MxSendOutcome.FAILED_MAYBE, notices.UNKNOWN_OUTCOME))

    async def arrived(self, portal: Portal, event_id: MxEventId) -> None:
        """Somebody has it, so WhatsApp had it."""
        if event_id not in self._uncertain or portal.room_id is None:
            return
        async with self._store.transaction() as tx:
            await self._outbox.remove(tx, send_id_of(event_id))
        self._uncertain.discard(event_id)
        await self._accepted(portal.room_id, event_id)

    async def explain(self, origin: MxOrigin, sentence: str) -> None:
        """Say something about a room in answer to an event."""
        await self._say(origin, sentence)

    async def remark(self, origin: MxOrigin, sentence: str) -> None:
        """Say something that is good to know about an event that goes on its way; best effort."""
        try:
            await self._say(origin, sentence, purpose="remark")
        except MatrixError as error:
            log.info("a remark could not be made: %s %s", error.status, error.errcode)

    async def announce(self, room_id: MxRoomId, sentence: str, *, txn_id: MxTxnId) -> None:
        """Say something in a room to everybody in it."""
        content = MxMessageContent(msgtype=MxMsgType.NOTICE, body=f"⚠️ {sentence}", mentions=MxMentions())
        await self._chats.send_message(room_id, content, sender=self._bot, txn_id=txn_id)

    def _note(
        self, origin: MxOrigin, status: MxStepStatus, *, step: MxStep = MxStep.REMOTE, info: str = ""
    ) -> None:
        self._checkpoints.publish(
            MxCheckpoint(
                event_id=origin.event_id,
                room_id=origin.room_id,
                kind=origin.kind,
                step=step,
                status=status,
                at=self._clock.now(),
                info=info,
            )
        )

    async def _accepted(self, room_id: MxRoomId, event_id: MxEventId) -> None:
        await self._show(room_id, MxSendStatus(event_id=event_id, outcome=MxSendOutcome.SUCCESS))
        if not self._settings.with_receipts:
            return
        try:
            await self._chats.send_receipt(room_id, event_id, reader=self._bot)
        except MatrixError as error:
            log.info("a sender could not be told: %s %s", error.status, error.errcode)

    async def _tell(self, origin: MxOrigin, text: str) -> None:
        if self._settings.with_notices:
            await self._say(origin, text)

    async def _say(self, origin: MxOrigin, text: str, *, purpose: str = "told") -> None:
        content = MxMessageContent(
            msgtype=MxMsgType.NOTICE,
            body=text,
            mentions=MxMentions(users=frozenset({origin.sender})),
            relation=MxReply(event_id=origin.event_id),
        )
        txn_id = MxTxnId(f"{purpose}-{origin.event_id}")
        await self._chats.send_message(origin.room_id, content, sender=self._bot, txn_id=txn_id)

    async def _show(self, room_id: MxRoomId, status: MxSendStatus) -> None:
        """Best effort: a status that is missed is replaced by the next one."""
        if not self._settings.with_status_events:
            return
        txn_id = MxTxnId(f"status-{status.event_id}-{status.outcome.value}")
        try:
            await self._chats.send_status(room_id, status, txn_id=txn_id)
        except MatrixError as error:
            log.info("a sender could not be shown a status: %s %s", error.status, error.errcode)


def _status(origin: MxOrigin, outcome: MxSendOutcome, message: str) -> MxSendStatus:
    return MxSendStatus(event_id=origin.event_id, outcome=outcome, reason="m.event_not_handled", message=message)
