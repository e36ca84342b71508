"""What is pinned, archived and muted on the phone is so in its user's clients, where the bridge acts as them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mautrix_whatsapp_py.bridge.mark_deps import MarkDeps, is_status, tag_of_archive
from mautrix_whatsapp_py.errors import MatrixRefused, WhatsAppError
from mautrix_whatsapp_py.ids import NEWSLETTER_SERVER, LoginId, MxRoomId, PersonId, WaJid, login_tag
from mautrix_whatsapp_py.model.chat_marks import UNMARKED, ChatMarks
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa_directory import WaChatSetting
from mautrix_whatsapp_py.ports_chats import WhatsAppDirectory
from mautrix_whatsapp_py.store.chat_marks import ChatMarkRows

log = logging.getLogger(__name__)

CHANNELS_AGAIN = timedelta(hours=1)
"""WhatsApp's server is asked how channels are put, not the session."""


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What an account was last seen like."""

    mark: str = ""
    settings: tuple[WaChatSetting, ...] = ()
    channels: frozenset[WaJid] = frozenset()
    channels_at: datetime | None = None
    changes_at: datetime | None = None
    """When the next mute is over."""
    is_due: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Now:
    """How the chats of an account are put."""

    settings: Mapping[WaJid, WaChatSetting]
    muted_channels: frozenset[WaJid]
    at: datetime
    persons: Mapping[PersonId, Person] = field(default_factory=dict)


class PhoneMarks:
    """Takes over what has changed; what users do with their rooms stays until the phone says otherwise."""

    def __init__(self, deps: MarkDeps) -> None:
        self._deps = deps
        self._rows = ChatMarkRows()
        self._seen: dict[LoginId, _Seen] = {}
        deps.talk.rooms.add_listener(self._on_room)

    async def look(self, login: Login) -> None:
        """Bring the rooms of an account to how its chats are put; may raise BridgeError, and is then due again."""
        directory = self._deps.talk.open_directory(login.id)
        if directory is None:
            return
        seen, now = self._seen.setdefault(login.id, _Seen()), self._deps.talk.clock.now()
        found = await directory.look_at_chat_settings(seen.mark)
        if not found.is_unchanged:
            seen.is_due = seen.is_due or found.items != seen.settings
            seen.mark, seen.settings = found.mark, found.items
        await self._look_at_channels(login, directory, seen, now)
        is_over = seen.changes_at is not None and seen.changes_at <= now
        if seen.is_due or is_over:
            seen.is_due = True
            await self._take(login, seen, now)
            seen.is_due = False

    def _on_room(self, _portal: Portal, login: Login) -> None:
        if (seen := self._seen.get(login.id)) is not None:
            seen.is_due = True

    async def _look_at_channels(
        self, login: Login, directory: WhatsAppDirectory, seen: _Seen, now: datetime
    ) -> None:
        filters = self._deps.talk.filters
        if seen.channels_at is None or now - seen.channels_at >= CHANNELS_AGAIN:
            seen.channels_at = now
            try:
                channels = await directory.fetch_newsletters()
            except WhatsAppError as error:
                log.info("which channels login %s has muted is not known: %s", login_tag(login.id), error.code)
            else:
                filters.note_muted_channels(login.id, frozenset(one.jid for one in channels if one.is_muted))
        muted = filters.get_muted_channels(login.id)
        seen.is_due = seen.is_due or muted != seen.channels
        seen.channels = muted

    async def _take(self, login: Login, seen: _Seen, at: datetime) -> None:
        talk = self._deps.talk
        known = await talk.store.read(lambda tx: self._rows.get_all(tx, login.id))
        portals = [one for one in await talk.portals.get_all() if one.key.receiver in (None, login.id)]
        partners = [one.person_id for one in portals if one.person_id is not None]
        now = _Now(
            settings={one.chat: one for one in seen.settings},
            muted_channels=seen.channels,
            at=at,
            persons=await talk.persons.get_some(partners),
        )
        is_done = True
        for portal in portals:
            room_id = portal.room_id
            if room_id is None:
                continue
            before, wanted = known.get(room_id), self._marks(portal, now)
            if before == wanted or (before is None and not await talk.rooms.has_invited(portal, login)):
                continue
            is_done &= await self._bring(login, portal, room_id, before, wanted)
        if not is_done:
            raise MatrixRefused
        ends = [one.muted_until for one in seen.settings if one.muted_until is not None and one.muted_until > at]
        seen.changes_at = min(ends, default=None)

    def _marks(self, portal: Portal, now: _Now) -> ChatMarks:
        chat, person_id = portal.key.chat, portal.person_id
        if is_status(portal):
            return ChatMarks(is_archived=True, is_muted=self._deps.settings.is_status_quiet)
        if chat.server == NEWSLETTER_SERVER:
            return ChatMarks(is_muted=chat in now.muted_channels)
        person = now.persons.get(person_id) if person_id is not None else None
        jids = (chat,) if person is None else person.jids
        found = [now.settings[jid] for jid in jids if jid in now.settings]
        return ChatMarks(
            is_pinned=any(one.is_pinned for one in found),
            is_archived=any(one.is_archived for one in found),
            is_muted=any(one.muted_until is not None and one.muted_until > now.at for one in found),
        )

    async def _bring(
        self, login: Login, portal: Portal, room_id: MxRoomId, before: ChatMarks | None, wanted: ChatMarks
    ) -> bool:
        """Change what is other than it was; whether that was let. A room never looked at counts as plain."""
        settings, old, is_new = self._deps.settings, before or UNMARKED, before is None
        tags = {settings.pinned_tag: (old.is_pinned, wanted.is_pinned)}
        tags[tag_of_archive(portal, settings)] = (old.is_archived, wanted.is_archived)
        is_done = True
        if is_new or not settings.tags_new_only:
            for tag, (was_set, is_set) in tags.items():
                if tag is not None and was_set is not is_set:
                    is_done &= await self._tag(login, room_id, tag, is_set=is_set)
        may_mute = settings.bridges_mutes and (is_new or not settings.mutes_new_only)
        if may_mute and old.is_muted is not wanted.is_muted:
            is_done &= await self._mute(login, room_id, is_muted=wanted.is_muted)
        if is_done:
            await self._deps.talk.store.write(lambda tx: self._rows.put(tx, login.id, portal.id, room_id, wanted))
        return is_done

    async def _tag(self, login: Login, room_id: MxRoomId, tag: str, *, is_set: bool) -> bool:
        async def do() -> bool:
            await self._deps.accounts.set_tag(room_id, tag, is_set=is_set, user=login.user)
            return True

        return await self._deps.talk.doubles.ask(login.user, do) or False

    async def _mute(self, login: Login, room_id: MxRoomId, *, is_muted: bool) -> bool:
        async def do() -> bool:
            await self._deps.accounts.set_muted(room_id, is_muted=is_muted, user=login.user)
            return True

        return await self._deps.talk.doubles.ask(login.user, do) or False
