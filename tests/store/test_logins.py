"""Logins on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mautrix_whatsapp_py.ids import LoginId, MxUserId, WaJid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.store.logins import StoredLogins
from mautrix_whatsapp_py.store.store import Store

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ALICE = MxUserId("@alice:localhost")
BOB = MxUserId("@bob:localhost")


def _login(phone: str, *, user: MxUserId = ALICE, used_at: datetime = NOON, device: int = 3) -> Login:
    return Login(
        id=LoginId(phone),
        user=user,
        jid=WaJid(user=phone, server="s.whatsapp.net", device=device),
        lid=WaJid(user="99" + phone, server="lid", device=device),
        push_name="Ana",
        platform="android",
        linked_at=NOON,
        used_at=used_at,
    )


async def test_a_login_comes_back_as_it_was(store: Store) -> None:
    book = StoredLogins(store)
    login = _login("15550001111")
    await book.put(login)
    assert await book.get_all() == [login]


async def test_linking_again_replaces_the_device_and_the_user(store: Store) -> None:
    book = StoredLogins(store)
    await book.put(_login("15550001111"))
    again = _login("15550001111", user=BOB, device=9)
    await book.put(again)
    assert await book.get_all() == [again]


async def test_the_most_recently_used_comes_first(store: Store) -> None:
    book = StoredLogins(store)
    for minutes, phone in enumerate(("1555000001", "1555000002", "1555000003")):
        await book.put(_login(phone, used_at=NOON + timedelta(minutes=minutes)))
    await book.set_used(LoginId("1555000001"), at=NOON + timedelta(hours=1))
    assert [login.id for login in await book.get_all()] == ["1555000001", "1555000003", "1555000002"]


async def test_whether_a_link_is_wanted_is_remembered(store: Store) -> None:
    book = StoredLogins(store)
    await book.put(_login("1555000001"))
    await book.set_wanted(LoginId("1555000001"), is_wanted=False)
    assert [login.is_wanted for login in await book.get_all()] == [False]


async def test_a_removed_login_is_nobodys_preferred_one(store: Store) -> None:
    book = StoredLogins(store)
    await book.put(_login("1555000001"))
    await book.put(_login("1555000002"))
    await book.set_preferred(ALICE, LoginId("1555000002"))
    assert await book.get_preferred(ALICE) == "1555000002"
    await book.remove(LoginId("1555000002"))
    assert await book.get_preferred(ALICE) is None
    assert [login.id for login in await book.get_all()] == ["1555000001"]
