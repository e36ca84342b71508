"""The past of an account for tests on the real homeserver: chats of every kind, and what must be seen of them."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.homeserver.events import Event
from tests.simulator.api import Account, Jid, Simulator, groups, kinds
from tests.simulator.history import HistoryChunk, HistoryConversation, HistoryMessage
from tests.simulator.kinds.actions import MessageRef
from tests.simulator.protobufs import e2e

DAY_S = 86_400
_PHOTO = b"\xff\xd8\xff" + bytes(range(256)) * 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much of everything."""

    chats: int
    messages: int
    kills: int
    live: int


@dataclass(slots=True, kw_only=True)
class OldChat:
    """One chat: what the phone hands over, and what is to be seen of it."""

    name: str
    jid: Jid
    sender: Jid
    messages: list[HistoryMessage] = field(default_factory=list)
    expected: list[tuple[str, int]] = field(default_factory=list)
    """What is said, and when, oldest first."""
    reactions: int = 0
    photos: int = 0
    deleted: int = 0

    def conversation(self, unread: int = 0) -> HistoryConversation:
        """As phones send it: the newest first."""
        return HistoryConversation(chat=self.jid, name=self.name, messages=self.messages[::-1], unread=unread)


@dataclass(slots=True)
class Writer:
    """Writes old messages of every kind."""

    wa: Simulator
    own: Account
    random: random.Random
    start_s: int = field(default_factory=lambda: int(time.time()) - 2 * DAY_S)

    def make_chats(self, scale: Scale, ben: Account) -> list[OldChat]:
        """Chats with people and groups; the last one is the one with Ben."""
        photo = kinds.upload(self.wa.media, _PHOTO, "image")
        chats = []
        for number in range(scale.chats):
            person = ben.lid if number == scale.chats - 1 else Jid(f"9{number:06}", "lid")
            is_group = number % 4 == 1 and number < scale.chats - 1
            jid = groups.make_group(self.wa.world, ben, f"Group {number}", [self.own]).jid if is_group else person
            chat = OldChat(name=f"c{number}", jid=jid, sender=ben.lid if is_group else person)
            for index in range(scale.messages):
                self._write(chat, index, self.start_s + number * 7 + index * 60, photo)
            chats.append(chat)
        self._write_older(chats[-1])
        return chats

    def _write_older(self, chat: OldChat) -> None:
        """Two messages that are too old to come by themselves."""
        for index in range(2):
            message = e2e.Message(conversation=f"older {index}")
            at_s = self.start_s - 40 * DAY_S + index
            item = HistoryMessage(message_id=f"OLDER-{index}", message=message, at_seconds=at_s)
            chat.messages.insert(index, item)

    def _write(self, chat: OldChat, index: int, at_s: int, photo: Any) -> None:
        body, message_id = f"{chat.name} m{index}", f"{chat.name.upper()}-{index}"
        is_own = index % 5 == 3
        message = self._content(chat, body, index, photo)
        is_group = chat.jid.server == "g.us"
        chat.messages.append(
            HistoryMessage(
                message_id=message_id,
                message=message,
                at_seconds=at_s,
                is_from_me=is_own,
                participant=chat.sender if is_group and not is_own else None,
                push_name="" if is_own else "Somebody",
            )
        )
        if message.HasField("reactionMessage"):
            chat.reactions += 1
        elif message.HasField("protocolMessage"):
            chat.deleted += 1
        else:
            chat.photos += message.HasField("imageMessage")
            chat.expected.append((body, at_s * 1000))

    def _content(self, chat: OldChat, body: str, index: int, photo: Any) -> Any:
        # Every fifth message is our own, so that those around it are of the other person.
        before = MessageRef(
            chat=chat.jid, message_id=f"{chat.name.upper()}-{index - 1}", sender=chat.sender, is_own=False
        )
        match index % 10:
            case 2:
                return kinds.reply(body, before, e2e.Message(conversation=f"{chat.name} m{index - 1}")).message
            case 5:
                mine = f"{chat.name.upper()}-{index - 2}"
                target = MessageRef(chat=chat.jid, message_id=mine, sender=self.own.lid, is_own=False)
                return kinds.reaction(target, "👍").message
            case 6:
                return kinds.image(photo, caption=body).message
            case _:
                return e2e.Message(extendedTextMessage=e2e.ExtendedTextMessage(text=body))


def chunks_of(chats: Sequence[OldChat], *, unread: int = 0, per_chunk: int = 50) -> list[HistoryChunk]:
    """The chats in chunks, as a phone sends them."""
    parts = [chats[start : start + per_chunk] for start in range(0, len(chats), per_chunk)]
    return [
        HistoryChunk(
            sync_type="INITIAL_BOOTSTRAP" if order == 1 else "RECENT",
            order=order,
            progress=100 * order // len(parts),
            conversations=[chat.conversation(unread) for chat in part],
        )
        for order, part in enumerate(parts, 1)
    ]


def said_in(events: Sequence[Event], tag: str) -> list[tuple[str, int]]:
    """What was said with a tag and when, in the order of the room, edits left out."""
    return [
        (_last_line(event), event.origin_server_ts)
        for event in events
        if event.is_message
        and tag in event.body
        and event.content.get("m.relates_to", {}).get("rel_type") != "m.replace"
    ]


def _last_line(event: Event) -> str:
    """What was said, without what stands for a file that came later."""
    return event.body.splitlines()[-1]
