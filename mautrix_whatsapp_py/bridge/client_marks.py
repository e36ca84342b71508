"""What users do with rooms in their clients, told to WhatsApp where that can be: mutes, private receipts."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

import msgspec

from mautrix_whatsapp_py.bridge.from_matrix import receipt
from mautrix_whatsapp_py.bridge.mark_deps import MarkDeps, is_status
from mautrix_whatsapp_py.convert.bot_text import to_notice
from mautrix_whatsapp_py.errors import WhatsAppRefused
from mautrix_whatsapp_py.ids import NEWSLETTER_SERVER, MxRoomId, MxTxnId, MxUserId, login_tag
from mautrix_whatsapp_py.model.chat_marks import ChatMarks, MxAccountNews
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.mx import MxReceipt
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.store.chat_marks import ChatMarkRows
from mautrix_whatsapp_py.store.kv import KvRows

log = logging.getLogger(__name__)

ONE_SIDED = (
    "What you pin, archive, mute or mark as unread here stays here: the bridge cannot change these settings of a "
    "chat on WhatsApp, except that channels can be muted. What you set on the phone shows here."
)


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Where in a user's account data we are."""

    batch: str
    muted: frozenset[MxRoomId] = frozenset()


class ClientMarks:
    """Hears of changes; what the bridge itself has done is known by what it was last told of a chat."""

    def __init__(self, deps: MarkDeps) -> None:
        self._deps = deps
        self._rows = ChatMarkRows()
        self._facts = KvRows()
        self._seen: dict[MxUserId, _Seen] = {}

    async def look(self, user: MxUserId) -> None:
        """Do what is new; may raise BridgeError, and then it is new again."""
        seen = await self._get(user)
        since = None if seen is None else seen.batch
        talk, accounts = self._deps.talk, self._deps.accounts
        asks = talk.settings.with_private_receipts
        news = await talk.doubles.ask(user, lambda: accounts.fetch_news(user, since, with_receipts=asks))
        if news is None:
            return
        if seen is not None:
            await self._take(user, news, seen)
            for one in news.read:
                await self._note_read(one)
        muted = news.muted if news.muted is not None else (seen.muted if seen is not None else frozenset())
        now = _Seen(batch=news.batch, muted=muted)
        if seen is None or news.tags or news.unread or news.muted is not None:
            await self._put(user, now)
        # Where nothing was said of rooms nobody misses the place: it is not worth a row each time.
        self._seen[user] = now

    async def _take(self, user: MxUserId, news: MxAccountNews, seen: _Seen) -> None:
        changed = frozenset[MxRoomId]() if news.muted is None else news.muted ^ seen.muted
        touched = {*changed, *news.tags, *news.unread}
        is_one_sided = False
        for room_id in sorted(touched):
            found = await self._find(user, room_id)
            if found is None:
                continue
            portal, login, marks = found
            if room_id in changed:
                is_muted = room_id not in seen.muted
                is_one_sided |= not await self._mute(portal, room_id, login, marks, is_muted=is_muted)
            is_one_sided |= self._has_other_tags(portal, marks, news.tags.get(room_id))
            is_unread = news.unread.get(room_id, False)
            is_one_sided |= is_unread and not self._deps.talk.doubles.has_marked_unread(user, room_id)
        if is_one_sided:
            await self._tell_once(user)

    async def _note_read(self, event: MxReceipt) -> None:
        """Homeservers tell bridges of no private receipts but those of their own users."""
        talk = self._deps.talk
        portal_id = talk.portals.get_id(event.room_id)
        if portal_id is None:
            return

        async def work() -> None:
            await talk.recorded(portal_id)
            portal = await talk.portals.get(portal_id)
            if portal is not None:
                await receipt.handle(event, portal, talk)

        await talk.following.deps.turns.take(portal_id, work)

    async def _find(self, user: MxUserId, room_id: MxRoomId) -> tuple[Portal, Login, ChatMarks] | None:
        """The chat of a room, the account it came to, and how that was last seen to have put it."""
        talk = self._deps.talk
        portal_id = talk.portals.get_id(room_id)
        portal = await talk.portals.get(portal_id) if portal_id is not None else None
        if portal is None or is_status(portal):
            return None
        for login in talk.logins.of_user(user):
            known = await talk.store.read(partial(self._rows.get_all, login=login.id))
            if room_id in known:
                return portal, login, known[room_id]
        return None

    async def _mute(
        self, portal: Portal, room_id: MxRoomId, login: Login, marks: ChatMarks, *, is_muted: bool
    ) -> bool:
        """Whether WhatsApp has it so, too."""
        talk, chat = self._deps.talk, portal.key.chat
        if marks.is_muted is is_muted:
            return True
        directory = talk.open_directory(login.id)
        if chat.server != NEWSLETTER_SERVER or directory is None or not self._deps.settings.bridges_mutes:
            return False
        try:
            await directory.mute_newsletter(chat, is_muted=is_muted)
        except WhatsAppRefused as error:
            log.info("login %s could not mute a channel: %s", login_tag(login.id), error.code)
            return False
        talk.filters.note_channel(login.id, chat, is_muted=is_muted)
        now = replace(marks, is_muted=is_muted)
        await talk.store.write(lambda tx: self._rows.put(tx, login.id, portal.id, room_id, now))
        return True

    def _has_other_tags(self, portal: Portal, marks: ChatMarks, tags: frozenset[str] | None) -> bool:
        """Whether somebody has put a room elsewhere than its chat is on the phone."""
        settings = self._deps.settings
        wanted = ((settings.pinned_tag, marks.is_pinned), (settings.archive_tag, marks.is_archived))
        if tags is None:
            return False
        return any(tag is not None and (tag in tags) is not is_set for tag, is_set in wanted)

    async def _tell_once(self, user: MxUserId) -> None:
        key = f"one-sided-hint:{user}"
        facts, store = self._facts, self._deps.talk.store
        if await store.read(lambda tx: facts.get(tx, key)) is not None:
            return
        room_id, matrix = await self._deps.management.ensure(user), self._deps.matrix
        await matrix.send_notice(room_id, to_notice(ONE_SIDED), sender=matrix.bot, txn_id=MxTxnId(key))
        await store.write(lambda tx: facts.put(tx, key, "1"))

    async def _get(self, user: MxUserId) -> _Seen | None:
        if user not in self._seen:
            text = await self._deps.talk.store.read(lambda tx: self._facts.get(tx, _key(user)))
            if text is None:
                return None
            self._seen[user] = msgspec.json.decode(text, type=_Seen)
        return self._seen[user]

    async def _put(self, user: MxUserId, seen: _Seen) -> None:
        text = msgspec.json.encode(seen).decode()
        await self._deps.talk.store.write(lambda tx: self._facts.put(tx, _key(user), text))


def _key(user: MxUserId) -> str:
    return f"account news:{user}"
