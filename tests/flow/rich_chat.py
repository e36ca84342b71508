"""What people do in a room beside writing, for flow tests."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import MxEventId, MxUserId
from mautrix_whatsapp_py.model.content import MxMessageContent, MxPollEnd, MxPollStart, MxPollVote
from mautrix_whatsapp_py.model.mx import MxMessage, MxPoll, MxRoomChanged
from mautrix_whatsapp_py.model.mx_room import MxPinsSet
from mautrix_whatsapp_py.model.rich import WaPollVote
from tests.fakes.chats import Said
from tests.flow.chat import Chat
from tests.flow.world import ALICE


async def send(chat: Chat, content: MxMessageContent, *, sender: MxUserId = ALICE) -> MxEventId:
    """Alice sends a message of any kind."""
    event = MxMessage(origin=chat.world.origin(chat.room_id, sender), content=content)
    chat.world.chats.written[event.origin.event_id] = content
    await chat.world.deliver(event)
    await chat.world.settled()
    return event.origin.event_id


async def poll(
    chat: Chat, content: MxPollStart | MxPollVote | MxPollEnd, *, sender: MxUserId = ALICE
) -> MxEventId:
    """Alice makes a poll, votes or ends one."""
    event = MxPoll(origin=chat.world.origin(chat.room_id, sender), content=content)
    if isinstance(content, MxPollStart):
        chat.world.chats.polls[event.origin.event_id] = content
    await chat.world.deliver(event)
    await chat.world.settled()
    return event.origin.event_id


async def pin(chat: Chat, *pinned: MxEventId, before: tuple[MxEventId, ...] = ()) -> None:
    """Alice sets the room's pins."""
    change = MxPinsSet(pinned=pinned, before=before)
    await chat.world.deliver(MxRoomChanged(origin=chat.world.origin(chat.room_id, ALICE), change=change))
    await chat.world.settled()


def said_as(chat: Chat, kind: type) -> list[Said]:
    """Events of a kind, in order."""
    return [one for one in chat.world.chats.said if isinstance(one.content, kind)]


def tally(chat: Chat) -> str:
    """What the newest text form of a poll says."""
    return [
        one.content.body
        for one in chat.world.chats.said
        if isinstance(one.content, MxMessageContent) and one.content.body.startswith("📊")
    ][-1]


def votes(chat: Chat) -> list[tuple[bytes, ...]]:
    """The votes that left."""
    return [sent.content.options for sent in chat.client.messages if isinstance(sent.content, WaPollVote)]
