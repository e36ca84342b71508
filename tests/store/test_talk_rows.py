"""The tables of conversation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mautrix_whatsapp_py.ids import (
    InboxSeq,
    LoginId,
    MxEventId,
    MxRoomId,
    MxUserId,
    PortalKey,
    SendId,
    WaJid,
    WaMessageId,
)
from mautrix_whatsapp_py.model.people import NameRank, Person
from mautrix_whatsapp_py.model.portal import (
    MessagePart,
    OutboxRow,
    Portal,
    ReactionRow,
    SendState,
    direct_chat,
)
from mautrix_whatsapp_py.store.messages import MessageRows, ReactionRows
from mautrix_whatsapp_py.store.outbox import OutboxRows
from mautrix_whatsapp_py.store.persons import PersonRows
from mautrix_whatsapp_py.store.portals import PortalRows
from mautrix_whatsapp_py.store.store import Store

ANN, BEN = LoginId("491"), LoginId("492")
CLUB = PortalKey(chat=WaJid(user="1203", server="g.us"))
M1, M2 = WaMessageId("M1"), WaMessageId("M2")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PERSONS, PORTALS, MESSAGES, REACTIONS, OUTBOX = (
    PersonRows(),
    PortalRows(),
    MessageRows(),
    ReactionRows(),
    OutboxRows(),
)


async def add_person(store: Store, *, pn: str | None = None, lid: str | None = None) -> Person:
    async with store.transaction() as tx:
        person = await PERSONS.add(tx, pn=pn, lid=lid, ghost=MxUserId(f"@{pn}-{lid}:x"))
    assert person is not None
    return person


async def add_portal(store: Store, key: PortalKey = CLUB) -> Portal:
    async with store.transaction() as tx:
        return await PORTALS.ensure(tx, key)


def part_of(portal: Portal, person: Person, message_id: WaMessageId = M1, **changes: object) -> MessagePart:
    part = MessagePart(
        portal_id=portal.id,
        message_id=message_id,
        person_id=person.id,
        event_id=MxEventId(f"${message_id}{person.id}"),
        sender=WaJid(user="1", server="lid"),
        sent_at=NOON,
        login_id=ANN,
        is_own=False,
    )
    return replace(part, **changes)  # type: ignore[arg-type]


async def test_a_person_is_found_by_either_address(store: Store) -> None:
    person = await add_person(store, pn="1", lid="11")
    async with store.transaction() as tx:
        for pn, lid in (("1", None), (None, "11"), ("1", "11"), ("1", "99")):
            assert await PERSONS.find(tx, pn=pn, lid=lid) == [person]
        assert await PERSONS.find(tx, pn="2", lid=None) == []
        assert await PERSONS.find(tx, pn=None, lid=None) == []
        assert await PERSONS.get_by_ghost(tx, person.ghost) == person
        assert await PERSONS.get(tx, person.id) == person


async def test_the_second_of_two_who_add_somebody_adds_nobody(store: Store) -> None:
    person = await add_person(store, pn="1")
    async with store.transaction() as tx:
        assert await PERSONS.add(tx, pn="1", lid=None, ghost=MxUserId("@other:x")) is None
        assert await PERSONS.add(tx, pn="2", lid=None, ghost=person.ghost) is None


async def test_what_is_learnt_of_somebody_is_kept(store: Store) -> None:
    person = replace(
        await add_person(store, pn="1"), lid="11", name="Ann", name_rank=NameRank.CONTACT, shown_name="Ann (WA)"
    )
    async with store.transaction() as tx:
        await PERSONS.put(tx, person)
        assert await PERSONS.get(tx, person.id) == person


async def test_two_people_become_one_with_all_they_had(store: Store) -> None:
    keep, drop = await add_person(store, pn="1"), await add_person(store, lid="11")
    club = await add_portal(store)
    direct = await add_portal(store, PortalKey(chat=direct_chat(drop.id), receiver=ANN))
    theirs = await add_portal(store, PortalKey(chat=direct_chat(drop.id), receiver=BEN))
    await add_portal(store, PortalKey(chat=direct_chat(keep.id), receiver=BEN))
    reaction = ReactionRow(
        portal_id=club.id, message_id=M1, author_id=drop.id, person_id=drop.id, event_id=MxEventId("$r"), key="x"
    )
    async with store.transaction() as tx:
        await MESSAGES.add(tx, [part_of(club, keep), part_of(club, drop), part_of(club, drop, M2)])
        await REACTIONS.put(tx, reaction)
        chats = {"keep_chat": str(direct_chat(keep.id)), "drop_chat": str(direct_chat(drop.id))}
        await PERSONS.merge(tx, keep=keep.id, drop=drop.id, **chats)
        assert await PERSONS.get(tx, drop.id) is None
        assert [part.event_id for part in await MESSAGES.get_parts(tx, club.id, M1)] == [f"$M1{keep.id}"]
        assert len(await MESSAGES.get_parts(tx, club.id, M2, keep.id)) == 1
        moved = await REACTIONS.get(tx, club.id, M1, keep.id, keep.id)
        assert moved is not None
        found = await PORTALS.get(tx, PortalKey(chat=direct_chat(keep.id), receiver=ANN))
        assert found is not None
        assert found.id == direct.id
        left = await PORTALS.get_by_id(tx, theirs.id)
        assert left is not None
        assert left.key.chat == direct_chat(drop.id)


async def test_a_chat_has_one_portal_and_its_room_is_found(store: Store) -> None:
    portal = await add_portal(store)
    assert await add_portal(store) == portal
    assert (await add_portal(store, replace(CLUB, receiver=ANN))).id != portal.id
    full = replace(portal, room_id=MxRoomId("!r:x"), name="Club", disappearing_seconds=60, is_lid_addressed=True)
    async with store.transaction() as tx:
        assert await PORTALS.get_rooms(tx) == []
        await PORTALS.put(tx, full)
        assert await PORTALS.get_by_id(tx, portal.id) == full
        assert await PORTALS.get_rooms(tx) == [("!r:x", portal.id)]
        assert await PORTALS.get_rooms_of(tx, CLUB.chat) == ["!r:x"]


async def test_a_message_is_known_by_its_events(store: Store) -> None:
    portal, person = await add_portal(store), await add_person(store, pn="1")
    parts = [part_of(portal, person, part=number, event_id=MxEventId(f"${number}")) for number in (1, 0)]
    async with store.transaction() as tx:
        await MESSAGES.add(tx, parts)
        await MESSAGES.add(tx, [replace(parts[0], event_id=MxEventId("$other"))])
        await MESSAGES.add(tx, [])
        assert await MESSAGES.get_parts(tx, portal.id, M1, person.id) == parts[::-1]
        assert await MESSAGES.get_parts(tx, portal.id, M2) == []
        assert await MESSAGES.get_by_event(tx, MxEventId("$1")) == parts[0]
        assert await MESSAGES.get_by_event(tx, MxEventId("$other")) is None
        await MESSAGES.remove_events(tx, [MxEventId("$0")])
        await MESSAGES.remove_events(tx, [])
        assert await MESSAGES.get_parts(tx, portal.id, M1) == [parts[0]]


async def test_a_placeholder_is_settled(store: Store) -> None:
    portal, person = await add_portal(store), await add_person(store, pn="1")
    async with store.transaction() as tx:
        await MESSAGES.add(tx, [part_of(portal, person, is_placeholder=True)])
        await MESSAGES.settle_placeholder(tx, portal.id, M1, person.id)
        (part,) = await MESSAGES.get_parts(tx, portal.id, M1)
    assert not part.is_placeholder


async def test_what_others_wrote_is_found_between_two_moments(store: Store) -> None:
    portal, person = await add_portal(store), await add_person(store, pn="1")
    minute = timedelta(minutes=1)
    async with store.transaction() as tx:
        await MESSAGES.add(
            tx, [part_of(portal, person, WaMessageId(f"M{n}"), sent_at=NOON + n * minute) for n in range(5)]
        )
        own = {"is_own": True, "sent_at": NOON + minute}
        await MESSAGES.add(tx, [part_of(portal, person, WaMessageId("OWN"), **own)])
        found = await MESSAGES.get_between(
            tx, portal.id, reader=ANN, after=NOON + minute, until=NOON + 3 * minute, limit=10
        )
        assert [part.message_id for part in found] == ["M3", "M2", "M1"]
        for_ben = await MESSAGES.get_between(tx, portal.id, reader=BEN, after=None, until=NOON + minute, limit=10)
        assert {part.message_id for part in for_ben} == {"M0", "M1", "OWN"}
        newest = await MESSAGES.get_newest(tx, portal.id, [WaMessageId("M1"), WaMessageId("M4")])
        assert newest is not None
        assert newest.message_id == "M4"
        assert await MESSAGES.get_newest(tx, portal.id, [WaMessageId("??")]) is None
        assert await MESSAGES.get_login_of(tx, portal.id, [ANN, BEN]) == ANN
        assert await MESSAGES.get_login_of(tx, portal.id, [BEN]) is None


async def test_a_person_has_one_reaction_per_message(store: Store) -> None:
    portal, person = await add_portal(store), await add_person(store, pn="1")
    first = ReactionRow(
        portal_id=portal.id,
        message_id=M1,
        author_id=person.id,
        person_id=person.id,
        event_id=MxEventId("$1"),
        key="👍",
    )
    second = replace(first, event_id=MxEventId("$2"), key="🎉")
    async with store.transaction() as tx:
        await REACTIONS.put(tx, first)
        await REACTIONS.put(tx, second)
        assert await REACTIONS.get(tx, portal.id, M1, person.id, person.id) == second
        assert await REACTIONS.get_by_event(tx, MxEventId("$1")) is None
        assert await REACTIONS.get_by_event(tx, MxEventId("$2")) == second
        await REACTIONS.remove_event(tx, MxEventId("$2"))
        assert await REACTIONS.get(tx, portal.id, M1, person.id, person.id) is None


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"x" * 70_000])
async def test_a_send_keeps_what_its_first_try_decided(store: Store, content: bytes) -> None:
    portal = await add_portal(store)
    row = OutboxRow(
        send_id=SendId("mx-$e"),
        portal_id=portal.id,
        login_id=ANN,
        event_id=MxEventId("$e"),
        inbox_seq=InboxSeq(7),
        secret=b"s" * 32,
        content=content,
        created_at=NOON,
    )
    async with store.transaction() as tx:
        assert await OUTBOX.add(tx, row) == row
        assert await OUTBOX.add(tx, replace(row, secret=b"t" * 32)) == row
        assert await OUTBOX.get_of_portal(tx, portal.id) == [row]
        assert await OUTBOX.get_uncertain(tx) == []
        await OUTBOX.set_state(tx, row.send_id, SendState.UNCERTAIN)
        assert await OUTBOX.get_uncertain(tx) == [replace(row, state=SendState.UNCERTAIN)]
        await OUTBOX.remove(tx, row.send_id)
        assert await OUTBOX.get(tx, row.send_id) is None
