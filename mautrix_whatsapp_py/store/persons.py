"""People on WhatsApp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, or_, select, update

from mautrix_whatsapp_py.ids import MxUri, MxUserId, PersonId
from mautrix_whatsapp_py.model.people import NameRank, Person
from mautrix_whatsapp_py.store.polls import merge_votes
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import messages, persons, portals, reactions


class PersonRows:
    """The table `persons`."""

    async def find(self, tx: Tx, *, pn: str | None, lid: str | None) -> list[Person]:
        """Whoever has one of these addresses, the longest known first; two when nobody knew that they are one."""
        wanted = [column == value for column, value in ((persons.c.pn, pn), (persons.c.lid, lid)) if value]
        if not wanted:
            return []
        rows = await tx.execute(select(persons).where(or_(*wanted)).order_by(persons.c.id))
        return [_decode(row) for row in rows]

    async def get_by_ghost(self, tx: Tx, ghost: MxUserId) -> Person | None:
        """Whose ghost this is."""
        row = (await tx.execute(select(persons).where(persons.c.ghost == ghost))).first()
        return None if row is None else _decode(row)

    async def get(self, tx: Tx, person_id: PersonId) -> Person | None:
        """One person."""
        row = (await tx.execute(select(persons).where(persons.c.id == person_id))).first()
        return None if row is None else _decode(row)

    async def get_some(self, tx: Tx, person_ids: Sequence[PersonId]) -> list[Person]:
        """Those of so many people that are there."""
        rows = await tx.execute(select(persons).where(persons.c.id.in_(person_ids)))
        return [_decode(row) for row in rows]

    async def add(self, tx: Tx, *, pn: str | None, lid: str | None, ghost: MxUserId) -> Person | None:
        """Somebody new; None when somebody else added them, or their ghost, meanwhile."""
        row = {
            "pn": pn,
            "lid": lid,
            "ghost": ghost,
            "name": "",
            "name_rank": int(NameRank.NONE),
            "shown_name": "",
            "avatar_id": "",
            "avatar_uri": "",
        }
        insert = tx.insert(persons).values(row).on_conflict_do_nothing().returning(persons.c.id)
        new_id = (await tx.execute(insert)).scalar()
        return None if new_id is None else Person(id=PersonId(new_id), ghost=ghost, pn=pn, lid=lid)

    async def put(self, tx: Tx, person: Person) -> None:
        """Store what changed about somebody."""
        values = {
            "pn": person.pn,
            "lid": person.lid,
            "name": person.name,
            "name_rank": int(person.name_rank),
            "shown_name": person.shown_name,
            "avatar_id": person.avatar_id,
            "avatar_uri": person.avatar_uri or "",
        }
        await tx.execute(update(persons).where(persons.c.id == person.id).values(values))

    async def merge(self, tx: Tx, *, keep: PersonId, drop: PersonId, keep_chat: str, drop_chat: str) -> None:
        """Two rows turn out to be one person: everything of the second becomes the first's.

        A message or chat that both have stays the first's alone.
        """
        twin = messages.alias()
        has_twin = (
            select(twin.c.message_id)
            .where(
                twin.c.person_id == keep,
                twin.c.portal_id == messages.c.portal_id,
                twin.c.message_id == messages.c.message_id,
            )
            .exists()
        )
        await tx.execute(delete(messages).where(messages.c.person_id == drop, has_twin))
        await tx.execute(update(messages).where(messages.c.person_id == drop).values(person_id=keep))
        for column in (reactions.c.person_id, reactions.c.author_id):
            await tx.execute(update(reactions).where(column == drop).values({column.name: keep}))
        await merge_votes(tx, keep=keep, drop=drop)
        known = select(portals.c.receiver).where(portals.c.chat == keep_chat)
        await tx.execute(
            update(portals)
            .where(portals.c.chat == drop_chat, portals.c.receiver.not_in(known))
            .values(chat=keep_chat)
        )
        await tx.execute(delete(persons).where(persons.c.id == drop))


def _decode(row: Row[Any]) -> Person:
    return Person(
        id=PersonId(row.id),
        ghost=MxUserId(row.ghost),
        pn=row.pn,
        lid=row.lid,
        name=row.name,
        name_rank=NameRank(row.name_rank),
        shown_name=row.shown_name,
        avatar_id=row.avatar_id,
        avatar_uri=MxUri(row.avatar_uri) if row.avatar_uri else None,
    )
