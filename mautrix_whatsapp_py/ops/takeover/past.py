"""Messages and reactions: which events stand for what."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import partial

from mautrix_whatsapp_py.ids import LoginId, MxEventId, MxRoomId, PersonId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.portal import DisappearingEvent, MessagePart, PortalId, ReactionRow
from mautrix_whatsapp_py.ops.takeover import skipped as why
from mautrix_whatsapp_py.ops.takeover.chats import Chats
from mautrix_whatsapp_py.ops.takeover.people import People
from mautrix_whatsapp_py.ops.takeover.records import OldBridge, OldLogin, OldMessage, OldReaction
from mautrix_whatsapp_py.ops.takeover.report import OnProgress
from mautrix_whatsapp_py.store.disappearing import DisappearingRows
from mautrix_whatsapp_py.store.messages import MessageRows, ReactionRows
from mautrix_whatsapp_py.store.store import Store, Tx

_Key = tuple[PortalId, str, PersonId]


class PastTaker:
    """Takes over what was said, without a word of it."""

    def __init__(
        self, *, store: Store, people: People, chats: Chats, logins: list[OldLogin], on_progress: OnProgress
    ) -> None:
        self._store = store
        self._people = people
        self._chats = chats
        self._logins = logins
        self._on_progress = on_progress
        self._messages = MessageRows()
        self._reactions = ReactionRows()
        self._disappearing = DisappearingRows()
        self._parts: Counter[_Key] = Counter()
        self._own: dict[PersonId, LoginId] = {}

    async def take_messages(self, old: OldBridge) -> int:
        """How many events were handed to the database."""
        for login in self._logins:
            person = await self._people.resolve(WaJid(user=login.id, server="s.whatsapp.net"))
            if person is not None:
                self._own[person] = LoginId(login.id)
        total, done, taken = await old.database.count(old.message_table), 0, 0
        async for batch in old.messages():
            parts = [part for message in batch if (part := await self._part(message, old)) is not None]
            await self._store.write(partial(self._messages.add, parts=parts))
            done, taken = done + len(batch), taken + len(parts)
            self._on_progress("messages", min(done, total), total)
        self._on_progress("messages", total, total)
        return taken

    async def _part(self, message: OldMessage, old: OldBridge) -> MessagePart | None:
        place = (message.chat, message.receiver)
        portal_id = self._chats.ids.get(place)
        if portal_id is None:
            old.skipped[why.NO_ROOM] += 1
            return None
        person = await self._people.resolve(message.sender)
        if person is None:
            old.skipped[why.NO_PERSON] += 1
            return None
        key = (portal_id, message.message_id, person)
        self._parts[key] += 1
        return MessagePart(
            portal_id=portal_id,
            message_id=WaMessageId(message.message_id),
            person_id=person,
            part=self._parts[key] - 1,
            event_id=MxEventId(message.event_id),
            sender=message.sender,
            sent_at=datetime.fromtimestamp(message.sent_at_ms / 1000, UTC),
            login_id=self._own.get(person) or self._chats.owners.get(place) or LoginId(""),
            is_own=person in self._own,
            is_placeholder=message.is_placeholder,
        )

    async def take_reactions(self, old: OldBridge) -> int:
        """How many there were that could be taken."""
        total, done, taken = await old.database.count("reaction"), 0, 0
        async for batch in old.reactions():
            rows = [row for one in batch if (row := await self._reaction(one, old)) is not None]
            taken += await self._store.write(partial(self._put, rows=rows))
            done += len(batch)
            self._on_progress("reactions", min(done, total), total)
        return taken

    async def _reaction(self, one: OldReaction, old: OldBridge) -> ReactionRow | None:
        portal_id = self._chats.ids.get((one.chat, one.receiver))
        if portal_id is None:
            old.skipped[why.NO_ROOM] += 1
            return None
        person = await self._people.resolve(one.sender)
        author = await self._author(one, portal_id)
        if person is None or author is None:
            old.skipped[why.NO_PERSON if person is None else why.NO_TARGET] += 1
            return None
        return ReactionRow(
            portal_id=portal_id,
            message_id=WaMessageId(one.message_id),
            author_id=author,
            person_id=person,
            event_id=MxEventId(one.event_id),
            key=one.key,
        )

    async def _author(self, one: OldReaction, portal_id: PortalId) -> PersonId | None:
        if one.author is not None:
            return await self._people.resolve(one.author)
        message_id = WaMessageId(one.message_id)
        parts = await self._store.read(lambda tx: self._messages.get_parts(tx, portal_id, message_id))
        return parts[0].person_id if parts else None

    async def _put(self, tx: Tx, rows: list[ReactionRow]) -> int:
        for row in rows:
            known = await self._reactions.get(tx, row.portal_id, row.message_id, row.author_id, row.person_id)
            if known is None and await self._reactions.get_by_event(tx, row.event_id) is None:
                await self._reactions.put(tx, row)
        return len(rows)

    async def take_disappearing(self, old: OldBridge) -> int:
        """How many events are to be redacted."""
        found = [
            DisappearingEvent(
                event_id=MxEventId(one.event_id),
                room_id=MxRoomId(one.room_id),
                due_at=datetime.fromtimestamp(one.due_at_ms / 1000, UTC),
            )
            for one in await old.disappearing()
        ]
        await self._store.write(lambda tx: self._disappearing.add(tx, found))
        return len(found)
