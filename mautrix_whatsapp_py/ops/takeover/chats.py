"""Chats, their rooms and spaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mautrix_whatsapp_py.ids import (
    GROUP_SERVER,
    LID_SERVER,
    NEWSLETTER_SERVER,
    USER_SERVER,
    LoginId,
    MxRoomId,
    PortalKey,
    WaJid,
    decode_jid,
)
from mautrix_whatsapp_py.model.group import GroupFacts, GroupRecord, SpaceRecord
from mautrix_whatsapp_py.model.portal import PortalId, direct_chat
from mautrix_whatsapp_py.ops.takeover import skipped as why
from mautrix_whatsapp_py.ops.takeover.people import People
from mautrix_whatsapp_py.ops.takeover.records import OldLogin, OldMembership, OldPortal
from mautrix_whatsapp_py.ops.takeover.report import OnProgress
from mautrix_whatsapp_py.store.group_records import GroupRecords, SpaceRecords
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.portals import PortalRows
from mautrix_whatsapp_py.store.store import Store, Tx

STATUS_CHAT = WaJid(user="status", server="broadcast")
OldKey = tuple[str, str]
"""How the old bridge named a chat: its address, and the account it belongs to."""


@dataclass(slots=True, kw_only=True)
class Chats:
    """What became of the chats."""

    ids: dict[OldKey, PortalId] = field(default_factory=dict)
    rooms: dict[OldKey, str] = field(default_factory=dict)
    owners: dict[OldKey, LoginId] = field(default_factory=dict)
    """Some account that has the chat."""
    left: list[str] = field(default_factory=list)


class ChatTaker:
    """Takes over the chats of an old bridge."""

    def __init__(
        self, *, store: Store, people: People, logins: Sequence[OldLogin], skipped: dict[str, int]
    ) -> None:
        self._store = store
        self._people = people
        self._logins = {login.id: login for login in logins}
        self._skipped = skipped
        self._rows = PortalRows()
        self._facts = KvRows()
        self._groups = GroupRecords()
        self._spaces = SpaceRecords()

    async def take_over(
        self, portals: Sequence[OldPortal], members: Sequence[OldMembership], on_progress: OnProgress
    ) -> Chats:
        """Make every chat known with its room, and who is in it."""
        chats = Chats()
        keys: set[PortalKey] = set()
        # The newer kind of address first: where somebody has a room for each, its room is the living one.
        order = sorted(portals, key=lambda old: (not old.room_id, not old.chat.endswith(f"@{LID_SERVER}")))
        for done, old in enumerate(order, 1):
            on_progress("chats", done, len(order))
            if old.is_space:
                continue
            key = await self._key(old)
            if key is None:
                continue
            if key in keys:
                if old.room_id:
                    chats.left.append(f"the room {old.room_id}: its chat has another room already")
                continue
            keys.add(key)
            await self._take(old, key, chats)
        await self._invite(members, chats)
        await self._take_spaces(portals, members, chats)
        return chats

    async def _key(self, old: OldPortal) -> PortalKey | None:
        try:
            chat = decode_jid(old.chat)
        except ValueError:
            self._skipped[why.ODD_CHATS] += 1
            return None
        if chat.server in (GROUP_SERVER, NEWSLETTER_SERVER):
            return PortalKey(chat=chat)
        is_direct = chat.server in (USER_SERVER, LID_SERVER)
        if not is_direct and chat != STATUS_CHAT:
            self._skipped[why.ODD_CHATS] += 1
            return None
        if old.receiver not in self._logins:
            self._skipped[why.ORPHANS] += 1
            return None
        if chat == STATUS_CHAT:
            return PortalKey(chat=chat, receiver=LoginId(old.receiver))
        person = await self._people.resolve(chat.bare)
        return None if person is None else PortalKey(chat=direct_chat(person), receiver=LoginId(old.receiver))

    async def _take(self, old: OldPortal, key: PortalKey, chats: Chats) -> None:
        portal = await self._store.write(lambda tx: self._put(tx, old, key))
        place = (old.chat, old.receiver)
        chats.ids[place] = portal[0]
        chats.rooms[place] = portal[1]
        if old.receiver:
            chats.owners[place] = LoginId(old.receiver)
        if old.room_id and portal[1] != old.room_id:
            chats.left.append(f"the room {old.room_id}: its chat has another room already")

    async def _put(self, tx: Tx, old: OldPortal, key: PortalKey) -> tuple[PortalId, str]:
        portal = await self._rows.ensure(tx, key)
        if portal.room_id is not None or not old.room_id:
            return portal.id, portal.room_id or ""
        await self._rows.put(
            tx,
            replace(
                portal,
                room_id=MxRoomId(old.room_id),
                name=old.name if portal.person_id is None else "",
                disappearing_seconds=old.disappearing_seconds,
                is_lid_addressed=old.chat.endswith(f"@{LID_SERVER}"),
            ),
        )
        if key.chat.is_group:
            await self._groups.put(tx, MxRoomId(old.room_id), _record(old))
        return portal.id, old.room_id

    async def _invite(self, members: Sequence[OldMembership], chats: Chats) -> None:
        """Who was in a room is not called there again."""
        marks = []
        for (chat, receiver), portal_id in chats.ids.items():
            if receiver and chats.rooms[(chat, receiver)]:
                marks.append((portal_id, self._logins[receiver].mxid))
        for member in members:
            place = (member.chat, member.receiver)
            if place in chats.ids and member.login:
                chats.owners.setdefault(place, LoginId(member.login))
                if chats.rooms[place]:
                    marks.append((chats.ids[place], member.mxid))

        async def put(tx: Tx) -> None:
            for portal_id, mxid in marks:
                await self._facts.put(tx, f"invited:{portal_id}:{mxid}", "1")

        await self._store.write(put)

    async def _take_spaces(
        self, portals: Sequence[OldPortal], members: Sequence[OldMembership], chats: Chats
    ) -> None:
        records: dict[str, SpaceRecord] = {}
        for login in self._logins.values():
            if login.space_room:
                inside = [
                    chats.rooms.get((one.chat, one.receiver), "")
                    for one in members
                    if one.login == login.id and one.is_in_space
                ]
                records[login.id] = SpaceRecord(
                    room_id=login.space_room,
                    name=login.space_name,
                    children=frozenset(filter(None, inside)),
                    invited=frozenset({login.mxid}),
                )
        for old in portals:
            if old.is_space and old.room_id:
                inside = [
                    chats.rooms.get((one.chat, one.receiver), "") for one in portals if one.community == old.chat
                ]
                users = {one.mxid for one in members if one.chat == old.chat}
                records[old.chat] = SpaceRecord(
                    room_id=old.room_id,
                    name=old.name,
                    children=frozenset(filter(None, inside)),
                    invited=frozenset(users),
                    picture_id=old.avatar_id,
                )

        async def put(tx: Tx) -> None:
            for owner, record in records.items():
                if await self._spaces.get(tx, owner) is None:
                    await self._spaces.put(tx, owner, record)

        await self._store.write(put)


def _record(old: OldPortal) -> GroupRecord:
    facts = GroupFacts(
        name=old.name,
        topic=old.topic,
        community=old.community,
        disappearing_seconds=old.disappearing_seconds,
    )
    return GroupRecord(facts=facts, picture_id=old.avatar_id, avatar=old.avatar_uri)
