"""The outbox rows of events that have just come: their secrets are stored with the events, in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mautrix_whatsapp_py.bridge.delivery import send_id_of
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.ids import InboxSeq, LoginId, MxUserId
from mautrix_whatsapp_py.model.mx import MxStored
from mautrix_whatsapp_py.model.portal import OutboxRow, PortalId

MESSAGE: Final = "m.room.message"


class RoomBeginnings:
    """Implements Beginnings for messages in rooms of chats whose writer has one account that can carry them.

    All else gets its row when it is handled; a row of something that turns out not to be for WhatsApp goes with
    its event.
    """

    def __init__(self, talk: Talk, *, command_prefix: str) -> None:
        self._talk = talk
        self._command_prefix = command_prefix

    def begin(self, events: Sequence[MxStored]) -> Sequence[OutboxRow]:
        """See Beginnings."""
        return [row for event in events if (row := self._begin(event)) is not None]

    def settle(self, rows: Sequence[OutboxRow], stored: Sequence[MxStored]) -> None:
        """See Beginnings."""
        new = {event.event_id for event in stored}
        for row in rows:
            if row.event_id not in new:
                self._talk.open_sends.remove(row.send_id)

    def _begin(self, event: MxStored) -> OutboxRow | None:
        talk = self._talk
        # Commands are not for WhatsApp.
        if event.kind != MESSAGE or self._command_prefix in event.body:
            return None
        portal_id = talk.portals.get_id(event.room_id)
        login_id = None if portal_id is None else self._find_login(event.sender, portal_id)
        send_id = send_id_of(event.event_id)
        if portal_id is None or login_id is None or talk.open_sends.may_exist(send_id):
            return None
        row = OutboxRow(
            send_id=send_id,
            portal_id=portal_id,
            login_id=login_id,
            event_id=event.event_id,
            inbox_seq=InboxSeq(0),
            secret=talk.new_secret(),
            content=b"",
            created_at=talk.clock.now(),
        )
        talk.open_sends.add(send_id, row)
        return row

    def _find_login(self, user: MxUserId, portal_id: PortalId) -> LoginId | None:
        """The only account that may carry what a user writes in a chat; None when that takes more than a look."""
        portal = self._talk.portals.get_loaded(portal_id)
        if portal is None:
            return None
        logins = self._talk.logins.of_user(user)
        receiver = portal.key.receiver
        if receiver is not None:
            return receiver if any(login.id == receiver for login in logins) else None
        return logins[0].id if len(logins) == 1 else None
