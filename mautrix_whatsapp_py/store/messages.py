"""Which events stand for which messages and reactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, or_, select, update

from mautrix_whatsapp_py.ids import LoginId, MxEventId, PersonId, WaMessageId, decode_jid
from mautrix_whatsapp_py.model.portal import MessagePart, PortalId, ReactionRow
from mautrix_whatsapp_py.store.newest import Newest
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import messages, reactions
from mautrix_whatsapp_py.store.tx import prepare_insert

_ADD = prepare_insert(messages, lambda insert: insert.on_conflict_do_nothing())
_GET_PARTS = (
    select(messages)
    .where(messages.c.portal_id == bindparam("of_portal"), messages.c.message_id == bindparam("of_message"))
    .order_by(messages.c.part)
)
_GET_PARTS_OF = _GET_PARTS.where(messages.c.person_id == bindparam("of_person"))
_GET_BY_EVENT = select(messages).where(messages.c.event_id == bindparam("of_event"))


class MessageRows:
    """The table `messages`."""

    def __init__(self) -> None:
        self.newest = Newest()

    async def add(self, tx: Tx, parts: Sequence[MessagePart]) -> None:
        """Remember events; what is known stays as it is."""
        if parts:
            self.newest.add(parts)
            await tx.run_insert(_ADD, [_encode(part) for part in parts])

    async def get_parts(
        self, tx: Tx, portal_id: PortalId, message_id: WaMessageId, person_id: PersonId | None = None
    ) -> list[MessagePart]:
        """The events of a message in order; the author is left open where WhatsApp does not name them."""
        key = {"of_portal": portal_id, "of_message": message_id}
        if person_id is None:
            rows = await tx.execute(_GET_PARTS, key)
        else:
            rows = await tx.execute(_GET_PARTS_OF, {**key, "of_person": person_id})
        return [_decode(row) for row in rows]

    async def look_for(self, tx: Tx, portal_id: PortalId, message_id: WaMessageId) -> list[MessagePart]:
        """The events of a message in order; learns from when on messages of its chat need not be looked for."""
        if not self.newest.knows(portal_id):
            last = await self.get_last(tx, portal_id)
            self.newest.learn(portal_id, None if last is None else last.sent_at)
        return await self.get_parts(tx, portal_id, message_id)

    async def get_by_event(self, tx: Tx, event_id: MxEventId) -> MessagePart | None:
        """What an event stands for."""
        row = (await tx.execute(_GET_BY_EVENT, {"of_event": event_id})).first()
        return None if row is None else _decode(row)

    async def get_newest(
        self, tx: Tx, portal_id: PortalId, message_ids: Sequence[WaMessageId]
    ) -> MessagePart | None:
        """The newest of some messages."""
        where = (messages.c.portal_id == portal_id, messages.c.message_id.in_(message_ids))
        order = (messages.c.sent_at_ms.desc(), messages.c.part.desc())
        row = (await tx.execute(select(messages).where(*where).order_by(*order).limit(1))).first()
        return None if row is None else _decode(row)

    async def get_last(self, tx: Tx, portal_id: PortalId) -> MessagePart | None:
        """The newest of a chat's messages."""
        order = (messages.c.sent_at_ms.desc(), messages.c.part.desc())
        where = messages.c.portal_id == portal_id
        row = (await tx.execute(select(messages).where(where).order_by(*order).limit(1))).first()
        return None if row is None else _decode(row)

    async def get_newest_before(self, tx: Tx, portal_id: PortalId, before: datetime) -> datetime | None:
        """When the newest message of a chat from before a moment was sent."""
        where = (messages.c.portal_id == portal_id, messages.c.sent_at_ms < _ms(before))
        newest = select(messages.c.sent_at_ms).where(*where).order_by(messages.c.sent_at_ms.desc()).limit(1)
        value = (await tx.execute(newest)).scalar()
        return None if value is None else datetime.fromtimestamp(value / 1000, UTC)

    async def get_login_of(self, tx: Tx, portal_id: PortalId, logins: Sequence[LoginId]) -> LoginId | None:
        """Which of these logins a chat was seen by last."""
        where = (messages.c.portal_id == portal_id, messages.c.login_id.in_(logins))
        found = select(messages.c.login_id).where(*where).order_by(messages.c.sent_at_ms.desc()).limit(1)
        value = (await tx.execute(found)).scalar()
        return None if value is None else LoginId(value)

    async def get_between(
        self,
        tx: Tx,
        portal_id: PortalId,
        *,
        reader: LoginId,
        after: datetime | None,
        until: datetime,
        limit: int,
    ) -> list[MessagePart]:
        """Messages that others than the reader wrote between two moments, these included, the newest first."""
        where = [
            messages.c.portal_id == portal_id,
            messages.c.sent_at_ms <= _ms(until),
            or_(messages.c.is_own.is_(False), messages.c.login_id != reader),
            messages.c.part == 0,
        ]
        if after is not None:
            where.append(messages.c.sent_at_ms >= _ms(after))
        statement = select(messages).where(*where).order_by(messages.c.sent_at_ms.desc()).limit(limit)
        return [_decode(row) for row in await tx.execute(statement)]

    async def settle_placeholder(
        self, tx: Tx, portal_id: PortalId, message_id: WaMessageId, person_id: PersonId
    ) -> None:
        """The event that stood for an unreadable message now shows it."""
        await tx.execute(
            update(messages)
            .where(
                messages.c.portal_id == portal_id,
                messages.c.message_id == message_id,
                messages.c.person_id == person_id,
            )
            .values(is_placeholder=False)
        )

    async def remove_events(self, tx: Tx, event_ids: Sequence[MxEventId]) -> None:
        """Forget events that are redacted."""
        if event_ids:
            await tx.execute(delete(messages).where(messages.c.event_id.in_(event_ids)))


