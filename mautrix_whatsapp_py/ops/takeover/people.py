"""People: the old bridge had a user for each address of somebody, here everybody has one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from mautrix_whatsapp_py.bridge.names import GhostNames
from mautrix_whatsapp_py.ids import LID_SERVER, USER_SERVER, MxUri, MxUserId, PersonId, WaJid
from mautrix_whatsapp_py.model.people import NameRank, Person
from mautrix_whatsapp_py.ops.takeover import skipped as why
from mautrix_whatsapp_py.ops.takeover.bridgev2 import ghost_jid
from mautrix_whatsapp_py.ops.takeover.records import OldBridge, OldGhost
from mautrix_whatsapp_py.ops.takeover.report import OnProgress
from mautrix_whatsapp_py.store.foreign import ForeignDatabase
from mautrix_whatsapp_py.store.persons import PersonRows
from mautrix_whatsapp_py.store.store import Store, Tx

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the sessions of the old bridge know of people."""

    lid_of: dict[str, str]
    pn_of: dict[str, str]
    names: dict[WaJid, tuple[str, NameRank]]


@dataclass(slots=True, kw_only=True)
class _Somebody:
    """The addresses of one human being, and the users who stood for them."""

    pn: str | None
    lid: str | None
    ghosts: list[OldGhost] = field(default_factory=list)


class People:
    """Resolves addresses while things are taken over."""

    def __init__(self, store: Store, names: GhostNames, known: Known) -> None:
        self._store = store
        self._names = names
        self._known = known
        self._rows = PersonRows()
        self._ids: dict[WaJid, PersonId] = {}

    async def take_over(self, old: OldBridge, wanted: frozenset[str], on_progress: OnProgress) -> tuple[int, int]:
        """Make everybody known; `wanted` are users that are in the rooms of direct chats. How many users, and how
        many people they are.
        """
        ghosts = await old.ghosts()
        crowd = self._group(ghosts, old.skipped)
        for start in range(0, len(crowd), BATCH):
            some = crowd[start : start + BATCH]
            people = await self._store.write(partial(self._put_all, crowd=some, wanted=wanted))
            for person in people:
                self._ids.update(dict.fromkeys(person.jids, person.id))
            on_progress("people", start + len(some), len(crowd))
        return len(ghosts), len(crowd)

    async def resolve(self, jid: WaJid) -> PersonId | None:
        """Who has an address, made known when nobody has it; None when it is no person's."""
        known = self._ids.get(jid)
        if known is not None or jid.server not in (USER_SERVER, LID_SERVER) or not jid.user.isdigit():
            return known
        pn, lid = self._addresses(jid)
        people = await self._store.write(
            lambda tx: self._put_all(tx, [_Somebody(pn=pn, lid=lid)], frozenset[str]())
        )
        for person in people:
            self._ids.update(dict.fromkeys((*person.jids, jid), person.id))
        return self._ids.get(jid)

    def same(self, one: WaJid, other: WaJid) -> bool:
        """Whether two addresses are one person's."""
        return one == other or self._addresses(one) == self._addresses(other)

    def _group(self, ghosts: Sequence[OldGhost], skipped: dict[str, int]) -> list[_Somebody]:
        crowd: dict[tuple[str | None, str | None], _Somebody] = {}
        for ghost in ghosts:
            jid = ghost_jid(ghost.id)
            if jid is None:
                skipped[why.ODD_GHOSTS] += 1
                continue
            pn, lid = self._addresses(jid)
            crowd.setdefault((pn, lid), _Somebody(pn=pn, lid=lid)).ghosts.append(ghost)
        extra = Counter(len(somebody.ghosts) > 1 for somebody in crowd.values())[True]
        if extra:
            skipped[why.SECOND_GHOSTS] += extra
        return list(crowd.values())

    def _addresses(self, jid: WaJid) -> tuple[str | None, str | None]:
        if jid.server == USER_SERVER:
            return jid.user, self._known.lid_of.get(jid.user)
        return self._known.pn_of.get(jid.user), jid.user

    async def _put_all(self, tx: Tx, crowd: Sequence[_Somebody], wanted: frozenset[str]) -> list[Person]:
        return [person for one in crowd if (person := await self._put(tx, one, wanted)) is not None]

    async def _put(self, tx: Tx, somebody: _Somebody, wanted: frozenset[str]) -> Person | None:
        there = await self._rows.find(tx, pn=somebody.pn, lid=somebody.lid)
        if there:
            return there[0]
        old = _choose(somebody.ghosts, wanted)
        ghost = self._names.ghost(pn=somebody.pn, lid=somebody.lid)
        if old is not None:
            ghost = MxUserId(self._names.ghost(pn=old.id, lid=None))
        person = await self._rows.add(tx, pn=somebody.pn, lid=somebody.lid, ghost=ghost)
        if person is None:
            return await self._rows.get_by_ghost(tx, ghost)
        person = self._described(person, old)
        await self._rows.put(tx, person)
        return person

    def _described(self, person: Person, old: OldGhost | None) -> Person:
        """With the best name anybody's contacts have, else what the old bridge called them."""
        names = [self._known.names[jid] for jid in person.jids if jid in self._known.names]
        name, rank = max(names, key=lambda found: found[1], default=("", NameRank.NONE))
        if old is None:
            return replace(person, name=name, name_rank=rank)
        if not name and old.name and not old.name.startswith("+"):
            name, rank = old.name.removesuffix(" (WA)"), NameRank.PUSH
        return replace(
            person,
            name=name,
            name_rank=rank,
            shown_name=old.name,
            avatar_id=old.avatar_id,
            avatar_uri=MxUri(old.avatar_uri) if old.avatar_uri else None,
        )


def _choose(ghosts: Sequence[OldGhost], wanted: frozenset[str]) -> OldGhost | None:
    """Who of somebody's users stays: the one in their chat's room, else the one of their number.

    With a room for each, it is the one of their LID, whose room is the newer one.
    """
    order = sorted(
        ghosts, key=lambda ghost: (ghost.id not in wanted, ghost.id.startswith("lid-") != (ghost.id in wanted))
    )
    return order[0] if order else None


async def read_known(database: ForeignDatabase) -> Known:
    """What the client library's tables say of people."""
    pairs = await database.rows("whatsmeow_lid_map")
    names: dict[WaJid, tuple[str, NameRank]] = {}
    for row in await database.rows("whatsmeow_contacts"):
        user, _, server = row.text("their_jid").partition("@")
        jid = WaJid(user=user, server=server)
        if row.text("business_name"):
            names[jid] = (row.text("business_name"), NameRank.BUSINESS)
        elif row.text("push_name"):
            names.setdefault(jid, (row.text("push_name"), NameRank.PUSH))
    return Known(
        lid_of={row.text("pn"): row.text("lid") for row in pairs},
        pn_of={row.text("lid"): row.text("pn") for row in pairs},
        names=names,
    )
