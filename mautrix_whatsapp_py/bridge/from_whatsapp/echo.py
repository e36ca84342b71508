"""Messages of ours that WhatsApp tells us of before we know that they were sent."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.from_whatsapp.scene import Scene
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.model.portal import OutboxRow
from mautrix_whatsapp_py.model.wa import WaMessage, WaUndecryptable
from mautrix_whatsapp_py.model.wa_link import WaSendUnknown


async def is_echo(event: WaMessage | WaUndecryptable, scene: Scene, talk: Talk) -> bool:
    """Whether a message is one that is on its way from Matrix.

    Only a crash between sending and remembering leaves such rows; the journal of the link knows their ids.
    Another login may be the one that sees it, so it is asked by author.
    """
    if talk.login_of(scene.sender) is None or not talk.open_sends.have_left:
        return False
    rows = await talk.store.read(lambda tx: talk.rows.outbox.get_of_portal(tx, scene.portal.id))
    for row in rows:
        if talk.open_sends.may_have_left(row.send_id) and await _is_outcome(event, row, talk):
            return True
    return False


async def _is_outcome(event: WaMessage | WaUndecryptable, row: OutboxRow, talk: Talk) -> bool:
    client = talk.network.get_client(row.login_id)
    if client is None:
        return False
    outcome = await client.fetch_send_outcome(row.send_id, row.secret)
    if isinstance(outcome, WaSendUnknown):
        talk.open_sends.stay(row.send_id)
        return False
    return outcome.message_id == event.message_id