class ReactionRows:
    """The table `reactions`."""

    async def get(
        self, tx: Tx, portal_id: PortalId, message_id: WaMessageId, author_id: PersonId, person_id: PersonId
    ) -> ReactionRow | None:
        """A person's reaction to a message."""
        row = (
            await tx.execute(
                select(reactions).where(
                    reactions.c.portal_id == portal_id,
                    reactions.c.message_id == message_id,
                    reactions.c.author_id == author_id,
                    reactions.c.person_id == person_id,
                )
            )
        ).first()
        return None if row is None else _decode_reaction(row)

    async def get_by_event(self, tx: Tx, event_id: MxEventId) -> ReactionRow | None:
        """What an event stands for."""
        row = (await tx.execute(select(reactions).where(reactions.c.event_id == event_id))).first()
        return None if row is None else _decode_reaction(row)

    async def put(self, tx: Tx, reaction: ReactionRow) -> None:
        """Remember a reaction in the place of the person's one before."""
        row = {
            "portal_id": reaction.portal_id,
            "message_id": reaction.message_id,
            "author_id": reaction.author_id,
            "person_id": reaction.person_id,
            "event_id": reaction.event_id,
            "key": reaction.key,
        }
        insert = tx.insert(reactions).values(row)
        await tx.execute(
            insert.on_conflict_do_update(
                index_elements=["portal_id", "message_id", "author_id", "person_id"],
                set_={"event_id": reaction.event_id, "key": reaction.key},
            )
        )

    async def remove_event(self, tx: Tx, event_id: MxEventId) -> None:
        """Forget a reaction that was taken back."""
        await tx.execute(delete(reactions).where(reactions.c.event_id == event_id))


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _encode(part: MessagePart) -> dict[str, object]:
    return {
        "portal_id": part.portal_id,
        "message_id": part.message_id,
        "person_id": part.person_id,
        "part": part.part,
        "event_id": part.event_id,
        "sender": str(part.sender),
        "sent_at_ms": _ms(part.sent_at),
        "login_id": part.login_id,
        "is_own": part.is_own,
        "is_placeholder": part.is_placeholder,
    }


def _decode(row: Row[Any]) -> MessagePart:
    return MessagePart(
        portal_id=PortalId(row.portal_id),
        message_id=WaMessageId(row.message_id),
        person_id=PersonId(row.person_id),
        part=row.part,
        event_id=MxEventId(row.event_id),
        sender=decode_jid(row.sender),
        sent_at=datetime.fromtimestamp(row.sent_at_ms / 1000, UTC),
        login_id=LoginId(row.login_id),
        is_own=bool(row.is_own),
        is_placeholder=bool(row.is_placeholder),
    )


def _decode_reaction(row: Row[Any]) -> ReactionRow:
    return ReactionRow(
        portal_id=PortalId(row.portal_id),
        message_id=WaMessageId(row.message_id),
        author_id=PersonId(row.author_id),
        person_id=PersonId(row.person_id),
        event_id=MxEventId(row.event_id),
        key=row.key,
    )
