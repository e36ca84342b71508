"""People on WhatsApp: one row and one ghost each, under whatever address they show themselves."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial

from mautrix_whatsapp_py.bridge.names import GhostNames
from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.ids import LID_SERVER, USER_SERVER, MxUserId, PersonId, WaJid
from mautrix_whatsapp_py.model.people import NameRank, Person
from mautrix_whatsapp_py.model.portal import direct_chat
from mautrix_whatsapp_py.store.mergers import MergerRecord, MergerRecords
from mautrix_whatsapp_py.store.persons import PersonRows
from mautrix_whatsapp_py.store.store import Store, Tx

log = logging.getLogger(__name__)

CACHE_SIZE = 10_000
_PN_SERVERS = frozenset({USER_SERVER, "c.us", "hosted"})
_LID_SERVERS = frozenset({LID_SERVER, "hosted.lid"})
_MAX_NAME = 200
_TRIES = 3
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Two people turned out to be one; `dropped` is no more."""

    kept: Person
    dropped: Person


OnMerged = Callable[[Merged], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Addresses:
    pn: str | None = None
    lid: str | None = None


def is_person(jid: WaJid) -> bool:
    """Whether an address is that of somebody."""
    return bool(jid.user) and (jid.server in _PN_SERVERS or jid.server in _LID_SERVERS)


class Persons:
    """Resolves addresses to people and remembers what is learnt about them."""

    def __init__(self, store: Store, names: GhostNames) -> None:
        self._store = store
        self._rows = PersonRows()
        self._mergers = MergerRecords()
        self._names = names
        self._known: OrderedDict[WaJid, Person] = OrderedDict()
        self._by_id: dict[PersonId, Person] = {}
        self._listeners: list[OnMerged] = []
        self._successors: dict[PersonId, PersonId] = {}

    def add_listener(self, listener: OnMerged) -> None:
        """Tell somebody when two rows became one; the listener must not wait or raise."""
        self._listeners.append(listener)

    def get_known(self, jid: WaJid, alternate: WaJid | None = None) -> Person | None:
        """Who has these addresses, if that is known without asking the database."""
        person = self._known.get(jid.bare)
        if person is None or (alternate is not None and self._known.get(alternate.bare) is not person):
            return None
        return person

    def get_current(self, person_id: PersonId) -> PersonId:
        """Whose row it is by now; for what was begun before two people turned out to be one."""
        while (successor := self._successors.get(person_id)) is not None:
            person_id = successor
        return person_id

    async def resolve(self, jid: WaJid, alternate: WaJid | None = None) -> Person:
        """Who has these addresses: found, completed, merged or new. ValueError when nobody can."""
        known = self.get_known(jid, alternate)
        if known is not None:
            return known
        addresses = _addresses(jid, alternate)
        for _ in range(_TRIES):
            async with self._store.transaction() as tx:
                person, dropped = await self._settle(tx, addresses)
            if person is None:
                continue
            if dropped is not None:
                self._announce(Merged(kept=person, dropped=dropped))
            return self._remember(person)
        raise StoreError("Somebody's row is neither there nor can it be added.")

    async def find(self, jid: WaJid) -> Person | None:
        """Who has this address, if anybody known."""
        known = self.get_known(jid)
        if known is not None or not is_person(jid):
            return known
        addresses = _addresses(jid, None)
        found = await self._store.read(lambda tx: self._rows.find(tx, pn=addresses.pn, lid=addresses.lid))
        return self._remember(found[0]) if found else None

    async def get(self, person_id: PersonId) -> Person | None:
        """One person."""
        known = self._by_id.get(person_id)
        if known is not None:
            return known
        person = await self._store.read(lambda tx: self._rows.get(tx, person_id))
        return None if person is None else self._remember(person)

    async def get_some(self, person_ids: Collection[PersonId]) -> dict[PersonId, Person]:
        """Many people, few questions; those who are seldom asked for are not remembered."""
        found = {one: self._by_id[one] for one in person_ids if one in self._by_id}
        missing = [one for one in person_ids if one not in found]
        for start in range(0, len(missing), _AT_ONCE):
            some = missing[start : start + _AT_ONCE]
            found |= {one.id: one for one in await self._store.read(partial(self._rows.get_some, person_ids=some))}
        return found

    async def get_by_ghost(self, ghost: MxUserId) -> Person | None:
        """Whose ghost this is."""
        person = await self._store.read(lambda tx: self._rows.get_by_ghost(tx, ghost))
        return None if person is None else self._remember(person)

    def number_of(self, ghost: MxUserId) -> str | None:
        """The phone number that a ghost's user id tells, known or not."""
        return self._names.number(ghost)

    async def learn_name(self, person: Person, name: str, rank: NameRank) -> Person:
        """Remember a name, unless a better one is known."""
        clean = " ".join(name.split())[:_MAX_NAME]
        if not clean or rank < person.name_rank or (clean == person.name and rank == person.name_rank):
            return person
        return await self.put(replace(person, name=clean, name_rank=rank))

    async def put(self, person: Person) -> Person:
        """Store what changed about somebody."""
        async with self._store.transaction() as tx:
            await self._rows.put(tx, person)
        return self._remember(person)

    async def _settle(self, tx: Tx, wanted: _Addresses) -> tuple[Person | None, Person | None]:
        """The person, and the one that was merged into it; no person when somebody else was faster."""
        found = await self._rows.find(tx, pn=wanted.pn, lid=wanted.lid)
        if not found:
            ghost = self._names.ghost(pn=wanted.pn, lid=wanted.lid)
            return await self._rows.add(tx, pn=wanted.pn, lid=wanted.lid, ghost=ghost), None
        person, *others = found
        if others and _may_be_one(person, others[0]):
            return await self._merge(tx, person, others[0]), others[0]
        if others:
            # A number that went to somebody else: the other address names the one who writes now.
            return next(one for one in found if one.lid == wanted.lid), None
        completed = replace(person, pn=person.pn or wanted.pn, lid=person.lid or wanted.lid)
        if completed != person:
            await self._rows.put(tx, completed)
        return completed, None

    async def _merge(self, tx: Tx, keep: Person, drop: Person) -> Person:
        better = drop if drop.name_rank > keep.name_rank else keep
        person = replace(
            keep,
            pn=keep.pn or drop.pn,
            lid=keep.lid or drop.lid,
            name=better.name,
            name_rank=better.name_rank,
        )
        chats = {"keep_chat": str(direct_chat(keep.id)), "drop_chat": str(direct_chat(drop.id))}
        await self._rows.merge(tx, keep=keep.id, drop=drop.id, **chats)
        await self._rows.put(tx, person)
        # Before the commit: who writes next must not miss it. Should it fail, the next message merges them anew.
        self._successors[drop.id] = keep.id
        await self._mergers.put(tx, drop.id, MergerRecord(kept=keep.id, ghost=drop.ghost))
        return person

    def _announce(self, merged: Merged) -> None:
        self._by_id.pop(merged.dropped.id, None)
        log.info("two addresses turned out to be one person: %s", merged.kept.id)
        for listener in self._listeners:
            listener(merged)

    def _remember(self, person: Person) -> Person:
        self._by_id[person.id] = person
        for jid in person.jids:
            self._known[jid] = person
            self._known.move_to_end(jid)
        while len(self._known) > CACHE_SIZE:
            _, dropped = self._known.popitem(last=False)
            self._by_id.pop(dropped.id, None)
        return person


def name_rank_of(*, push_name: str, business_name: str) -> tuple[str, NameRank]:
    """The better one of the names that came with a message."""
    if business_name:
        return business_name, NameRank.BUSINESS
    return push_name, NameRank.PUSH if push_name else NameRank.NONE


def _may_be_one(one: Person, other: Person) -> bool:
    return None in (one.pn, other.pn) and None in (one.lid, other.lid)


def _addresses(*jids: WaJid | None) -> _Addresses:
    found = _Addresses()
    for jid in jids:
        if jid is None or not jid.user:
            continue
        if jid.server in _PN_SERVERS:
            found = replace(found, pn=found.pn or jid.user)
        elif jid.server in _LID_SERVERS:
            found = replace(found, lid=found.lid or jid.user)
    if found.pn is None and found.lid is None:
        raise ValueError("the address of nobody")
    return found
