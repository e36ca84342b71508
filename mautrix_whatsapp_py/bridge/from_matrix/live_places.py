"""Live locations of Matrix users: WhatsApp gets the place where one begins."""

from __future__ import annotations

from typing import Final

from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.model.content import MxFlag, MxMessageContent
from mautrix_whatsapp_py.model.mx import MxMessage, MxPoll, MxReaction, MxRedaction

ONLY_ONCE: Final = (
    "People on WhatsApp see the place where you began to share your location; it does not move for them."
)


async def has_begun(event: MxMessage | MxReaction | MxRedaction | MxPoll, talk: Talk) -> bool:
    """Whether it is a further position of a live location that WhatsApp knows already."""
    if not is_live(event.content):
        return False
    event_id = event.origin.event_id
    return await talk.store.read(lambda tx: talk.rows.messages.get_by_event(tx, event_id)) is not None


def is_live(content: object) -> bool:
    """Whether it is a position of somebody who shares theirs live."""
    return isinstance(content, MxMessageContent) and MxFlag.LIVE in content.flags
