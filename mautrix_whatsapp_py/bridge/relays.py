"""Accounts that tell what people without one say."""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.config.relay_template import (
    DEFAULT_DISTINGUISHERS,
    DEFAULT_FORMATS,
    DEFAULT_NAME,
    NAME_FIELDS,
    decode_relay_template,
)
from mautrix_whatsapp_py.convert.relay import RelayFormats, Relaying, likeness
from mautrix_whatsapp_py.ids import LoginId, MxEventId, MxRoomId, MxUserId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.ports_relay import MatrixPeople
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Store

NAMES_FRESH = timedelta(seconds=60)
CACHE_SIZE = 200


def make_formats(
    texts: Mapping[str, str] = DEFAULT_FORMATS,
    *,
    name: str = DEFAULT_NAME,
    distinguishers: tuple[str, ...] = DEFAULT_DISTINGUISHERS,
) -> RelayFormats:
    """How things look; kinds that the configuration does not speak of look as usual."""
    whole = {**DEFAULT_FORMATS, **texts}
    return RelayFormats(
        messages={kind: decode_relay_template(text) for kind, text in whole.items()},
        name=decode_relay_template(name, NAME_FIELDS),
        distinguishers=distinguishers,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """What the configuration says of it."""

    is_admin_only: bool = True
    prefers_default: bool = True
    default_relays: tuple[LoginId, ...] = ()
    formats: RelayFormats = field(default_factory=make_formats)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayDeps:
    """The surroundings."""

    store: Store
    logins: Logins
    people: MatrixPeople
    clock: Clock
    level_of: Callable[[MxUserId], PermissionLevel]
    settings: RelaySettings = field(default_factory=RelaySettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """What people in a room are called, as of a moment, and how many are called alike."""

    at: datetime
    names: Mapping[MxUserId, str]
    alike: Mapping[str, int]


class Relays:
    """Which account of a chat speaks for others there, and for whom."""

    def __init__(self, deps: RelayDeps) -> None:
        self._deps = deps
        self._rows = KvRows()
        self._names: OrderedDict[MxRoomId, _Names] = OrderedDict()

    @property
    def settings(self) -> RelaySettings:
        """What the configuration says of it."""
        return self._deps.settings

    async def get(self, portal: Portal) -> Login | None:
        """The account that speaks for others in a chat; None when there is none, or it is linked no more."""
        async with self._deps.store.reading() as tx:
            chosen = await self._rows.get(tx, _key(portal.id))
        login = None if chosen is None else self._deps.logins.get(LoginId(chosen))
        is_elsewhere = login is not None and portal.key.receiver not in (None, login.id)
        return None if is_elsewhere else login

    async def choose(self, user: MxUserId, portal: Portal) -> Login | None:
        """The account that carries what somebody without one writes; None when nobody may or does."""
        if self._deps.level_of(user) < PermissionLevel.RELAY:
            return None
        return await self.get(portal)

    async def set(self, portal_id: PortalId, login: Login | None) -> None:
        """Have an account speak for others in a chat, or none."""
        async with self._deps.store.transaction() as tx:
            if login is None:
                await self._rows.drop(tx, _key(portal_id))
            else:
                await self._rows.put(tx, _key(portal_id), login.id)

    async def describe(self, user: MxUserId, room_id: MxRoomId, event_id: MxEventId, carrier: WaJid) -> Relaying:
        """Whose message it is, as WhatsApp will be told."""
        known = await self._get_names(room_id, user)
        name = known.names.get(user, "")
        like = likeness(name)
        return Relaying(
            user=user,
            name=name,
            is_ambiguous=not like or known.alike.get(like, 0) > 1 or "@" in name,
            carrier=carrier,
            note_id=WaMessageId("3EB0" + hashlib.sha256(event_id.encode()).hexdigest()[:18].upper()),
            formats=self.settings.formats,
        )

    async def fetch_sender(self, room_id: MxRoomId, event_id: MxEventId) -> MxUserId | None:
        """Who wrote something; WhatsApp sees one writer where there are several."""
        return await self._deps.people.fetch_sender(room_id, event_id)

    async def _get_names(self, room_id: MxRoomId, user: MxUserId) -> _Names:
        now = self._deps.clock.now()
        known = self._names.get(room_id)
        if known is None or now - known.at > NAMES_FRESH or user not in known.names:
            names = await self._deps.people.fetch_names(room_id)
            alike = Counter(like for name in names.values() if (like := likeness(name)))
            known = self._names[room_id] = _Names(at=now, names=names, alike=alike)
            self._names.move_to_end(room_id)
            while len(self._names) > CACHE_SIZE:
                self._names.popitem(last=False)
        return known


def _key(portal_id: PortalId) -> str:
    return f"relay:{portal_id}:login"
