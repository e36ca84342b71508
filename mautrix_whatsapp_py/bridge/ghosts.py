"""Ghosts: made, named and brought into rooms when they first have something to say there."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from mautrix_whatsapp_py.bridge.doubles import Doubles, NoDoubles
from mautrix_whatsapp_py.bridge.names import USUAL, shown_name
from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.config.name_template import NameTemplate
from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.content import MxEdit, MxMessageContent, MxReactionContent
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.polls import MxPollEnd, MxPollStart, MxPollVote
from mautrix_whatsapp_py.ports import MatrixChats

log = logging.getLogger(__name__)

Result = TypeVar("Result")
_FORBIDDEN = 403


class Ghosts:
    """Acts as the people of WhatsApp; a `double` is the user one of them is, as whom we act instead if we may."""

    def __init__(
        self,
        *,
        chats: MatrixChats,
        persons: Persons,
        bot: MxUserId,
        doubles: Doubles | None = None,
        template: NameTemplate = USUAL,
    ) -> None:
        self._chats = chats
        self._persons = persons
        self._bot = bot
        self._doubles = doubles or NoDoubles()
        self._template = template

    def name_of(self, person: Person) -> str:
        """What somebody's ghost is to be called."""
        return shown_name(person, self._template)

    async def ensure(self, person: Person) -> Person:
        """A ghost that is registered and called as its person is."""
        wanted = self.name_of(person)
        if person.shown_name == wanted:
            return person
        await self._chats.ensure_ghost(person.ghost)
        await self._chats.set_name(person.ghost, wanted)
        return await self._persons.put(replace(person, shown_name=wanted))

    async def send_message(
        self,
        room_id: MxRoomId,
        content: MxMessageContent,
        *,
        person: Person,
        txn_id: MxTxnId,
        sent_at: datetime,
        double: MxUserId | None = None,
    ) -> MxEventId:
        """Have a person say something."""

        async def say(sender: MxUserId) -> MxEventId:
            return await self._chats.send_message(room_id, content, sender=sender, txn_id=txn_id, sent_at=sent_at)

        if double is not None and await self._may_say(double, room_id, content):
            event_id = await self._doubles.act(double, room_id, lambda: say(double))
            if event_id is not None:
                return event_id
        ghost = (await self.ensure(person)).ghost
        return await self._joined(room_id, ghost, lambda: say(ghost))

    async def send_reaction(
        self,
        room_id: MxRoomId,
        content: MxReactionContent,
        *,
        person: Person,
        txn_id: MxTxnId,
        sent_at: datetime,
        double: MxUserId | None = None,
    ) -> MxEventId:
        """Have a person react."""

        async def react(sender: MxUserId) -> MxEventId:
            return await self._chats.send_reaction(room_id, content, sender=sender, txn_id=txn_id, sent_at=sent_at)

        if double is not None:
            event_id = await self._doubles.act(double, room_id, lambda: react(double))
            if event_id is not None:
                return event_id
        ghost = (await self.ensure(person)).ghost
        return await self._joined(room_id, ghost, lambda: react(ghost))

    async def send_poll(
        self,
        room_id: MxRoomId,
        content: MxPollStart | MxPollVote | MxPollEnd,
        *,
        person: Person,
        txn_id: MxTxnId,
        sent_at: datetime,
        double: MxUserId | None = None,
    ) -> MxEventId:
        """Have a person make a poll, vote or end one."""

        async def send(sender: MxUserId) -> MxEventId:
            return await self._chats.send_poll(room_id, content, sender=sender, txn_id=txn_id, sent_at=sent_at)

        if double is not None and await self._may_end(double, room_id, content):
            event_id = await self._doubles.act(double, room_id, lambda: send(double))
            if event_id is not None:
                return event_id
        ghost = (await self.ensure(person)).ghost
        return await self._joined(room_id, ghost, lambda: send(ghost))

    async def speak(
        self, room_id: MxRoomId, person: Person, say: Callable[[MxUserId], Awaitable[Result]]
    ) -> Result:
        """Have a person's ghost do something in a room."""
        ghost = (await self.ensure(person)).ghost
        return await self._joined(room_id, ghost, lambda: say(ghost))

    async def send_bot_message(
        self, room_id: MxRoomId, content: MxMessageContent, *, txn_id: MxTxnId
    ) -> MxEventId:
        """Have the bot say something."""
        return await self._chats.send_message(room_id, content, sender=self._bot, txn_id=txn_id)

    async def send_redaction(
        self,
        room_id: MxRoomId,
        event_id: MxEventId,
        *,
        person: Person,
        txn_id: MxTxnId,
        reason: str = "",
        double: MxUserId | None = None,
    ) -> None:
        """Have a person take something back; the bot does it where that person's ghost may not."""

        async def redact(sender: MxUserId) -> bool:
            await self._chats.send_redaction(room_id, event_id, sender=sender, txn_id=txn_id, reason=reason)
            return True

        is_own = double is not None and await self._doubles.is_author(double, room_id, event_id)
        if double is not None and is_own and await self._doubles.act(double, room_id, lambda: redact(double)):
            return
        try:
            await redact(person.ghost)
        except MatrixRefused as error:
            if error.status != _FORBIDDEN:
                raise
            await self.send_bot_redaction(room_id, event_id, txn_id=txn_id, reason=reason)

    async def send_bot_redaction(
        self, room_id: MxRoomId, event_id: MxEventId, *, txn_id: MxTxnId, reason: str = ""
    ) -> None:
        """Have the bot take something back."""
        await self._chats.send_redaction(room_id, event_id, sender=self._bot, txn_id=txn_id, reason=reason)

    async def _may_say(self, double: MxUserId, room_id: MxRoomId, content: MxMessageContent) -> bool:
        """Whether a user themselves can say it: clients take edits from nobody but the author."""
        if not isinstance(content.relation, MxEdit):
            return True
        return await self._doubles.is_author(double, room_id, content.relation.event_id)

    async def _may_end(
        self, double: MxUserId, room_id: MxRoomId, content: MxPollStart | MxPollVote | MxPollEnd
    ) -> bool:
        """Whether a user themselves can do it: clients take the end of a poll from its author alone."""
        if not isinstance(content, MxPollEnd):
            return True
        return await self._doubles.is_author(double, room_id, content.poll)

    async def _joined(self, room_id: MxRoomId, ghost: MxUserId, act: Callable[[], Awaitable[Result]]) -> Result:
        """Do something in a room; whoever is not in it joins first."""
        try:
            return await act()
        except MatrixRefused as error:
            if error.status != _FORBIDDEN:
                raise
        await self._chats.ensure_joined(room_id, ghost)
        return await act()
