"""An old database becomes ours, whichever of its layouts and kinds it has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mautrix_whatsapp_py.bridge.names import GhostNames
from mautrix_whatsapp_py.ids import LoginId, MxEventId, MxUserId, PortalKey, decode_jid
from mautrix_whatsapp_py.model.people import NameRank
from mautrix_whatsapp_py.model.portal import direct_chat
from mautrix_whatsapp_py.ops.takeover.accounts import OldDevice
from mautrix_whatsapp_py.ops.takeover.report import Report
from mautrix_whatsapp_py.ops.takeover.run import NotTheirs, Takeover, take_over
from mautrix_whatsapp_py.store.double_puppets import DoublePuppetRows
from mautrix_whatsapp_py.store.foreign import ForeignDatabase
from mautrix_whatsapp_py.store.group_records import GroupRecords, SpaceRecords
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.logins import LoginRows
from mautrix_whatsapp_py.store.messages import MessageRows, ReactionRows
from mautrix_whatsapp_py.store.persons import PersonRows
from mautrix_whatsapp_py.store.portals import PortalRows
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import DatabaseAddress, SqliteAddress
from mautrix_whatsapp_py.store.users import UserRows
from tests.store.conftest import migrated_copy
from tests.takeover.old import (
    ALICE,
    ALICE_MXID,
    BOB,
    BOB_LID,
    CAROL,
    COMMUNITY,
    DAVE_LID,
    GROUP,
    SECOND,
    OldDatabase,
    add_sessions,
    fill_bridgev2,
    fill_legacy,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Ours:
    """Our side of a takeover."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.placed: list[tuple[LoginId, OldDevice]] = []
        self.progress: list[tuple[str, int, int]] = []

    async def take(self, source: DatabaseAddress) -> Report:
        async def place(_database: ForeignDatabase, login: LoginId, device: OldDevice) -> None:
            self.placed.append((login, device))

        deps = Takeover(
            source=source,
            store=self.store,
            names=GhostNames(template="whatsapp_{{.}}", domain="localhost"),
            place_session=place,
            now=NOW,
            on_progress=lambda *told: self.progress.append(told),
        )
        return await take_over(deps)


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseAddress]:
    folder = tmp_path / "ours"
    folder.mkdir()
    with migrated_copy(getattr(request, "param", "sqlite"), request, folder) as address:
        yield address


@pytest.fixture
async def ours(target: DatabaseAddress) -> AsyncIterator[Ours]:
    store = Store(target)
    yield Ours(store)
    await store.close()


@pytest.fixture
def old(empty: DatabaseAddress) -> OldDatabase:
    return OldDatabase(address=empty)


def counts(report: Report) -> dict[str, tuple[int, int]]:
    return {line.what: (line.found, line.here) for line in report.lines}


async def test_the_current_layout(ours: Ours, old: OldDatabase) -> None:
    fill_bridgev2(old)
    add_sessions(old, f"{ALICE}:12@s.whatsapp.net", f"{ALICE}:13@s.whatsapp.net")
    before = old.dump()
    report = await ours.take(old.address)
    assert old.dump() == before
    assert counts(report) == {
        "users": (2, 2),
        "double puppets": (1, 1),
        "accounts": (1, 1),
        "links that need no new code": (1, 1),
        "users of people on WhatsApp": (5, 4),
        "rooms of chats": (4, 2),
        "spaces": (2, 2),
        "messages": (21, 20),
        "reactions": (1, 1),
        "disappearing messages": (2, 1),
    }
    left = "\n".join(report.left)
    for said in ("1 events that stand for no message", "!old-bob:localhost", "broadcast lists", "second users"):
        assert said in left
    assert "keys of encrypted rooms" not in left
    assert ours.progress[-1] == ("reactions", 1, 1)
    assert [device.jid.device for _, device in ours.placed] == [12]
    await _check_people(ours)
    await _check_chats(ours)
    await _check_past(ours, key="👍")


async def _check_people(ours: Ours) -> None:
    persons = PersonRows()
    async with ours.store.reading() as tx:
        (bob,) = await persons.find(tx, pn=BOB, lid=None)
        (carol,) = await persons.find(tx, pn=CAROL, lid=None)
        (dave,) = await persons.find(tx, pn=None, lid=DAVE_LID)
        (login,) = await LoginRows().get_all(tx)
        tokens = await DoublePuppetRows().get_all(tx)
        room = await UserRows().get_management_room(tx, MxUserId(ALICE_MXID))
    # He had a user for each address; the one in the room of his chat is the one he keeps.
    assert (bob.lid, bob.ghost, bob.name) == (BOB_LID, f"@whatsapp_lid-{BOB_LID}:localhost", "Bob")
    assert (bob.avatar_id, bob.avatar_uri, bob.shown_name) == ("pic", "mxc://a/b", "Bob (WA)")
    assert (carol.name, carol.name_rank) == ("Carol's Cakes", NameRank.BUSINESS)
    assert dave.ghost == f"@whatsapp_lid-{DAVE_LID}:localhost"
    assert (str(login.jid), login.user, login.push_name) == (f"{ALICE}:12@s.whatsapp.net", ALICE_MXID, "Alice")
    assert tokens == {ALICE_MXID: "her-own-token"}
    assert room == "!alice-bot:localhost"


