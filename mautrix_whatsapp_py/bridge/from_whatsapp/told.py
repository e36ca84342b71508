"""A message on its way into its room."""

from __future__ import annotations

from dataclasses import dataclass

from mautrix_whatsapp_py.bridge.from_whatsapp.scene import Scene
from mautrix_whatsapp_py.bridge.names import txn_from_wa
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, WaMessageId
from mautrix_whatsapp_py.model.portal import MessagePart
from mautrix_whatsapp_py.model.wa import WaMessage, WaUndecryptable


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message, where it happened, and the room it goes to."""

    event: WaMessage | WaUndecryptable
    scene: Scene
    room_id: MxRoomId
    is_waiting_file: bool = False
    """Whether what is shown stands for a file that is still to come."""

    def txn_id(self, part: int, purpose: str) -> MxTxnId:
        """The same for the same event, however often it is told."""
        return txn_from_wa(
            self.scene.portal, self.event.message_id, self.scene.sender.id, part=part, purpose=purpose
        )

    def part(
        self,
        index: int,
        event_id: MxEventId,
        *,
        message_id: WaMessageId | None = None,
        is_placeholder: bool = False,
    ) -> MessagePart:
        """An event that stands for the message, or for another one that it completes."""
        event, scene = self.event, self.scene
        return MessagePart(
            portal_id=scene.portal.id,
            message_id=message_id or event.message_id,
            person_id=scene.sender.id,
            part=index,
            event_id=event_id,
            sender=event.source.sender.bare,
            sent_at=event.timestamp,
            login_id=scene.login.id,
            is_own=event.source.is_from_me,
            is_placeholder=is_placeholder,
        )
