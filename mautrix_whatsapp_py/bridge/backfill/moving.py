"""Moves a chat to a new room, so that messages older than all that is there come first."""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

import msgspec

from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import CommandError, MatrixRefused
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.moving import MovingRecord
from mautrix_whatsapp_py.model.mx_room import MxLevelsChange, MxRoomShape
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.model.spoken import MxSpoken
from mautrix_whatsapp_py.ports_copies import MatrixCopies
from mautrix_whatsapp_py.store.moved_events import MovedEvents
from mautrix_whatsapp_py.store.store import Tx

log = logging.getLogger(__name__)

NOBODY_WRITES: Final = 100
GOES_ON: Final = "This chat has a new room, in which its older messages are in their place. It goes on there."


class Moving:
    """What is said of it is kept in the database, so that every step can be done again."""

    def __init__(self, talk: Talk, copies: MatrixCopies) -> None:
        self._talk = talk
        self._copies = copies
        self._rows = MovedEvents()

    async def begin(self, portal: Portal, login: Login) -> None:
        """Decide it: from now on the chat has to be filled anew. Raises CommandError."""
        talk, old = self._talk, portal.room_id
        if old is None:
            raise CommandError("This chat has no room.")
        await talk.recorded(portal.id)
        waiting = await talk.portals.count_waiting(portal)
        if waiting:
            raise CommandError(
                f"{waiting} of this chat's messages are still on their way to WhatsApp. "
                "Wait until they are sent, or redact them, and try again."
            )
        logins = [one.id for one in talk.logins.get_all() if await talk.rooms.has_invited(portal, one)]
        record = MovingRecord(old=old, logins=tuple(logins))
        talk.gate.close(portal.id)

        async def decide(tx: Tx) -> None:
            await talk.rows.facts.put(tx, _key(portal.id), msgspec.json.encode(record).decode())
            await talk.rows.backfills.open_chat(tx, login.id, portal.id)

        await talk.store.write(decide)

    async def get(self, portal_id: PortalId) -> MovingRecord | None:
        """What is to be done with a chat's rooms; None for a chat that stays where it is."""
        raw = await self._talk.store.read(lambda tx: self._talk.rows.facts.get(tx, _key(portal_id)))
        return None if raw is None else msgspec.json.decode(raw, type=MovingRecord)

    async def prepare(self, portal: Portal, login: Login, record: MovingRecord) -> None:
        """Close the old room and make the new one, in the chat's turn."""
        talk, following = self._talk, self._talk.following.deps
        if portal.room_id == record.old:
            await talk.recorded(portal.id)
            levels = MxLevelsChange(events_default=NOBODY_WRITES)
            await following.rooms.deps.groups.change_levels(record.old, levels)
            await following.matrix_rooms.remove_aliases(record.old)
            for one in record.logins:
                known = talk.logins.get(one)
                if known is not None:
                    await talk.rooms.forget_invite(portal.id, known.user)
            portal = await talk.portals.clear_room(portal)
        if portal.room_id is None:
            await talk.rooms.ensure_room(portal, login, MxRoomShape(replaces=record.old), is_quiet=True)

    async def carry_over(self, portal_id: PortalId, record: MovingRecord) -> None:
        """Say in the new room what was said in the old one; while the chat is closed, nothing comes to either."""
        portal = await self._talk.portals.get(portal_id)
        if portal is None or portal.room_id is None:
            return
        renamed: dict[MxEventId, MxEventId] = {}
        rest, unreadable, is_over = None, 0, False
        while not is_over:
            stretch = await self._copies.fetch_stretch(record.old, rest)
            copied: dict[MxEventId, MxEventId] = {}
            for event in stretch.events:
                event_id = await self._copy(event, portal, portal.room_id, {**renamed, **copied})
                if event_id is not None:
                    copied[event.event_id] = event_id
            await self._talk.store.write(partial(_rename, self._rows, copied, portal.room_id))
            renamed |= copied
            unreadable += stretch.unreadable
            rest, is_over = stretch.rest, stretch.rest is None
        if unreadable:
            log.warning("%d encrypted messages stay behind in the room that a chat leaves", unreadable)

    async def finish(self, portal_id: PortalId, record: MovingRecord) -> None:
        """Point from the old room to the new one and call everybody, in the chat's turn."""
        talk, following = self._talk, self._talk.following.deps
        portal = await talk.portals.get(portal_id)
        if portal is not None and portal.room_id is not None:
            for one in record.logins:
                login = talk.logins.get(one)
                if login is not None:
                    await talk.rooms.ensure_room(portal, login)
                    following.spaces.want(login)
            await following.rooms.deps.groups.replace_room(record.old, by=portal.room_id, text=GOES_ON)
        await self._empty(record.old)
        await following.rooms.drop(record.old)
        await talk.store.write(lambda tx: talk.rows.facts.drop(tx, _key(portal_id)))

    async def _copy(
        self, event: MxSpoken, portal: Portal, room_id: MxRoomId, renamed: dict[MxEventId, MxEventId]
    ) -> MxEventId | None:
        """Say something again as whoever said it; None when that was nobody of this chat."""
        talk, bot = self._talk, self._talk.following.deps.matrix.bot
        logins = talk.logins.of_user(event.sender)
        own = next((one for one in logins if portal.key.receiver in (None, one.id)), None)
        person = await talk.persons.get_by_ghost(event.sender)
        if event.sender == bot or (own is None and person is None):
            return None
        txn_id = MxTxnId(f"move-{portal.id}-{event.event_id}")

        async def say(sender: MxUserId) -> MxEventId:
            return await self._copies.send_copy(room_id, event, sender=sender, txn_id=txn_id, renamed=renamed)

        try:
            if own is not None:
                said = await talk.doubles.act(own.user, room_id, lambda: say(own.user))
                if said is not None:
                    return said
                person = await talk.rooms.own_person(own)
            assert person is not None
            return await talk.ghosts.speak(room_id, person, say)
        except MatrixRefused as error:
            log.warning("a message stays behind in the room that a chat leaves: %s", error.errcode)
            return None

    async def _empty(self, room_id: MxRoomId) -> None:
        """Those who speak for WhatsApp leave; people keep what they can read there."""
        matrix = self._talk.following.deps.matrix
        try:
            members = await matrix.fetch_members(room_id)
            for user in sorted(members - {matrix.bot}):
                if await self._talk.persons.get_by_ghost(user) is not None:
                    await matrix.leave_room(room_id, user=user)
            await matrix.leave_room(room_id, user=matrix.bot)
        except MatrixRefused as error:
            log.info("the room that a chat left cannot be left: %s", error.errcode)


async def _rename(rows: MovedEvents, copied: dict[MxEventId, MxEventId], room_id: MxRoomId, tx: Tx) -> None:
    await rows.rename(tx, copied, room_id)


def _key(portal_id: PortalId) -> str:
    return f"moving:{portal_id}:room"
