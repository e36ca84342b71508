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
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.ports_chats import OpenDirectory
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.wishes import EVERYBODY, FilterRows

log = logging.getLogger(__name__)

TRAITS_FRESH = timedelta(minutes=2)
CACHE_SIZE = 1_000
STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Traits:
    """What a session knows of its chats, as of a moment."""

    at: datetime
    archived: frozenset[WaJid]
    muted: frozenset[WaJid]
    contacts: frozenset[WaJid]


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
        self._traits: dict[LoginId, _Traits] = {}

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
            traits = _traits_of(address, kind, await self._get_traits(login))
        facts = ChatFacts(kind=kind, ids=frozenset(names_of(address)), traits=traits)
        return is_wanted(facts, *layers)

    async def _get_traits(self, login: Login) -> _Traits:
        now = self._clock.now()
        known = self._traits.get(login.id)
        if known is not None and now - known.at < TRAITS_FRESH:
            return known
        try:
            fetched = await self._fetch_traits(login, now)
        except WhatsAppError as error:
            log.info("how login %s has put its chats is not known: %s", login_tag(login.id), error.code)
            return known or _Traits(at=now, archived=frozenset(), muted=frozenset(), contacts=frozenset())
        self._traits[login.id] = fetched
        return fetched

    async def _fetch_traits(self, login: Login, now: datetime) -> _Traits:
        directory = self._open_directory(login.id)
        settings = await directory.fetch_chat_settings() if directory is not None else ()
        contacts = await directory.fetch_contacts() if directory is not None else ()
        named = [contact for contact in contacts if contact.full_name or contact.first_name]
        jids = {contact.jid for contact in named} | {contact.lid for contact in named if contact.lid is not None}
        return _Traits(
            at=now,
            archived=frozenset(one.chat for one in settings if one.is_archived),
            muted=frozenset(one.chat for one in settings if one.muted_until is not None and one.muted_until > now),
            contacts=frozenset(jids),
        )

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


def _traits_of(address: ChatAddress, kind: ChatKind, known: _Traits) -> frozenset[ChatTrait]:
    jids = set(address.jids)
    found = set()
    if jids & known.archived:
        found.add(ChatTrait.ARCHIVED)
    if jids & known.muted:
        found.add(ChatTrait.MUTED)
    if kind is ChatKind.DIRECT and not jids & known.contacts:
        found.add(ChatTrait.UNKNOWN)
    return frozenset(found)
