"""Polls and votes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mautrix_whatsapp_py.ids import MxEventId, PersonId, WaMessageId
from mautrix_whatsapp_py.model.polls import PollOption, PollVote
from mautrix_whatsapp_py.model.portal import PollRow, Portal, direct_chat
from mautrix_whatsapp_py.store.polls import PollRows
from mautrix_whatsapp_py.store.portal_end import PortalEnd
from mautrix_whatsapp_py.store.store import Store
from tests.store.test_talk_rows import PERSONS, add_person, add_portal

POLLS = PollRows()
M1 = WaMessageId("M1")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
A, B = PollOption(id="a '\"", digest=b"a" * 32), PollOption(id="b", digest=b"b" * 32)


def poll_of(portal: Portal) -> PollRow:
    return PollRow(
        portal_id=portal.id,
        message_id=M1,
        options=(A, B),
        max_selections=2,
        event_id=MxEventId("$poll"),
        ends_at=NOON,
        is_from_matrix=True,
    )


async def votes(store: Store, portal: Portal) -> list[PollVote]:
    async with store.reading() as tx:
        return await POLLS.get_votes(tx, portal.id, M1)


async def vote(store: Store, portal: Portal, person_id: PersonId, *digests: bytes) -> None:
    async with store.transaction() as tx:
        await POLLS.put_vote(tx, portal.id, M1, person_id, digests)


async def test_a_poll_is_remembered_once(store: Store) -> None:
    portal = await add_portal(store)
    poll = poll_of(portal)
    async with store.transaction() as tx:
        await POLLS.add(tx, poll)
        await POLLS.add(tx, PollRow(portal_id=portal.id, message_id=M1, options=()))
        assert await POLLS.get(tx, portal.id, M1) == poll
        assert await POLLS.get(tx, portal.id, WaMessageId("M2")) is None
        await POLLS.set_tally(tx, poll, MxEventId("$tally"))
        found = await POLLS.get(tx, portal.id, M1)
    assert found is not None
    assert found.tally_event_id == "$tally"


async def test_a_poll_ends_once(store: Store) -> None:
    poll = poll_of(await add_portal(store))
    async with store.transaction() as tx:
        await POLLS.add(tx, poll)
        assert await POLLS.get_due(tx, NOON - timedelta(seconds=1), limit=9) == []
        assert await POLLS.get_due(tx, NOON, limit=9) == [poll]
        await POLLS.end(tx, poll)
        assert await POLLS.get_due(tx, NOON + timedelta(days=9), limit=9) == []


async def test_everybody_has_one_vote(store: Store) -> None:
    portal, ana = await add_portal(store), await add_person(store, pn="491")
    await vote(store, portal, ana.id, A.digest)
    await vote(store, portal, ana.id, A.digest, B.digest)
    assert await votes(store, portal) == [PollVote(person_id=ana.id, digests=(A.digest, B.digest))]
    await vote(store, portal, ana.id)
    assert await votes(store, portal) == [PollVote(person_id=ana.id, digests=())]


async def test_two_addresses_that_are_one_person_have_one_vote(store: Store) -> None:
    portal = await add_portal(store)
    keep, drop = await add_person(store, pn="491"), await add_person(store, lid="1")
    await vote(store, portal, drop.id, B.digest)
    await vote(store, portal, keep.id, A.digest)
    chats = {"keep_chat": str(direct_chat(keep.id)), "drop_chat": str(direct_chat(drop.id))}
    async with store.transaction() as tx:
        await PERSONS.merge(tx, keep=keep.id, drop=drop.id, **chats)
    assert await votes(store, portal) == [PollVote(person_id=keep.id, digests=(A.digest,))]


async def test_a_portal_that_ends_takes_its_polls_along(store: Store) -> None:
    portal, ana = await add_portal(store), await add_person(store, pn="491")
    async with store.transaction() as tx:
        await POLLS.add(tx, poll_of(portal))
    await vote(store, portal, ana.id, A.digest)
    async with store.transaction() as tx:
        await PortalEnd().remove(tx, portal.id)
        assert await POLLS.get(tx, portal.id, M1) is None
    assert await votes(store, portal) == []
