"""What becomes of the rooms of an account that is not linked any more."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec

from mautrix_whatsapp_py.bridge.closings import Closings
from mautrix_whatsapp_py.bridge.farewell import Cause
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.config.tree import CleanupRooms, CleanupSection, RoomEnd
from mautrix_whatsapp_py.errors import BridgeError, CommandError
from mautrix_whatsapp_py.ids import LoginId, MxUserId, login_tag
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.model.wa_link import WaState
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

SETTLE_SECONDS: Final = 5.0
"""A link that ends because its account is being linked anew has its successor by then."""
AGAIN_SECONDS: Final = 30.0
_ENDED: Final = frozenset({"wa-logged-out", "wa-main-device-gone", "wa-unknown-logout"})
_PREFIX: Final = "parting:"
_REASONS: Final = {
    Cause.HANDED_OVER: "{number} is linked by somebody else now.",
    Cause.LOGOUT: "{number} is not linked any more.",
    Cause.LOST: "{number} is not linked any more.",
}


class _Parting(msgspec.Struct, frozen=True, kw_only=True):
    """An account that went, kept until its rooms are seen to."""

    login_id: LoginId
    user: MxUserId
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class PartingDeps:
    """What it takes."""

    talk: Talk
    closings: Closings
    settings: CleanupSection = field(default_factory=CleanupSection)


class Partings:
    """Goes through the rooms in the background; what a crash interrupts is done again."""

    def __init__(self, deps: PartingDeps) -> None:
        self._deps = deps
        self._talk = deps.talk
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def decide(self, login: Login, cause: Cause) -> None:
        """Remember that an account goes; before it is forgotten."""
        if not self._deps.settings.enabled and cause is not Cause.HANDED_OVER:
            return
        parting = _Parting(login_id=login.id, user=login.user, cause=cause)
        value = msgspec.json.encode(parting).decode()
        async with self._talk.store.transaction() as tx:
            await self._talk.rows.facts.put(tx, f"{_PREFIX}{login.id}:{login.user}", value)

    def begin(self) -> None:
        """See to the rooms of accounts that went, lately or in an earlier run; never waits."""
        spawn(self._work(), name="partings", tasks=self._tasks)

    def on_state(self, login: Login, state: WaState) -> None:
        """A link's state changed: perhaps it has ended."""
        if self._deps.settings.enabled and state.needs_login and state.error in _ENDED:
            name = f"parting:{login_tag(login.id)}"
            spawn(self._lose(login), name=name, tasks=self._tasks)

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Stop; the next start goes on."""
        await end_all(self._tasks)

    async def _lose(self, login: Login) -> None:
        await self._talk.clock.sleep(SETTLE_SECONDS)
        current = self._talk.logins.get(login.id)
        if current is None or not self._talk.logins.state_of(current).needs_login:
            return
        await self.decide(current, Cause.LOST)
        await self._work()

    async def _work(self) -> None:
        async with self._lock:
            while not await self._try():
                await self._talk.clock.sleep(AGAIN_SECONDS)

    async def _try(self) -> bool:
        try:
            async with self._talk.store.reading() as tx:
                waiting = await self._talk.rows.facts.get_prefixed(tx, _PREFIX)
            for key, value in waiting:
                await self._part(msgspec.json.decode(value, type=_Parting))
                async with self._talk.store.transaction() as tx:
                    await self._talk.rows.facts.drop(tx, key)
        except BridgeError as error:
            log.info("rooms of an account that went have to wait: %s", type(error).__name__)
            return False
        return True

    async def _part(self, parting: _Parting) -> None:
        current = self._talk.logins.get(parting.login_id)
        if current is not None and current.user == parting.user and parting.cause is not Cause.LOST:
            # Linked again meanwhile, by the same user.
            return
        for portal in await self._talk.portals.get_all():
            if portal.room_id is not None:
                work = partial(self._end, portal.id, parting)
                await self._talk.following.deps.turns.take(portal.id, work)
        if self._rooms_for(parting.cause).private is not RoomEnd.NOTHING:
            await self._talk.following.deps.spaces.part(parting.login_id, parting.user, _reason(parting))

    async def _end(self, portal_id: PortalId, parting: _Parting) -> None:
        portal = await self._talk.portals.get(portal_id)
        end = RoomEnd.NOTHING if portal is None else await self._choose(portal, parting)
        if portal is None or end is RoomEnd.NOTHING:
            return
        try:
            if end is RoomEnd.DELETE:
                await self._deps.closings.delete(portal, reason=_reason(parting))
                return
            if end is RoomEnd.UNBRIDGE:
                await self._deps.closings.unbridge(portal)
                return
        except CommandError:
            log.info("a room of an account that went is kept: messages in it wait for WhatsApp")
        await self._remove(portal, parting)

    async def _choose(self, portal: Portal, parting: _Parting) -> RoomEnd:
        """What is to become of one room."""
        rooms, receiver = self._rooms_for(parting.cause), portal.key.receiver
        if receiver is not None:
            return rooms.private if receiver == parting.login_id else RoomEnd.NOTHING
        if not await self._talk.rooms.has_been_invited(portal, parting.user):
            return RoomEnd.NOTHING
        others = [one for one in self._talk.logins.get_all() if one.id != parting.login_id]
        there = [one for one in others if await self._talk.rooms.has_invited(portal, one)]
        if any(one.user == parting.user for one in there):
            return RoomEnd.NOTHING
        return rooms.shared_has_users if there else rooms.shared_no_users

    async def _remove(self, portal: Portal, parting: _Parting) -> None:
        assert portal.room_id is not None
        await self._talk.rooms.forget_invite(portal.id, parting.user)
        rooms = self._talk.following.deps.matrix_rooms
        await rooms.remove_from(portal.room_id, parting.user, reason=_reason(parting))

    def _rooms_for(self, cause: Cause) -> CleanupRooms:
        settings = self._deps.settings
        match cause:
            case Cause.LOGOUT:
                return settings.manual
            case Cause.LOST:
                return settings.bad_credentials
            case Cause.HANDED_OVER:
                # Whoever has the account now is nobody its former owner may listen to.
                kick = RoomEnd.KICK
                return CleanupRooms(private=kick, shared_no_users=kick, shared_has_users=kick)


def _reason(parting: _Parting) -> str:
    return _REASONS[parting.cause].format(number=f"+{parting.login_id}")
