"""The whole takeover, in its order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from mautrix_whatsapp_py.bridge.names import GhostNames
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.ops.takeover import bridgev2, legacy
from mautrix_whatsapp_py.ops.takeover.accounts import (
    AccountTaker,
    OldDevice,
    SessionUnusable,
    find_device,
)
from mautrix_whatsapp_py.ops.takeover.chats import Chats, ChatTaker
from mautrix_whatsapp_py.ops.takeover.past import PastTaker
from mautrix_whatsapp_py.ops.takeover.people import People, read_known
from mautrix_whatsapp_py.ops.takeover.records import OldBridge, OldLogin
from mautrix_whatsapp_py.ops.takeover.report import OnProgress, Report
from mautrix_whatsapp_py.store.foreign import ForeignDatabase, opened_foreign
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import DatabaseAddress

PlaceSession: TypeAlias = Callable[[ForeignDatabase, LoginId, OldDevice], Awaitable[None]]
"""Puts a session where the account's own goes, unless it is there already. SessionUnusable when that cannot be."""
KEYS_LEFT = (
    "keys of encrypted rooms: the bridge makes itself a new device, for which people's clients make new keys"
)
LEFTOVERS = {
    "backfill_task": "past that the old bridge had not brought over yet",
    "whatsapp_history_sync_message": "past that the old bridge had not brought over yet",
    "history_sync_message": "past that the old bridge had not brought over yet",
    "whatsapp_poll_option_id": "options of old polls, so that votes in them come as text",
    "poll_option_id": "options of old polls, so that votes in them come as text",
    "public_media": "links of public media",
    "whatsapp_media_backfill_request": "files that were still to be asked for",
    "media_backfill_requests": "files that were still to be asked for",
}
"""Tables that are not taken over, and what is lost with them."""


class NotTheirs(Exception):
    """A database holds none of the layouts of mautrix-whatsapp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """What it works with."""

    source: DatabaseAddress
    store: Store
    names: GhostNames
    place_session: PlaceSession
    now: datetime
    on_progress: OnProgress


async def take_over(deps: Takeover) -> Report:
    """Copy everything that is not here yet; the source is only read. NotTheirs, StoreUnavailable."""
    async with opened_foreign(deps.source) as database:
        old = recognise(database)
        return await _Run(deps, old).run()


def recognise(database: ForeignDatabase) -> OldBridge:
    """The layout of a database; NotTheirs when it is none that is known."""
    if database.tables >= bridgev2.MARKS:
        return bridgev2.BridgeV2(database)
    if database.tables >= legacy.MARKS:
        return legacy.Legacy(database)
    raise NotTheirs


class _Run:
    def __init__(self, deps: Takeover, old: OldBridge) -> None:
        self._deps = deps
        self._old = old
        self._report = Report()

    async def run(self) -> Report:
        store, old = self._deps.store, self._old
        accounts = AccountTaker(store, now=self._deps.now)
        users = await old.users()
        await accounts.take_users(users)
        self._report.add("users", found=len(users), here=len(users))
        tokens = sum(bool(user.access_token) for user in users)
        self._report.add("double puppets", found=tokens, here=tokens)
        logins = await self._take_logins(accounts)
        portals = await old.portals()
        people = People(store, self._deps.names, await read_known(old.database))
        wanted = frozenset(portal.ghost for portal in portals if portal.room_id)
        ghosts, persons = await people.take_over(old, wanted, self._deps.on_progress)
        self._report.add("users of people on WhatsApp", found=ghosts, here=persons)
        taker = ChatTaker(store=store, people=people, logins=logins, skipped=old.skipped)
        chats = await taker.take_over(portals, await old.memberships(), self._deps.on_progress)
        rooms = [portal for portal in portals if portal.room_id and not portal.is_space]
        self._report.add("rooms of chats", found=len(rooms), here=_count_rooms(chats, {r.room_id for r in rooms}))
        spaces = sum(bool(login.space_room) for login in logins)
        spaces += sum(bool(portal.room_id) for portal in portals if portal.is_space)
        self._report.add("spaces", found=spaces, here=spaces)
        await self._take_past(people, chats, logins)
        await self._note_left(chats)
        return self._report

    async def _take_logins(self, accounts: AccountTaker) -> list[OldLogin]:
        logins = await self._old.logins()
        linked = 0
        for login in logins:
            device = await find_device(self._old.database, login)
            if device is not None:
                try:
                    await self._deps.place_session(self._old.database, LoginId(login.id), device)
                    linked += 1
                except SessionUnusable:
                    device = None
            await accounts.take_login(login, device)
            if device is None:
                self._report.left.append(
                    f"the link of +{login.id}: there is no usable session; it is linked with `login`"
                )
        self._report.add("accounts", found=len(logins), here=len(logins))
        self._report.add("links that need no new code", found=len(logins), here=linked)
        return logins

    async def _take_past(self, people: People, chats: Chats, logins: list[OldLogin]) -> None:
        old = self._old
        past = PastTaker(
            store=self._deps.store, people=people, chats=chats, logins=logins, on_progress=self._deps.on_progress
        )
        messages = await past.take_messages(old)
        self._report.add("messages", found=await old.database.count(old.message_table), here=messages)
        reactions = await past.take_reactions(old)
        self._report.add("reactions", found=await old.database.count("reaction"), here=reactions)
        due = await past.take_disappearing(old)
        self._report.add("disappearing messages", found=await old.database.count("disappearing_message"), here=due)

    async def _note_left(self, chats: Chats) -> None:
        left = self._report.left
        left += [f"{count} {reason}" for reason, count in sorted(self._old.skipped.items()) if count]
        left += chats.left
        for table, reason in LEFTOVERS.items():
            if reason not in left and await self._old.database.count(table):
                left.append(reason)
        if await self._old.database.count("crypto_account"):
            left.append(KEYS_LEFT)


def _count_rooms(chats: Chats, wanted: set[str]) -> int:
    return len(wanted & set(chats.rooms.values()))
