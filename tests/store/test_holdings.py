"""Who has which login, and the letters of workers, on a real Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from mautrix_whatsapp_py.errors import StoreUnavailable
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.store.holdings import WORKER_LEASE, HoldingBook
from mautrix_whatsapp_py.store.leases import Lease, Leases
from mautrix_whatsapp_py.store.post import Post
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import DatabaseAddress, PostgresAddress
from tests.store.conftest import migrated_copy

TTL_SECONDS = 30.0
GONE_SECONDS = -1.0
A, B = LoginId("15550001111"), LoginId("15550002222")


@pytest.fixture
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseAddress]:
    with migrated_copy("postgres", request, tmp_path) as found:
        yield found


@pytest.fixture
async def shared(address: DatabaseAddress) -> AsyncIterator[Store]:
    store = Store(address, connections=4, is_autocommit=True)
    yield store
    await store.close()


async def join(
    store: Store, name: str, holder: str, *, ttl_seconds: float = TTL_SECONDS, weight: float = 1
) -> Lease:
    leases = Leases(store)
    await leases.beat(name, holder, version="1", ttl_seconds=GONE_SECONDS, weight=weight)
    claimed = await leases.claim(WORKER_LEASE + name, holder, ttl_seconds=ttl_seconds)
    assert claimed is not None
    return claimed.lease


async def test_a_login_has_one_holder_and_its_epoch_grows(shared: Store) -> None:
    book = HoldingBook(shared)
    one, two = await join(shared, "a", "a 1"), await join(shared, "b", "b 1", weight=2)
    assert [(peer.name, peer.weight) for peer in await book.get_peers()] == [("a", 1.0), ("b", 2.0)]
    await book.want([A, B])
    assert await book.get_free() == [A, B]
    claimed = await book.claim([A], holder="a 1", lease=one.name)
    assert [(each.login, each.epoch, each.former) for each in claimed] == [(A, 1, "")]
    assert await book.claim([A], holder="b 1", lease=two.name) == []
    assert await book.get_free() == [B]
    assert await book.is_held(A)
    # Let go by an earlier epoch is not let go.
    await book.release(A, holder="a 1", epoch=0)
    assert await book.is_held(A)
    await book.release(A, holder="a 1", epoch=1)
    assert not await book.is_held(A)
    (again,) = await book.claim([A], holder="b 1", lease=two.name)
    assert (again.epoch, again.former) == (2, "")
    assert [(each.holder, each.logins) for each in await book.get_counts()] == [("", 1), ("b 1", 1)]


async def test_what_the_dead_had_is_free_and_nobody_without_a_lease_takes_anything(shared: Store) -> None:
    book = HoldingBook(shared)
    dead, living = await join(shared, "a", "a 1"), await join(shared, "b", "b 1")
    await book.want([A, B])
    assert len(await book.claim([A, B], holder="a 1", lease=dead.name)) == 2
    assert await Leases(shared).renew(dead, ttl_seconds=GONE_SECONDS)
    assert [peer.name for peer in await book.get_peers()] == ["b"]
    assert await book.claim([A, B], holder="a 1", lease=dead.name) == []
    (taken,) = await book.claim([A], holder="b 1", lease=living.name)
    assert (taken.epoch, taken.former) == (2, "a 1")
    # Another run of the dead one: what its former run had is free for all, also when nobody saw it die.
    await join(shared, "a", "a 2")
    assert await book.get_free() == []
    await book.disown()
    assert await book.get_free() == [B]


async def test_what_nobody_wants_is_not_taken(shared: Store) -> None:
    book = HoldingBook(shared)
    lease = await join(shared, "a", "a 1")
    await book.want([A])
    await book.claim([A], holder="a 1", lease=lease.name)
    await book.want_no_more(A)
    assert await book.get_unwanted("a 1") == [A]
    await book.release(A, holder="a 1", epoch=1)
    assert await book.get_free() == []
    await book.want([A])
    assert await book.get_free() == [A]


@pytest.fixture
async def post(address: DatabaseAddress) -> AsyncIterator[Post]:
    assert isinstance(address, PostgresAddress)
    made = Post(address, application="test")
    yield made
    await made.close()


async def test_letters_arrive_once_in_order_and_only_of_who_may_write(shared: Store, post: Post) -> None:
    one, two = await join(shared, "a", "a 1"), await join(shared, "b", "b 1")
    assert await post.put("b 1", [b"1", b"2"], lease=one)
    assert await post.put("b 1", [b"3"], lease=one)
    assert await post.put("a 1", [b"4"], lease=two)
    stale = Lease(name=one.name, holder=one.holder, epoch=one.epoch + 1)
    assert not await post.put("b 1", [b"5"], lease=stale)
    assert [(letter.sender, letter.body) for letter in await post.take("b 1")] == [
        ("a 1", b"1"),
        ("a 1", b"2"),
        ("a 1", b"3"),
    ]
    assert await post.take("b 1") == []
    await post.put("nobody", [b"6"], lease=one)
    await post.tidy()
    assert await post.take("nobody") == []
    assert [letter.body for letter in await post.take("a 1")] == [b"4"]


async def test_letters_go_on_when_the_server_has_closed_their_connections(shared: Store, post: Post) -> None:
    one = await join(shared, "a", "a 1")
    assert await post.put("a 1", [b"1"], lease=one)
    assert len(await post.take("a 1")) == 1
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'"
    await shared.write(lambda tx: tx.execute(text(end)))
    # Whether the first one meets the old connection depends on what the driver has heard by then.
    with suppress(StoreUnavailable):
        await post.put("a 1", [b"2"], lease=one)
    with suppress(StoreUnavailable):
        await post.take("a 1")
    assert await post.put("a 1", [b"3"], lease=one)
    assert (await post.take("a 1"))[-1].body == b"3"
