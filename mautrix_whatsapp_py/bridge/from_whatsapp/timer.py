"""The timer of a chat, as others set it or as their messages show it."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.disappearing import set_timer
from mautrix_whatsapp_py.bridge.from_whatsapp.scene import Scene
from mautrix_whatsapp_py.bridge.names import txn_from_wa
from mautrix_whatsapp_py.bridge.persons import is_person
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.ids import MxTxnId
from mautrix_whatsapp_py.model.content import MxMentions, MxMessageContent, MxMsgType
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa import WaGroupChanged, WaMessage, WaUndecryptable


async def learn(seconds: int | None, event: WaMessage | WaUndecryptable, scene: Scene, talk: Talk) -> None:
    """A message of a direct chat that disappears tells that the chat has a timer."""
    portal = await talk.portals.get(scene.portal.id) or scene.portal
    if not seconds or portal.person_id is None or portal.disappearing_seconds == seconds:
        return
    if portal.room_id is not None:
        txn_id = txn_from_wa(portal, event.message_id, scene.sender.id, part=0, purpose="timer")
        await talk.ghosts.send_message(
            portal.room_id,
            _notice(seconds, is_automatic=True),
            person=scene.sender,
            txn_id=txn_id,
            sent_at=event.timestamp,
        )
    await set_timer(portal, seconds, talk)


async def handle(event: WaGroupChanged, portal: Portal, talk: Talk) -> None:
    """Somebody set the timer of a group."""
    seconds = event.disappearing_seconds
    if seconds is None or portal.disappearing_seconds == seconds:
        return
    if portal.room_id is not None and event.sender is not None and is_person(event.sender):
        await talk.ghosts.send_message(
            portal.room_id,
            _notice(seconds, is_automatic=False),
            person=await talk.persons.resolve(event.sender),
            txn_id=MxTxnId(f"timer-{portal.id}-{int(event.timestamp.timestamp())}-{seconds}"),
            sent_at=event.timestamp,
        )
    await set_timer(portal, seconds, talk)


def _notice(seconds: int, *, is_automatic: bool) -> MxMessageContent:
    text = notices.tell_timer(seconds, is_automatic=is_automatic)
    return MxMessageContent(msgtype=MxMsgType.NOTICE, body=text, mentions=MxMentions())
