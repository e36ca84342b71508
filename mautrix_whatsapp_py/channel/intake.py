"""From a WhatsApp message to an item that waits for its reader."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from mautrix_whatsapp_py.bridge.persons import Persons, is_person
from mautrix_whatsapp_py.channel.accounts import Account, Accounts
from mautrix_whatsapp_py.channel.activation import find_trigger, parse_activation
from mautrix_whatsapp_py.channel.pairing import Offer, PairingRequest, decide_offer, make_code
from mautrix_whatsapp_py.channel.policy import (
    Accept,
    Access,
    Facts,
    KeepAsContext,
    OfferPairing,
    Refuse,
    decide,
    is_acknowledged,
    is_self_chat_mode,
)
from mautrix_whatsapp_py.channel.reading import Reading, read_content, read_quote
from mautrix_whatsapp_py.channel.settings import history_limit_of, to_session_key
from mautrix_whatsapp_py.channel.texts import ContextLine, Quoted, Speaker, with_context, with_prefix, with_quote
from mautrix_whatsapp_py.config.channel import Activation
from mautrix_whatsapp_py.ids import GROUP_SERVER, USER_SERVER, LoginId, SendId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.channel import ChannelBody, NewItem, Stranger
from mautrix_whatsapp_py.model.content import WaMessageRef, WaReaction, WaText
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.wa import WaMessage
from mautrix_whatsapp_py.ports import Clock, WhatsAppNetwork
from mautrix_whatsapp_py.store.channel_access import AccessRows
from mautrix_whatsapp_py.store.channel_items import ContextRow, ContextRows, ItemRows
from mautrix_whatsapp_py.store.store import Store, Tx

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeDeps:
    """What taking a message needs."""

    store: Store
    persons: Persons
    accounts: Accounts
    network: WhatsAppNetwork
    clock: Clock
    choose: Callable[[int], int]
    """A random number below another."""
    is_echo: Callable[[str, WaMessageId], bool]
    """Whether the channel itself sent a message of an account."""
    on_item: Callable[[str], None]
    """An account has something to read."""
    on_accepted: Callable[[Accepted], None]
    """A message was taken: show it; only enqueues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A message that was taken, for what is shown of it to its sender."""

    account: Account
    login: LoginId
    event: WaMessage
    is_self_chat: bool
    is_marked_read: bool
    shows_reaction: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """A message, the account that takes it and who is in it."""

    account: Account
    login: LoginId
    event: WaMessage
    reading: Reading
    sender: Person | None
    facts: Facts
    quoted: Quoted | None

    @property
    def chat(self) -> WaJid:
        return _chat_of(self.facts)

    @property
    def speaker(self) -> Speaker:
        name = self.event.push_name or (self.sender.name if self.sender is not None else "")
        return Speaker(name=name, number=self.facts.sender_number)


class Intake:
    """Takes messages in their chat's order; taking one again changes nothing."""

    def __init__(self, deps: IntakeDeps) -> None:
        self._deps = deps
        self._items, self._context, self._access = ItemRows(), ContextRows(), AccessRows()

    async def take(self, login: LoginId, event: WaMessage) -> None:
        """Store what the accounts of a link are to read; durable when this returns."""
        for account in self._deps.accounts.of_login(login):
            await self._take_for(account, login, event)

    async def _take_for(self, account: Account, login: LoginId, event: WaMessage) -> None:
        reading = read_content(event.content)
        if reading is None:
            return
        scene = await self._set_scene(account, login, event, reading)
        async with self._deps.store.reading() as tx:
            access = await self._fetch_access(tx, account, scene.chat)
        decision = decide(scene.facts, access)
        match decision:
            case Accept():
                await self._accept(scene, decision, access)
            case KeepAsContext():
                await self._keep(scene)
            case OfferPairing():
                await self._offer(scene)
            case Refuse():
                pass

    async def _set_scene(self, account: Account, login: LoginId, event: WaMessage, reading: Reading) -> _Scene:
        source = event.source
        persons = self._deps.persons
        sender = await persons.resolve(source.sender, source.sender_alt) if is_person(source.sender) else None
        partner = None
        if is_person(source.chat):
            alternate = source.recipient_alt if source.is_from_me else source.sender_alt
            partner = await persons.resolve(source.chat, alternate)
        own = await persons.find(WaJid(user=login, server=USER_SERVER))
        quote = reading.context.quote
        quoted = None
        if quote is not None:
            author = await persons.find(quote.sender) if is_person(quote.sender) else None
            speaker = Speaker(name=author.name, number=author.pn or "") if author is not None else Speaker()
            quoted = read_quote(quote, speaker)
        trigger = find_trigger(
            text=reading.plain,
            mentions=reading.context.mentions,
            quoted_sender=None if quote is None else quote.sender,
            own=frozenset(own.jids) if own is not None else frozenset({WaJid(user=login, server=USER_SERVER)}),
            patterns=account.patterns,
            ignores_mentions=is_self_chat_mode(account.rules, login),
        )
        facts = Facts(
            chat=source.chat.bare,
            sender=source.sender.bare,
            sender_number=login if source.is_from_me else (sender.pn or "") if sender is not None else "",
            chat_number=(partner.pn or "") if partner is not None else "",
            own_number=login,
            is_from_me=source.is_from_me,
            is_echo=self._deps.is_echo(account.name, event.message_id),
            trigger=trigger,
        )
        return _Scene(
            account=account, login=login, event=event, reading=reading, sender=sender, facts=facts, quoted=quoted
        )

    async def _fetch_access(self, tx: Tx, account: Account, chat: WaJid) -> Access:
        chosen = await self._access.get_activation(tx, account.name, chat)
        return Access(
            rules=account.rules,
            approved=await self._access.get_approved(tx, account.name),
            activation=None if chosen is None else Activation(chosen),
        )

    async def _accept(self, scene: _Scene, accepted: Accept, access: Access) -> None:
        if await self._obey(scene):
            return
        account, now = scene.account, self._deps.clock.now()
        ready_at = now + timedelta(milliseconds=account.keys.debounce_ms)
        async with self._deps.store.transaction() as tx:
            if await self._items.has(tx, account.name, scene.chat, scene.event.message_id):
                return
            item = await self._make_item(tx, scene, now, ready_at)
            if not await self._join(tx, scene, item):
                await self._items.add(tx, item)
        self._deps.on_item(account.name)
        is_self_mode = accepted.is_self_chat and is_self_chat_mode(account.rules, scene.login)
        self._deps.on_accepted(
            Accepted(
                account=account,
                login=scene.login,
                event=scene.event,
                is_self_chat=accepted.is_self_chat,
                is_marked_read=account.keys.send_read_receipts and not is_self_mode and not accepted.is_self_chat,
                shows_reaction=is_acknowledged(account.keys.ack_reaction, scene.facts, accepted, access),
            )
        )

    async def _make_item(self, tx: Tx, scene: _Scene, now: datetime, ready_at: datetime) -> NewItem:
        text = with_prefix(with_quote(scene.reading.text, scene.quoted), scene.account.keys.message_prefix)
        is_group = scene.facts.chat.server == GROUP_SERVER
        if is_group or history_limit_of(scene.account.keys, scene.chat, number=scene.facts.chat_number):
            earlier = [
                ContextLine(sender=Speaker(name=row.name, number=row.number), text=row.body)
                for row in await self._context.take(tx, scene.account.name, scene.chat)
            ]
            text = with_context(text, sender=scene.speaker, earlier=earlier)
        body = ChannelBody(
            session_key=to_session_key(
                scene.chat, number=scene.facts.chat_number, scope=scene.account.keys.session.dm_scope
            ),
            text=text,
            sender=str(scene.facts.sender),
            sender_number=scene.facts.sender_number,
            sender_name=scene.speaker.name,
            sent_at=scene.event.timestamp,
            is_group=is_group,
            is_self_chat=scene.facts.is_self_chat,
            reply_to_id="" if scene.quoted is None else scene.quoted.stanza_id,
            reply_to_body="" if scene.quoted is None else scene.quoted.body,
            reply_to_sender="" if scene.quoted is None else scene.quoted.sender.number,
            files=scene.reading.files,
        )
        return NewItem(
            account=scene.account.name,
            chat=scene.chat,
            message_id=scene.event.message_id,
            body=body,
            taken_at=now,
            ready_at=ready_at,
        )

    async def _join(self, tx: Tx, scene: _Scene, item: NewItem) -> bool:
        """Join a text to the last one of the same sender that still waits for more."""
        if item.body.files or item.body.reply_to_id or scene.account.keys.debounce_ms <= 0:
            return False
        last = await self._items.get_newest(tx, item.account, item.chat)
        if last is None or last.ready_at <= item.taken_at or last.body.sender != item.body.sender or last.body.files:
            return False
        joined = msgspec.structs.replace(last.body, text=f"{last.body.text}\n{item.body.text}")
        await self._items.replace_body(tx, last.seq, joined, item.ready_at)
        await self._items.add_known(tx, item)
        return True

    async def _keep(self, scene: _Scene) -> None:
        limit = history_limit_of(scene.account.keys, scene.chat, number=scene.facts.chat_number)
        if limit <= 0:
            return
        row = ContextRow(
            message_id=scene.event.message_id,
            name=scene.speaker.name,
            number=scene.speaker.number,
            body=with_quote(scene.reading.text, scene.quoted),
        )
        async with self._deps.store.transaction() as tx:
            await self._context.add(tx, scene.account.name, scene.chat, row, limit=limit)
