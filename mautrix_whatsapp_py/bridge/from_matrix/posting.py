"""Hands a message to WhatsApp in the way its chat takes it."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.from_matrix.context import Stage
from mautrix_whatsapp_py.bridge.from_whatsapp.channels import post_key
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import WhatsAppRefused, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import BROADCAST_SERVER, NEWSLETTER_SERVER, WaMessageId
from mautrix_whatsapp_py.model.content import WaReaction, WaSendable
from mautrix_whatsapp_py.model.portal import OutboxRow
from mautrix_whatsapp_py.model.wa_link import WaSendUncertain, WaSent
from mautrix_whatsapp_py.ports import WhatsAppClient

NO_STATUS = "Status updates cannot be posted from Matrix, or all your contacts would see it. Post it on the phone."


def refusal_of(stage: Stage) -> str | None:
    """Why nothing may be written in a chat; None where that is up to WhatsApp."""
    return NO_STATUS if stage.chat.server == BROADCAST_SERVER else None


async def post(
    content: WaSendable, row: OutboxRow, stage: Stage, client: WhatsAppClient, talk: Talk
) -> WaSent | WaSendUncertain:
    """Send it; errors are those of WhatsAppClient."""
    if stage.chat.server != NEWSLETTER_SERVER or not isinstance(content, WaReaction):
        return await client.send_message(stage.chat, content, send_id=row.send_id, secret=row.secret)
    async with talk.store.reading() as tx:
        number = await talk.rows.facts.get(tx, post_key(stage.portal.id, content.target.message_id))
    directory = talk.open_directory(stage.login.id)
    if number is None:
        raise WhatsAppRefused(code="not-found")
    if directory is None:
        raise WhatsAppUnavailable(code="not-connected")
    # Doing it twice is doing it once: an account has one reaction to a post.
    await directory.react_to_post(stage.chat, int(number), content.emoji)
    return WaSent(send_id=row.send_id, message_id=WaMessageId(row.send_id), timestamp=talk.clock.now())
