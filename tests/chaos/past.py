"""The past of an account for tests on the real homeserver: chats of every kind, and what must be seen of them."""

from __future__ import annotations

import random
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.homeserver.events import Event
from tests.simulator.api import Account, Jid, Simulator, groups, kinds
from tests.simulator.history import (
    HistoryAnswer,
    HistoryChunk,
    HistoryConversation,
    HistoryMessage,
    HistoryVote,
    encode_chunk,
)
from tests.simulator.kinds.actions import MessageRef
from tests.simulator.protobufs import e2e

DAY_S = 86_400
_PHOTO = b"\xff\xd8\xff" + bytes(range(256)) * 40
_PAPER = b"%PDF-1.4 " + bytes(range(256)) * 4
OPTIONS = ("Saturday", "Sunday")
UNREAD = 3
POLL, VOTE = "org.matrix.msc3381.poll.start", "org.matrix.msc3381.poll.response"
GOING = "✅ Going"
LOST = "a photo that is gone"
_KINDS = {
    "reactionMessage": "reaction",
    "imageMessage": "image",
    "documentWithCaptionMessage": "document",
    "pollCreationMessageV3": "poll",
    "eventMessage": "event",
    "locationMessage": "location",
    "contactMessage": "contact",
}


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
    counts: Counter[str] = field(default_factory=Counter)
    """What else is to be seen, by kind."""
    answers: list[tuple[str, int]] = field(default_factory=list)
    """What was answered to events, and when."""
    unread: int = 0
    """How many of the newest nobody has read on the phone."""

    def conversation(self) -> HistoryConversation:
        """As phones send it: the newest first."""
        return HistoryConversation(chat=self.jid, name=self.name, messages=self.messages[::-1], unread=self.unread)

    @property
    def unread_words(self) -> list[str]:
        """What was said and not read."""
        newest = {f"{self.name} m{int(one.message_id.rsplit('-')[1])}" for one in self.messages[-self.unread :]}
        return [body for body, _ in self.expected if self.unread and body in newest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What is on the media host."""

    photo: kinds.Uploaded
    paper: kinds.Uploaded


@dataclass(slots=True)
class Writer:
    """Writes old messages of every kind."""

    wa: Simulator
    own: Account
    random: random.Random
    start_s: int = field(default_factory=lambda: int(time.time()) - 2 * DAY_S)
    lost: dict[str, bytes] = field(default_factory=dict)
    """Files that were on the media host once."""

    def make_chats(self, scale: Scale, ben: Account) -> list[OldChat]:
        """Chats with people and groups; the last one is the one with Ben."""
        files = Files(
            photo=kinds.upload(self.wa.media, _PHOTO, "image"),
            paper=kinds.upload(self.wa.media, _PAPER, "document"),
        )
        chats = []
        for number in range(scale.chats):
            person = ben.lid if number == scale.chats - 1 else Jid(f"9{number:06}", "lid")
            is_group = number % 4 == 1 and number < scale.chats - 1
            jid = groups.make_group(self.wa.world, ben, f"Group {number}", [self.own]).jid if is_group else person
            chat = OldChat(name=f"c{number}", jid=jid, sender=ben.lid if is_group else person)
            for index in range(scale.messages):
                self.write(chat, index, self.start_s + number * 7 + index * 60, files)
            chat.unread = UNREAD if number % 3 == 2 and number < scale.chats - 1 else 0
            chats.append(chat)
        self._write_older(chats[-1])
        self._write_lost(chats[-1])
        return chats

    def _write_lost(self, chat: OldChat) -> None:
        """A photo that WhatsApp has deleted."""
        lost = kinds.upload(self.wa.media, _PHOTO, "image")
        path = lost.direct_path.partition("?")[0]
        self.lost[path] = self.wa.media.blobs.pop(path)
        message = kinds.image(lost, caption=LOST).message
        item = HistoryMessage(message_id="LOST-0", message=message, at_seconds=self.start_s - 60)
        chat.messages.insert(2, item)

    def _write_older(self, chat: OldChat) -> None:
        """Two messages that are too old to come by themselves."""
        for index in range(2):
            message = e2e.Message(conversation=f"older {index}")
            at_s = self.start_s - 40 * DAY_S + index
            item = HistoryMessage(message_id=f"OLDER-{index}", message=message, at_seconds=at_s)
            chat.messages.insert(index, item)

    def make_texts(self, name: str, number: int, *, unread: int) -> OldChat:
        """A chat of five texts with somebody nobody has met, some of them unread."""
        person = Jid(f"9{number:06}", "lid")
        chat = OldChat(name=name, jid=person, sender=person, unread=unread)
        for index in (0, 1, 2, 4, 5):
            self.write(chat, index, self.start_s + DAY_S + index * 60, None)
        return chat

    def write(self, chat: OldChat, index: int, at_s: int, files: Files | None) -> None:
        """One more message of a chat, of the kind its number has; without files a text."""
        body, message_id = f"{chat.name} m{index}", f"{chat.name.upper()}-{index}"
        is_own = index % 5 == 3
        message = self._content(chat, index, files)
        is_group = chat.jid.server == "g.us"
        who = Jid("9999999", "lid") if is_group else chat.sender
        is_poll, is_event = message.HasField("pollCreationMessageV3"), message.HasField("eventMessage")
        chat.messages.append(
            HistoryMessage(
                message_id=message_id,
                message=message,
                at_seconds=at_s,
                is_from_me=is_own,
                participant=chat.sender if is_group and not is_own else None,
                push_name="" if is_own else "Somebody",
                votes=[_vote(at_s + 1, who), _vote(at_s + 2, None)] if is_poll else (),
                answers=[HistoryAnswer(is_going=True, at_seconds=at_s + 1, by=who)] if is_event else (),
            )
        )
        kind = _kind_of(message)
        chat.counts[kind] += 1
        if kind == "event":
            chat.answers.append((GOING, (at_s + 1) * 1000))
        elif kind == "revoke":
            gone = f"{chat.name} m{index - 1}"
            chat.expected = [one for one in chat.expected if one[0] != gone]
        elif kind in {"text", "image", "document"}:
            chat.expected.append((body, at_s * 1000))

    def _content(self, chat: OldChat, index: int, files: Files | None) -> Any:
        # Every fifth message is our own, so that those around it are of the other person.
        body = f"{chat.name} m{index}"
        match index % 20 if files is not None else 0:
            case 2 | 12:
                quoted = e2e.Message(conversation=f"{chat.name} m{index - 1}")
                return kinds.reply(body, self._ref(chat, index - 1), quoted).message
            case 5:
                return kinds.reaction(self._ref(chat, index - 2), "👍").message
            case 6:
                return kinds.image(files.photo, caption=body).message
            case 7:
                return kinds.edit(
                    self._ref(chat, index - 3), e2e.Message(conversation=f"better {index - 3}")
                ).message
            case 10:
                return kinds.revoke(self._ref(chat, index - 1, is_own=True)).message
            case 11:
                return kinds.document(files.paper, "paper.pdf", caption=body).message
            case 14:
                return kinds.poll(f"When? {index}", OPTIONS).message
            case 15:
                return kinds.event(f"Party {index}", start_seconds=self.start_s + 9 * DAY_S).message
            case 16:
                return kinds.location(48.2, 16.4, name=f"Cafe {index}").message
            case 17:
                return kinds.contact(
                    "Ann", "BEGIN:VCARD\nVERSION:3.0\nFN:Ann\nTEL:+15550009999\nEND:VCARD"
                ).message
            case _:
                return e2e.Message(extendedTextMessage=e2e.ExtendedTextMessage(text=body))

    def _ref(self, chat: OldChat, index: int, *, is_own: bool = False) -> MessageRef:
        """A message as whoever does something about it sees it."""
        sender = self.own.lid if index % 5 == 3 else chat.sender
        return MessageRef(chat=chat.jid, message_id=f"{chat.name.upper()}-{index}", sender=sender, is_own=is_own)


def _kind_of(message: Any) -> str:
    """What it is to the counts of a chat."""
    if message.HasField("protocolMessage"):
        return "edit" if message.protocolMessage.HasField("editedMessage") else "revoke"
    return next((kind for field, kind in _KINDS.items() if message.HasField(field)), "text")


def _vote(at_s: int, by: Jid | None) -> HistoryVote:
    return HistoryVote(options=OPTIONS[1:], at_seconds=at_s, by=by)


def chunks_of(chats: Sequence[OldChat], *, per_chunk: int = 50) -> list[HistoryChunk]:
    """The chats in chunks, as a phone sends them."""
    parts = [chats[start : start + per_chunk] for start in range(0, len(chats), per_chunk)]
    return [
        HistoryChunk(
            sync_type="INITIAL_BOOTSTRAP" if order == 1 else "RECENT",
            order=order,
            progress=100 * order // len(parts),
            conversations=[chat.conversation() for chat in part],
        )
        for order, part in enumerate(parts, 1)
    ]


def damaged() -> list[HistoryChunk]:
    """What a phone should not send: no archive, one that ends too early inside, and one with nothing in it."""
    whole = encode_chunk(HistoryChunk(push_names={Jid("1", "lid"): "A name that is cut off"})).SerializeToString()
    bodies = (b"this is no archive", zlib.compress(whole[:-9]), zlib.compress(b""))
    return [HistoryChunk(sync_type="RECENT", raw=body) for body in bodies]


def said_in(events: Sequence[Event], tag: str) -> list[tuple[str, int]]:
    """What was said with a tag and when, in the order of the room, edits left out."""
    return [
        (_last_line(event), event.origin_server_ts)
        for event in events
        if event.is_message
        and tag in event.body
        and event.content.get("m.relates_to", {}).get("rel_type") != "m.replace"
    ]


def count_in(events: Sequence[Event]) -> Counter[str]:
    """What else is to be seen in a room, by kind; an edit that brings a file counts as that file."""
    found: Counter[str] = Counter()
    for event in events:
        new = event.content.get("m.new_content", {})
        by_type = {"m.reaction": "reaction", POLL: "poll", VOTE: "vote"}
        by_new = {"m.image": "image", "m.file": "document", "m.text": "edit"}
        if event.type in by_type:
            found[by_type[event.type]] += 1
        elif new.get("msgtype") in by_new and (new["msgtype"] != "m.text" or "better" in new["body"]):
            found[by_new[new["msgtype"]]] += 1
        elif event.content.get("msgtype") == "m.location":
            found["location"] += 1
        elif event.is_message and "Party" in event.body:
            found["event"] += 1
    return found


def _last_line(event: Event) -> str:
    """What was said, without what stands for a file that came later."""
    return event.body.splitlines()[-1]
