"""Logins on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

from mautrix_whatsapp_py.ids import LoginId, MxUserId, WaJid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.store.logins import LoginBook
from mautrix_whatsapp_py.store.store import Store

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ALICE = MxUserId("@alice:localhost")
BOB = MxUserId("@bob:localhost")


def _login(phone: str, *, user: MxUserId = ALICE, device: int = 3) -> Login:
    return Login(
        id=LoginId(phone),
        user=user,
        jid=WaJid(user=phone, server="s.whatsapp.net", device=device),
        lid=WaJid(user="99" + phone, server="lid", device=device),
        push_name="Ana",
        platform="android",
        linked_at=NOON,
    )


async def test_a_login_comes_back_as_it_was(store: Store) -> None:
    book = LoginBook(store)
    login = _login("15550001111")
    await book.put(login)
    assert await book.get_all() == [login]


async def test_linking_again_replaces_the_device_and_the_user(store: Store) -> None:
    book = LoginBook(store)
    await book.put(_login("15550001111"))
    again = _login("15550001111", user=BOB, device=9)
    await book.put(again)
    assert await book.get_all() == [again]


async def test_a_removed_login_is_nobodys_preferred_one(store: Store) -> None:
    book = LoginBook(store)
    await book.put(_login("1555000001"))
    await book.put(_login("1555000002"))
    await book.set_preferred(ALICE, LoginId("1555000002"))
    assert await book.get_preferred(ALICE) == "1555000002"
    await book.remove(LoginId("1555000002"))
    assert await book.get_preferred(ALICE) is None
    assert [login.id for login in await book.get_all()] == ["1555000001"]