async def _check_chats(ours: Ours) -> None:
    rows, facts = PortalRows(), KvRows()
    async with ours.store.reading() as tx:
        (bob,) = await PersonRows().find(tx, pn=BOB, lid=None)
        direct = await rows.get(tx, PortalKey(chat=direct_chat(bob.id), receiver=LoginId(ALICE)))
        group = await rows.get(tx, PortalKey(chat=decode_jid(GROUP)))
        assert direct is not None
        assert group is not None
        marks = [await facts.get(tx, f"invited:{one.id}:{ALICE_MXID}") for one in (direct, group)]
        own = await SpaceRecords().get(tx, ALICE)
        community = await SpaceRecords().get(tx, COMMUNITY)
        assert group.room_id is not None
        record = await GroupRecords().get(tx, group.room_id)
    assert (direct.room_id, direct.disappearing_seconds) == ("!bob:localhost", 604800)
    assert (group.room_id, group.name) == ("!group:localhost", "Walkers")
    assert marks == ["1", "1"]
    assert own is not None
    assert (own.room_id, own.children) == ("!space:localhost", {"!bob:localhost"})
    assert community is not None
    assert (community.room_id, community.children) == ("!community:localhost", {"!group:localhost"})
    assert record.facts.community == COMMUNITY


async def _check_past(ours: Ours, *, key: str) -> None:
    rows = MessageRows()
    async with ours.store.reading() as tx:
        first = await rows.get_by_event(tx, MxEventId("$m0"))
        third = await rows.get_by_event(tx, MxEventId("$m3"))
        reaction = await ReactionRows().get_by_event(tx, MxEventId("$r1"))
    assert first is not None
    assert (first.message_id, first.is_own, first.login_id) == ("MSG0", True, ALICE)
    assert first.sent_at == datetime.fromtimestamp(SECOND, UTC)
    assert third is not None
    assert (third.is_own, third.login_id) == (False, ALICE)
    assert reaction is not None
    assert (reaction.message_id, reaction.key) == ("MSG1", key)


async def test_the_layout_before(ours: Ours, old: OldDatabase) -> None:
    fill_legacy(old)
    add_sessions(old, f"{ALICE}.0:12@s.whatsapp.net")
    report = await ours.take(old.address)
    found = counts(report)
    assert found["messages"] == (21, 20)
    assert found["reactions"] == (1, 1)
    assert found["rooms of chats"] == (2, 2)
    assert found["links that need no new code"] == (1, 1)
    assert found["double puppets"] == (1, 1)
    await _check_chats(ours)
    await _check_past(ours, key="")


async def test_twice_is_once(ours: Ours, old: OldDatabase) -> None:
    fill_bridgev2(old)
    add_sessions(old, f"{ALICE}:12@s.whatsapp.net")
    first = await ours.take(old.address)
    before = await _count_rows(ours.store)
    second = await ours.take(old.address)
    assert await _count_rows(ours.store) == before
    assert counts(second) == counts(first)


async def _count_rows(store: Store) -> list[int]:
    from sqlalchemy import func, select

    from mautrix_whatsapp_py.store.tables import metadata

    async with store.reading() as tx:
        return [
            (await tx.execute(select(func.count()).select_from(table))).scalar_one()
            for table in metadata.sorted_tables
        ]


async def test_an_account_without_a_session_is_told_of(ours: Ours, old: OldDatabase) -> None:
    fill_bridgev2(old)
    report = await ours.take(old.address)
    assert counts(report)["links that need no new code"] == (1, 0)
    assert any("linked with `login`" in line for line in report.left)


async def test_a_database_of_something_else(ours: Ours, old: OldDatabase) -> None:
    old.script("CREATE TABLE notes (body TEXT)")
    with pytest.raises(NotTheirs):
        await ours.take(old.address)


async def test_ten_thousand_messages_arrive_all(ours: Ours, tmp_path: Path) -> None:
    old = OldDatabase(address=SqliteAddress(path=tmp_path / "old.db"))
    fill_bridgev2(old, messages=10_000)
    report = await ours.take(old.address)
    assert counts(report)["messages"] == (10_001, 10_000)


@pytest.mark.parametrize("target", ["postgres"], indirect=True)
async def test_into_postgres(ours: Ours, tmp_path: Path) -> None:
    """Whatever it was, it may become a Postgres database."""
    old = OldDatabase(address=SqliteAddress(path=tmp_path / "old.db"))
    fill_bridgev2(old)
    assert counts(await ours.take(old.address))["messages"] == (21, 20)
    await _check_past(ours, key="👍")
