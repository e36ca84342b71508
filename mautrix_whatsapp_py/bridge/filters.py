"""Which chats a user wants bridged; kept in the database, after what the configuration says."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mautrix_whatsapp_py.convert.filtering import is_wanted, wants_traits
from mautrix_whatsapp_py.errors import WhatsAppError
from mautrix_whatsapp_py.ids import BROADCAST_SERVER, NEWSLETTER_SERVER, LoginId, MxUserId, WaJid, login_tag
from mautrix_whatsapp_py.model.filtering import ChatFacts, ChatKind, ChatTrait, FilterRule
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_directory import WaChatSetting
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.ports_chats import OpenDirectory
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.wishes import EVERYBODY, FilterRows

log = logging.getLogger(__name__)

CONTACTS_FRESH = timedelta(minutes=2)
SETTINGS_FRESH = timedelta(seconds=2)
"""Looking again costs nothing while the session's tables are as they were."""
CACHE_SIZE = 1_000
STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    """How a session's chats are put, as of a moment."""

    at: datetime
    mark: str = ""
    items: tuple[WaChatSetting, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contacts:
    """Who is in the contact book, as of a moment."""

    at: datetime
    jids: frozenset[WaJid] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAddress:
    """A chat, under every address it is known by."""

    chat: WaJid
    aliases: tuple[WaJid, ...] = ()
    is_community: bool = False

    @property
    def jids(self) -> tuple[WaJid, ...]:
        """All of them."""
        return (self.chat, *self.aliases)


class Filters:
    """Rules of users, of everybody, and of the configuration; in this order the first that speaks decides."""

    def __init__(
        self, *, store: Store, clock: Clock, open_directory: OpenDirectory, configured: Sequence[FilterRule] = ()
    ) -> None:
        self._store = store
        self._clock = clock
        self._open_directory = open_directory
        self._configured = tuple(configured)
        self._rows = FilterRows()
        self._rules: OrderedDict[MxUserId, tuple[FilterRule, ...]] = OrderedDict()
        self._settings: dict[LoginId, _Settings] = {}
        self._contacts: dict[LoginId, _Contacts] = {}
        self._muted_channels: dict[LoginId, frozenset[WaJid]] = {}

    @property
    def configured(self) -> tuple[FilterRule, ...]:
        """What the configuration says."""
        return self._configured

    def has_no_rules(self, user: MxUserId) -> bool:
        """Whether everything is bridged for somebody, as far as that is known without asking the database."""
        return not self._configured and self._rules.get(user) == () and self._rules.get(EVERYBODY) == ()

    async def get_rules(self, user: MxUserId) -> tuple[FilterRule, ...]:
        """Somebody's rules."""
        known = self._rules.get(user)
        if known is None:
            async with self._store.reading() as tx:
                known = tuple(await self._rows.get_all(tx, user))
            self._remember(user, known)
        return known

    async def put(self, user: MxUserId, rule: FilterRule) -> None:
        """Set a rule; it replaces the one about the same."""
        async with self._store.transaction() as tx:
            await self._rows.put(tx, user, rule)
        self._rules.pop(user, None)

    async def remove(self, user: MxUserId, subject: str) -> bool:
        """Take a rule back; whether there was one."""
        async with self._store.transaction() as tx:
            was_there = await self._rows.remove(tx, user, subject)
        self._rules.pop(user, None)
        return was_there

    async def is_wanted(self, address: ChatAddress, login: Login) -> bool:
        """Whether the owner of a login wants a chat bridged."""
        layers = (await self.get_rules(login.user), await self.get_rules(EVERYBODY), self._configured)
        if not any(layers):
            return True
        kind = kind_of(address)
        traits: frozenset[ChatTrait] = frozenset()
        if wants_traits(*layers):
            traits = await self._find_traits(address, kind, login)
        facts = ChatFacts(kind=kind, ids=frozenset(names_of(address)), traits=traits)
        return is_wanted(facts, *layers)

    def get_muted_channels(self, login: LoginId) -> frozenset[WaJid]:
        """Channels an account has muted, as far as that is known: WhatsApp keeps that apart from other chats."""
        return self._muted_channels.get(login, frozenset())

    def note_muted_channels(self, login: LoginId, muted: frozenset[WaJid]) -> None:
        """All channels that an account has muted."""
        self._muted_channels[login] = muted

    def note_channel(self, login: LoginId, chat: WaJid, *, is_muted: bool) -> None:
        """An account has muted a channel, or does so no more."""
        known = self.get_muted_channels(login)
        self._muted_channels[login] = known | {chat} if is_muted else known - {chat}

    async def _find_traits(self, address: ChatAddress, kind: ChatKind, login: Login) -> frozenset[ChatTrait]:
        jids, found, now = set(address.jids), set(), self._clock.now()
        settings = [one for one in (await self._get_settings(login)).items if one.chat in jids]
        if any(one.is_archived for one in settings):
            found.add(ChatTrait.ARCHIVED)
        is_muted = any(one.muted_until is not None and one.muted_until > now for one in settings)
        if is_muted or jids & self.get_muted_channels(login.id):
            found.add(ChatTrait.MUTED)
        if kind is ChatKind.DIRECT and not jids & (await self._get_contacts(login)).jids:
            found.add(ChatTrait.UNKNOWN)
        return frozenset(found)

    async def _get_settings(self, login: Login) -> _Settings:
        now, known = self._clock.now(), self._settings.get(login.id)
        if known is not None and now - known.at < SETTINGS_FRESH:
            return known
        directory = self._open_directory(login.id)
        try:
            found = await directory.look_at_chat_settings(known.mark if known else "") if directory else None
        except WhatsAppError as error:
            log.info("how login %s has put its chats is not known: %s", login_tag(login.id), error.code)
            return known or _Settings(at=now)
        if found is None:
            return _Settings(at=now)
        items = known.items if known is not None and found.is_unchanged else found.items
        self._settings[login.id] = _Settings(at=now, mark=found.mark, items=items)
        return self._settings[login.id]

    async def _get_contacts(self, login: Login) -> _Contacts:
        now, known = self._clock.now(), self._contacts.get(login.id)
        if known is not None and now - known.at < CONTACTS_FRESH:
            return known
        directory = self._open_directory(login.id)
        try:
            contacts = await directory.fetch_contacts() if directory is not None else ()
        except WhatsAppError as error:
            log.info("the contact book of login %s is not known: %s", login_tag(login.id), error.code)
            return known or _Contacts(at=now)
        named = [contact for contact in contacts if contact.full_name or contact.first_name]
        jids = {contact.jid for contact in named} | {contact.lid for contact in named if contact.lid is not None}
        self._contacts[login.id] = _Contacts(at=now, jids=frozenset(jids))
        return self._contacts[login.id]

    def _remember(self, user: MxUserId, rules: tuple[FilterRule, ...]) -> None:
        self._rules[user] = rules
        while len(self._rules) > CACHE_SIZE:
            self._rules.popitem(last=False)


def kind_of(address: ChatAddress) -> ChatKind:
    """What kind of chat it is."""
    chat = address.chat
    if chat.is_group:
        return ChatKind.COMMUNITY if address.is_community else ChatKind.GROUP
    if chat.server == NEWSLETTER_SERVER:
        return ChatKind.NEWSLETTER
    if chat.server == BROADCAST_SERVER:
        return ChatKind.STATUS if chat.user == STATUS else ChatKind.BROADCAST
    return ChatKind.DIRECT


def names_of(address: ChatAddress) -> tuple[str, ...]:
    """Everything a rule may call a chat: addresses, and numbers with their plus."""
    numbers = tuple(f"+{jid.user}" for jid in address.jids if jid.server == "s.whatsapp.net")
    return (*(str(jid) for jid in address.jids), *numbers)
