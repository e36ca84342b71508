"""The end of a user: what the tables know of them and their accounts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import delete, or_, select, update

from mautrix_whatsapp_py.ids import LoginId, MxUserId
from mautrix_whatsapp_py.model.group import GroupRecord
from mautrix_whatsapp_py.model.portal import PERSON_SERVER
from mautrix_whatsapp_py.store.channel_owners import forget_channel_of
from mautrix_whatsapp_py.store.group_records import SpaceRecords
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.tables import (
    backfill_chats,
    backfill_runs,
    chat_privacy,
    double_puppets,
    filter_rules,
    kv,
    logins,
    messages,
    missing_files,
    outbox,
    persons,
    poll_votes,
    portals,
    reactions,
    shown_codes,
    users,
)
from mautrix_whatsapp_py.store.tx import Tx

_STRANGERS = "strangers are due"
_BATCH = 500


class UserEnd:
    """Rows of a user in every table, those of their chats left out: those go with the chats."""

    def __init__(self) -> None:
        self._kv = KvRows()
        self._spaces = SpaceRecords()

    async def get_sharers(self, tx: Tx, portal_id: int) -> frozenset[MxUserId]:
        """Users to whom a chat came that several may share."""
        prefix = f"invited:{portal_id}:"
        marks = await self._kv.get_prefixed(tx, prefix)
        owners = {row.mxid for row in await tx.execute(select(logins.c.mxid))}
        return frozenset(MxUserId(user) for key, _ in marks if (user := key.removeprefix(prefix)) in owners)

    async def remove(self, tx: Tx, user: MxUserId, login_ids: Sequence[LoginId]) -> None:
        """Forget a user and what was kept because of their accounts."""
        await self._leave_spaces(tx, user, login_ids)
        for table in (backfill_chats, backfill_runs, chat_privacy, missing_files, outbox):
            await tx.execute(delete(table).where(table.c.login_id.in_(login_ids)))
        # In chats that others share, an event stays what it is, but says no more by whose account it came.
        await tx.execute(
            update(messages).where(messages.c.login_id.in_(login_ids)).values(login_id="", is_own=False)
        )
        await forget_channel_of(tx, login_ids)
        ends = [kv.c.key.endswith(f":{name}", autoescape=True) for name in (user, *login_ids)]
        await tx.execute(delete(kv).where(or_(*ends)))
        is_about_login = or_(kv.c.key.startswith("relay:"), kv.c.key.startswith("channel-login:"))
        await tx.execute(delete(kv).where(is_about_login, kv.c.value.in_(login_ids)))
        for table in (double_puppets, filter_rules, shown_codes):
            await tx.execute(delete(table).where(table.c.mxid == user))
        await tx.execute(delete(logins).where(logins.c.mxid == user))
        await tx.execute(delete(users).where(users.c.mxid == user))
        await self._kv.put(tx, _STRANGERS, "1")

    async def _leave_spaces(self, tx: Tx, user: MxUserId, login_ids: Sequence[LoginId]) -> None:
        for owner in await self._spaces.get_owners(tx):
            record = await self._spaces.get(tx, owner)
            if owner in login_ids:
                await self._spaces.drop(tx, owner)
            elif record is not None and user in record.invited:
                kept = msgspec.structs.replace(record, invited=record.invited - {user})
                await self._spaces.put(tx, owner, kept)


async def forget_strangers(tx: Tx) -> int:
    """Forget people whom nobody has anything to do with any more, if somebody left; how many.

    At the start of the bridge, when nothing yet holds on to a row.
    """
    facts = KvRows()
    if await facts.get(tx, _STRANGERS) is None:
        return 0
    known = await _known_people(tx)
    own = select(logins.c.id)
    rows = await tx.execute(select(persons.c.id).where(or_(persons.c.pn.is_(None), persons.c.pn.not_in(own))))
    strangers = [int(row.id) for row in rows if int(row.id) not in known]
    for start in range(0, len(strangers), _BATCH):
        await tx.execute(delete(persons).where(persons.c.id.in_(strangers[start : start + _BATCH])))
    await facts.drop(tx, _STRANGERS)
    return len(strangers)


async def _known_people(tx: Tx) -> set[int]:
    known: set[int] = set()
    for column in (messages.c.person_id, reactions.c.person_id, reactions.c.author_id, poll_votes.c.person_id):
        known.update(int(row[0]) for row in await tx.execute(select(column).distinct()))
    for row in await tx.execute(select(portals.c.chat).where(portals.c.chat.endswith(f"@{PERSON_SERVER}"))):
        known.add(int(row.chat.partition("@")[0]))
    for _, text in await KvRows().get_prefixed(tx, "group:"):
        record = msgspec.json.decode(text, type=GroupRecord)
        known.update((*record.facts.roles, *record.joined))
    return known
