"""One chat of alice's: everything both sides write in it, and what the other side sees of it."""

from __future__ import annotations

import asyncio
import itertools
import random
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from tests.chaos.ledger import Token
from tests.homeserver import MatrixClient
from tests.homeserver.client import MatrixRequestFailed
from tests.homeserver.events import Event, Json
from tests.simulator.api import GROUP, Account, Jid, Outgoing, Received, kinds
from tests.simulator.kinds.actions import MessageRef

EMOJI = ("👍", "🎉", "😂", "😮", "🙏", "🔥")
RETRY_SECONDS = 0.2
NOT_YET = "could not be decrypted yet"
T = TypeVar("T")


async def persist(action: Callable[[], Awaitable[T]]) -> T:
    """Do as clients do whose homeserver is away."""
    while True:
        try:
            return await action()
        except (aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(RETRY_SECONDS)
        except MatrixRequestFailed as error:
            if error.status < 500:
                raise
            await asyncio.sleep(RETRY_SECONDS)


@dataclass(slots=True)
class Mailbox:
    """All that reached a phone, each message id once, as phones show it."""

    account: Account
    received: list[Received] = field(default_factory=list)
    repeats: int = 0
    _ids: set[str] = field(default_factory=set)

    @property
    def dropped(self) -> int:
        """Messages the phone dropped because their number in the ratchet had been used: see `host/quiet.py`."""
        return len(set(self.account.phone.duplicates) - self._ids)

    def collect(self) -> None:
        """Take over what came."""
        inbox = self.account.phone.inbox
        while not inbox.empty():
            received = inbox.get_nowait()
            if received.message_id in self._ids:
                self.repeats += 1
                continue
            self._ids.add(received.message_id)
            self.received.append(received)


@dataclass(slots=True, kw_only=True)
class Conversation:
    """Who writes, and what was written."""

    name: str
    room: str
    chat: Jid
    """As the others' phones name it."""
    own: Account
    alice: MatrixClient
    boxes: list[Mailbox]
    """Of everybody but alice; each of them writes."""
    rng: random.Random
    out_tokens: list[Token] = field(default_factory=list)
    in_tokens: list[Token] = field(default_factory=list)
    reactions: dict[tuple[str, str], str] = field(default_factory=dict)
    """The last one of a person on a message."""
    _own_events: dict[str, str] = field(default_factory=dict)
    _said_by: dict[str, tuple[str, Account]] = field(default_factory=dict)
    _counter: Any = field(default_factory=itertools.count)

    @property
    def is_group(self) -> bool:
        """Whether there is more than one who writes."""
        return self.chat.server == GROUP

    def address(self) -> Jid:
        """Where the others send to."""
        return self.chat if self.is_group else self.own.pn

    # alice

    async def write_out(self, kind: str) -> None:
        """Alice says or does something."""
        number = next(self._counter)
        body = f"out {self.name} {number}"
        if kind == "edit" and self._own_events:
            event_id, before = self.rng.choice(list(self._own_events.items()))
            new = {"msgtype": "m.text", "body": f"{body} edited"}
            about: Json = {"rel_type": "m.replace", "event_id": event_id}
            await self._put({**new, "body": f"* {new['body']}", "m.new_content": new, "m.relates_to": about})
            self.out_tokens.append(("edit", before, new["body"]))
        elif kind == "reaction" and (target := self._free_target()):
            event_id, seen, emoji = target
            about = {"rel_type": "m.annotation", "event_id": event_id, "key": emoji}
            await self._put({"m.relates_to": about}, kind="m.reaction")
            self.out_tokens.append(("reaction", seen, emoji))
        elif kind == "reply" and (heard := self._heard()):
            event = self.rng.choice(heard)
            about = {"m.in_reply_to": {"event_id": event.event_id}}
            self._own_events[await self._put({"msgtype": "m.text", "body": body, "m.relates_to": about})] = body
            self.out_tokens.append(("reply", body, event.body))
        else:
            self._own_events[await self._put({"msgtype": "m.text", "body": body})] = body
            self.out_tokens.append(("text", body))

    async def _put(self, content: Json, *, kind: str = "m.room.message") -> str:
        txn_id = uuid.uuid4().hex
        return await persist(lambda: self.alice.send(self.room, kind, content, txn_id=txn_id))

    def _heard(self) -> list[Event]:
        """What others said, as alice's client shows it."""
        return [
            event
            for event in self.alice.events
            if event.room_id == self.room and event.is_message and _is_said(event, "in ")
        ]

    def _free_target(self) -> tuple[str, str, str] | None:
        """A message and an emoji alice has not used on it."""
        heard = self._heard()
        if not heard:
            return None
        event = self.rng.choice(heard)
        emoji = self._next_emoji("alice", event.body)
        return None if emoji is None else (event.event_id, event.body, emoji)

    def _next_emoji(self, who: str, body: str) -> str | None:
        before = self.reactions.get((who, body))
        following = EMOJI.index(before) + 1 if before else 0
        if following == len(EMOJI):
            return None
        self.reactions[who, body] = EMOJI[following]
        return EMOJI[following]

    # the others

    async def write_in(self, kind: str) -> None:
        """One of the others says or does something."""
        number = next(self._counter)
        box = self.rng.choice(self.boxes)
        box.collect()
        who, body = box.account, f"in {self.name} {number}"
        own = [(message_id, said) for message_id, (said, author) in self._said_by.items() if author is who]
        alices = [(one.message_id, one.text) for one in self._from_alice(box) if one.text]
        if kind == "edit" and own:
            message_id, before = self.rng.choice(own)
            await self._send(who, kinds.edit(self._ref(who, message_id), kinds.text(f"{body} edited").message))
            self.in_tokens.append(("edit", before, f"{body} edited"))
        elif kind == "reaction" and alices:
            message_id, said = self.rng.choice(alices)
            emoji = self._next_emoji(who.name, said)
            if emoji is not None:
                await self._send(who, kinds.reaction(self._ref(None, message_id), emoji))
        elif kind == "reply" and alices:
            message_id, said = self.rng.choice(alices)
            quoted = kinds.text(said).message
            sent = await self._send(who, kinds.reply(body, self._ref(None, message_id), quoted))
            self._said_by[sent] = (body, who)
            self.in_tokens.append(("reply", body, said))
        else:
            sent = await self._send(who, kinds.text(body))
            self._said_by[sent] = (body, who)
            self.in_tokens.append(("text", body))

    async def _send(self, who: Account, outgoing: Outgoing) -> str:
        return await who.phone.send(self.address(), outgoing)

    def _ref(self, author: Account | None, message_id: str) -> MessageRef:
        """Names a message of the one who acts, or one of alice's."""
        sender = (author or self.own).lid
        chat = self.chat if self.is_group else self.own.lid
        return MessageRef(chat=chat, message_id=message_id, sender=sender, is_own=author is not None)

    def _from_alice(self, box: Mailbox) -> Iterable[Received]:
        for one in box.received:
            is_here = one.chat == self.chat if self.is_group else one.chat.server != GROUP
            if is_here and self.own.owns(one.sender):
                yield one

    # what came through

    def read_on(self, box: Mailbox) -> list[Token]:
        """What a phone shows of alice's doings, in its order."""
        box.collect()
        mine = list(self._from_alice(box))
        bodies = {one.message_id: one.text for one in mine if one.text}
        bodies |= {message_id: body for message_id, (body, _) in self._said_by.items()}
        return [_token_of(one, bodies) for one in mine]

    def read_in_room(self, timeline: list[Event]) -> list[Token]:
        """What the room shows of the others' doings, reactions left out."""
        return read_messages(timeline)

    def reactions_in_room(self, timeline: list[Event]) -> dict[tuple[str, str], list[str]]:
        """Who reacts with what to which message; what was redacted is empty and left out."""
        bodies = {event.event_id: event.body for event in timeline if event.is_message}
        names = {f"@whatsapp_{box.account.pn.user}:localhost": box.account.name for box in self.boxes}
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for event in timeline:
            about = event.content.get("m.relates_to", {})
            if event.type == "m.reaction" and about:
                who = names.get(event.sender, "alice")
                found[who, bodies.get(about["event_id"], "?")].append(about["key"].rstrip("\ufe0f"))
        return dict(found)


def _is_said(event: Event, prefix: str) -> bool:
    about = event.content.get("m.relates_to", {})
    return event.body.startswith(prefix) and about.get("rel_type") != "m.replace"


def _token_of(received: Received, bodies: dict[str, str]) -> Token:
    message = received.message
    if message.HasField("editedMessage"):
        message = message.editedMessage.message
    if message.HasField("protocolMessage"):
        change = message.protocolMessage
        new = change.editedMessage
        return ("edit", bodies.get(change.key.ID, "?"), str(new.conversation or new.extendedTextMessage.text))
    if message.HasField("reactionMessage"):
        return ("reaction", bodies.get(message.reactionMessage.key.ID, "?"), message.reactionMessage.text)
    quoted = message.extendedTextMessage.contextInfo.stanzaID
    if quoted:
        return ("reply", received.text, bodies.get(quoted, "?"))
    return ("text", received.text)


def read_messages(timeline: list[Event]) -> list[Token]:
    """What ghosts said; what could not be read at first counts as what it turned out to be, where it stands."""
    said = [event for event in timeline if event.is_message]
    made_up = _made_up(said)
    bodies = {event.event_id: event.body for event in said}
    bodies |= {event_id: token[1] for event_id, (token, _) in made_up.items()}
    late = {edit.event_id for _, edit in made_up.values()}
    return [
        made_up[event.event_id][0] if event.event_id in made_up else _token_of_event(event, bodies)
        for event in said
        if event.sender.startswith("@whatsapp_") and event.event_id not in late
    ]


def _made_up(said: list[Event]) -> dict[str, tuple[Token, Event]]:
    """What stood for messages that could not be read: what they turned out to be, and the edit that says it."""
    blank = {event.event_id for event in said if NOT_YET in event.body and not _is_edit(event)}
    found: dict[str, tuple[Token, Event]] = {}
    for event in said:
        place = event.content.get("m.relates_to", {}).get("event_id")
        if _is_edit(event) and place in blank and place not in found:
            quote, _, rest = event.content["m.new_content"]["body"].rpartition("\n\n")
            token = ("reply", rest, quote.partition(": ")[2]) if quote.startswith("> ") else ("text", rest)
            found[place] = token, event
    return found


def _is_edit(event: Event) -> bool:
    return event.content.get("m.relates_to", {}).get("rel_type") == "m.replace"


def _token_of_event(event: Event, bodies: dict[str, str]) -> Token:
    about = event.content.get("m.relates_to", {})
    if about.get("rel_type") == "m.replace":
        return ("edit", bodies.get(about["event_id"], "?"), event.content["m.new_content"]["body"])
    if "m.in_reply_to" in about:
        return ("reply", event.body, bodies.get(about["m.in_reply_to"]["event_id"], "?"))
    return ("text", event.body)
