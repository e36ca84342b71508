"""Calls: a notice in the room of the caller, which is edited as the call goes on."""

from __future__ import annotations

import logging
from datetime import timedelta

import msgspec

from mautrix_whatsapp_py.bridge.filters import ChatAddress
from mautrix_whatsapp_py.bridge.persons import is_person
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert.call_words import tell_call
from mautrix_whatsapp_py.errors import WhatsAppError
from mautrix_whatsapp_py.ids import LoginId, MxTxnId, PortalKey, SendId, decode_jid, login_tag
from mautrix_whatsapp_py.model.calls import CallEnd, CallStory
from mautrix_whatsapp_py.model.content import MxEdit, MxMentions, MxMessageContent, MxMsgType, WaText
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal, direct_chat
from mautrix_whatsapp_py.model.wa import WaCall, WaCallKind

log = logging.getLogger(__name__)

OLD = timedelta(minutes=15)
"""What WhatsApp tells of calls that rang while the link was down is no news."""
_OFFERS = frozenset({WaCallKind.OFFER, WaCallKind.OFFER_NOTICE})
_ELSEWHERE = frozenset({"accepted_elsewhere", "rejected_elsewhere"})


async def find_chat(event: WaCall, login: Login, talk: Talk) -> Portal | None:
    """The chat a call belongs to; None for calls that are no news or from nobody."""
    if event.kind not in _OFFERS:
        return await _find_told(event, login, talk)
    if talk.clock.now() - event.timestamp > OLD or not is_person(event.caller):
        return None
    if not (talk.settings.with_call_notices or talk.settings.rejects_calls):
        return None
    caller = await talk.persons.resolve(event.caller, event.creator_alt)
    if caller.id == (await talk.rooms.own_person(login)).id:
        return None
    if event.group is not None:
        key, address = PortalKey(chat=event.group.bare), ChatAddress(chat=event.group.bare)
    else:
        first, *others = caller.jids
        key = PortalKey(chat=direct_chat(caller.id), receiver=login.id)
        address = ChatAddress(chat=first, aliases=tuple(others))
    if not await talk.filters.is_wanted(address, login):
        return None
    return await talk.portals.ensure(key)


async def _find_told(event: WaCall, login: Login, talk: Talk) -> Portal | None:
    """Where a call was told of; or where it is being told of just now, behind which its end has to wait."""
    story = await _get_story(event, login.id, talk)
    if story is not None:
        return await talk.portals.get(story.portal_id)
    if event.group is not None:
        return await talk.portals.find(PortalKey(chat=event.group.bare))
    caller = await talk.persons.find(event.caller)
    if caller is None:
        return None
    return await talk.portals.find(PortalKey(chat=direct_chat(caller.id), receiver=login.id))


async def handle(event: WaCall, portal: Portal, login: Login, talk: Talk) -> None:
    """Tell how a call goes, and decline it where that is wanted."""
    story = await _get_story(event, login.id, talk)
    if event.kind in _OFFERS:
        if story is None:
            await _begin(event, portal, login, talk)
        return
    if story is None:
        return
    later = _go_on(story, event)
    if later.event_id is not None and later != story:
        await _say(later, event, portal, login, talk)
    is_over = event.kind is WaCallKind.TERMINATE
    await _keep(None if is_over else later, event, login.id, talk)


async def _begin(event: WaCall, portal: Portal, login: Login, talk: Talk) -> None:
    story = CallStory(
        portal_id=portal.id,
        caller=str(event.caller),
        offered_at=event.timestamp,
        is_video=event.media == "video",
        is_group=event.group is not None,
    )
    if talk.settings.with_call_notices:
        story = await _say(story, event, portal, login, talk)
    if talk.settings.rejects_calls and await _reject(event, login, talk):
        story = msgspec.structs.replace(story, end=CallEnd.DECLINED, ended_at=event.timestamp)
        if story.event_id is not None:
            await _say(story, event, portal, login, talk)
    # Kept when it was declined, too: its end comes all the same, and is no missed call.
    await _keep(story, event, login.id, talk)


def _go_on(story: CallStory, event: WaCall) -> CallStory:
    if story.end is CallEnd.DECLINED:
        return story
    if event.kind is WaCallKind.ACCEPT:
        return msgspec.structs.replace(story, answered_at=story.answered_at or event.timestamp)
    if event.kind is not WaCallKind.TERMINATE:
        return story
    if event.reason in _ELSEWHERE:
        end = CallEnd.ELSEWHERE
    else:
        end = CallEnd.MISSED if story.answered_at is None else CallEnd.ENDED
    return msgspec.structs.replace(story, end=end, ended_at=event.timestamp)


async def _reject(event: WaCall, login: Login, talk: Talk) -> bool:
    """Decline a call and tell its caller why; whether that worked."""
    directory, client = talk.open_directory(login.id), talk.network.get_client(login.id)
    if directory is None or client is None:
        return False
    try:
        await directory.reject_call(event.caller, event.call_id)
        text = talk.settings.rejection_text
        if text and event.group is None:
            send_id = SendId(f"call-{event.call_id}")
            chat = event.caller.bare
            await client.send_message(chat, WaText(body=text), send_id=send_id, secret=talk.new_secret())
            await client.forget_sends([send_id])
    except WhatsAppError as error:
        log.warning("a call of login %s could not be declined: %s", login_tag(login.id), error.code)
        return False
    return True


async def _say(story: CallStory, event: WaCall, portal: Portal, login: Login, talk: Talk) -> CallStory:
    room_id = await talk.rooms.ensure_room(portal, login)
    caller = await talk.persons.resolve(decode_jid(story.caller))
    text = tell_call(story)
    edited = MxEdit(event_id=story.event_id) if story.event_id is not None else None
    content = MxMessageContent(msgtype=MxMsgType.NOTICE, body=text, mentions=MxMentions(), relation=edited)
    step = "offer" if edited is None else f"{event.kind.value}-{story.end or 'going'}"
    txn_id = MxTxnId(f"call-{portal.id}-{event.call_id}-{step}")
    event_id = await talk.ghosts.send_message(
        room_id, content, person=caller, txn_id=txn_id, sent_at=event.timestamp
    )
    return story if edited is not None else msgspec.structs.replace(story, event_id=event_id)


async def _get_story(event: WaCall, login: LoginId, talk: Talk) -> CallStory | None:
    async with talk.store.reading() as tx:
        raw = await talk.rows.facts.get(tx, _key(event, login))
    return None if raw is None else msgspec.json.decode(raw, type=CallStory)


async def _keep(story: CallStory | None, event: WaCall, login: LoginId, talk: Talk) -> None:
    key = _key(event, login)
    async with talk.store.transaction() as tx:
        if story is None:
            await talk.rows.facts.drop(tx, key)
        else:
            await talk.rows.facts.put(tx, key, msgspec.json.encode(story).decode())


def _key(event: WaCall, login: LoginId) -> str:
    return f"call:{login}:{event.call_id}"
