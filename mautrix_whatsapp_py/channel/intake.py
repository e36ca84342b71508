"""From a WhatsApp message to an item that waits for its reader."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.channel.accounts import Accounts
from mautrix_whatsapp_py.channel.activation import parse_activation
from mautrix_whatsapp_py.channel.hooks import HookBook
from mautrix_whatsapp_py.channel.offers import Knock, Offers
from mautrix_whatsapp_py.channel.owners import Owners
from mautrix_whatsapp_py.channel.policy import (
    Accept,
    Access,
    Decision,
    KeepAsContext,
    OfferPairing,
    Refuse,
    decide,
    is_acknowledged,
    is_own_context,
    is_self_chat_mode,
)
from mautrix_whatsapp_py.channel.reading import read_content
from mautrix_whatsapp_py.channel.scenes import Scene, set_scene
from mautrix_whatsapp_py.channel.settings import history_limit_of, to_session_key
from mautrix_whatsapp_py.channel.texts import ContextLine, Speaker, with_context, with_prefix, with_quote
from mautrix_whatsapp_py.channel.votes import to_poll, with_vote
from mautrix_whatsapp_py.config.channel import Activation
from mautrix_whatsapp_py.ids import LoginId, WaMessageId
from mautrix_whatsapp_py.model.channel import ChannelBody, ChannelPoll, NewItem
from mautrix_whatsapp_py.model.rich import WaPollVote
from mautrix_whatsapp_py.model.wa import WaMessage
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.store.channel_access import AccessRows
from mautrix_whatsapp_py.store.channel_items import ContextRow, ContextRows, ItemRows
from mautrix_whatsapp_py.store.channel_polls import ChannelPollRows
from mautrix_whatsapp_py.store.store import Store, Tx

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A message that was taken, for what is shown of it to its sender."""

    scene: Scene
    is_marked_read: bool
    shows_reaction: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeDeps:
    """What taking a message needs."""

    store: Store
    persons: Persons
    accounts: Accounts
    owners: Owners
    offers: Offers
    hooks: HookBook
    clock: Clock
    is_echo: Callable[[str, WaMessageId], bool]
    """Whether the channel itself sent a message of an account."""
    on_item: Callable[[str], None]
    """An account has something to read."""
    on_accepted: Callable[[Accepted], None]
    """A message was taken: show it; only enqueues."""


class Intake:
    """Takes messages in their chat's order; taking one again changes nothing."""

    def __init__(self, deps: IntakeDeps) -> None:
        self._deps = deps
        self._items, self._context, self._access = ItemRows(), ContextRows(), AccessRows()
        self._polls = ChannelPollRows()

    async def take(self, login: LoginId, event: WaMessage) -> None:
        """Store what the accounts of a link are to read; durable when this returns."""
        reading = read_content(event.content)
        if reading is None:
            return
        for account in self._deps.accounts.of_login(login):
            await self._deps.owners.note(account.name, login)
            is_echo = self._deps.is_echo(account.name, event.message_id)
            scene = await set_scene(account, login, event, reading, self._deps.persons, is_echo=is_echo)
            await self._take_for(scene)

    async def _take_for(self, scene: Scene) -> None:
        if await self._obey(scene):
            return
        content = scene.event.content
        if isinstance(content, WaPollVote):
            poll = await self._get_poll(scene, content)
            if poll is None:
                log.debug("a vote is in a poll that account %s never saw", scene.account.name)
                return
            scene = with_vote(scene, content, poll)
        now = self._deps.clock.now()
        decision, access, is_new = await self._deps.store.write(lambda tx: self._store(tx, scene, now))
        match decision:
            case Accept():
                if is_new:
                    self._deps.on_item(scene.account.name)
                    self._deps.hooks.on_event()
                    self._deps.on_accepted(_to_accepted(scene, decision, access))
            case OfferPairing():
                knock = Knock(
                    account=scene.account,
                    login=scene.login,
                    chat=scene.chat,
                    number=scene.facts.sender_number,
                    message_id=scene.event.message_id,
                )
                await self._deps.offers.offer(knock)
            case KeepAsContext():
                pass
            case Refuse(reason=reason):
                log.debug("account %s does not take a message: %s", scene.account.name, reason)

    async def _store(self, tx: Tx, scene: Scene, now: datetime) -> tuple[Decision, Access, bool]:
        """Decide, and keep what is to be kept; whether it was not kept before."""
        access = await self._fetch_access(tx, scene)
        decision = decide(scene.facts, access)
        is_context = isinstance(decision, KeepAsContext) or is_own_context(scene.facts, access)
        if is_context:
            await self._keep(tx, scene)
        poll = to_poll(scene.account.name, scene.chat, scene.event.message_id, scene.event.content)
        if poll is not None and (is_context or isinstance(decision, Accept)):
            await self._polls.add(tx, poll, now)
        if not isinstance(decision, Accept):
            return decision, access, False
        return decision, access, await self._add(tx, scene, now)

    async def _get_poll(self, scene: Scene, vote: WaPollVote) -> ChannelPoll | None:
        name, poll_id = scene.account.name, vote.target.message_id
        return await self._deps.store.read(lambda tx: self._polls.get(tx, name, scene.chat, poll_id))

    async def _obey(self, scene: Scene) -> bool:
        """Carry out a command of the owner; whether it was one."""
        chosen = parse_activation(scene.reading.plain)
        account, facts = scene.account, scene.facts
        owners = account.rules.allow_from | {facts.own_number}
        if chosen is None or not facts.chat.is_group or facts.sender_number not in owners:
            return False
        if account.keys.config_writes:
            await self._deps.store.write(
                lambda tx: self._access.put_activation(tx, account.name, scene.chat, chosen)
            )
            log.info("account %s: a group is read on %s now", account.name, chosen)
        return True

    async def _fetch_access(self, tx: Tx, scene: Scene) -> Access:
        name = scene.account.name
        chosen = await self._access.get_activation(tx, name, scene.chat) if scene.chat.is_group else None
        return Access(
            rules=scene.account.rules,
            approved=await self._access.get_approved(tx, name),
            activation=None if chosen is None else Activation(chosen),
        )

    async def _add(self, tx: Tx, scene: Scene, now: datetime) -> bool:
        account = scene.account
        limit = history_limit_of(account.keys, scene.chat, number=scene.facts.chat_number)
        is_plain = limit <= 0 and account.keys.debounce_ms <= 0
        # Where nothing else is to be read or changed, adding it tells whether it is new.
        if not is_plain and await self._items.has(tx, account.name, scene.chat, scene.event.message_id):
            return False
        ready_at = now + timedelta(milliseconds=account.keys.debounce_ms)
        item = await self._make_item(tx, scene, now, ready_at)
        if await self._join(tx, scene, item):
            return True
        seq = await self._items.add(tx, item)
        if seq is not None:
            await self._deps.hooks.note_item(tx, item.placed(seq))
        return seq is not None

    async def _make_item(self, tx: Tx, scene: Scene, now: datetime, ready_at: datetime) -> NewItem:
        keys, facts, quoted = scene.account.keys, scene.facts, scene.quoted
        text = with_prefix(with_quote(scene.reading.text, quoted), keys.message_prefix)
        if facts.chat.is_group or history_limit_of(keys, scene.chat, number=facts.chat_number) > 0:
            earlier = [
                ContextLine(sender=Speaker(name=row.name, number=row.number), text=row.body)
                for row in await self._context.take(tx, scene.account.name, scene.chat)
            ]
            text = with_context(text, sender=scene.speaker, earlier=earlier)
        body = ChannelBody(
            session_key=to_session_key(scene.chat, number=facts.chat_number, scope=keys.session.dm_scope),
            text=text,
            plain=scene.reading.plain,
            sender=str(facts.sender),
            sender_number=facts.sender_number,
            sender_name=scene.speaker.name,
            sent_at=scene.event.timestamp,
            is_group=facts.chat.is_group,
            is_self_chat=facts.is_self_chat,
            reply_to_id="" if quoted is None else quoted.stanza_id,
            reply_to_body="" if quoted is None else quoted.body,
            reply_to_sender="" if quoted is None else quoted.sender.number,
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

    async def _join(self, tx: Tx, scene: Scene, item: NewItem) -> bool:
        """Join a text to the last one of the same sender that still waits for more."""
        if item.body.files or item.body.reply_to_id or scene.account.keys.debounce_ms <= 0:
            return False
        last = await self._items.get_newest(tx, item.account, item.chat)
        if (
            last is None
            or last.ready_at <= item.taken_at
            or last.body.sender != item.body.sender
            or last.body.files
        ):
            return False
        joined = msgspec.structs.replace(last.body, text=f"{last.body.text}\n{item.body.text}")
        await self._items.replace_body(tx, last.seq, joined, item.ready_at)
        await self._deps.hooks.note_joined(tx, replace(last, body=joined, ready_at=item.ready_at))
        await self._items.add_known(tx, item)
        return True

    async def _keep(self, tx: Tx, scene: Scene) -> None:
        limit = history_limit_of(scene.account.keys, scene.chat, number=scene.facts.chat_number)
        if limit <= 0:
            return
        row = ContextRow(
            message_id=scene.event.message_id,
            name=scene.speaker.name,
            number=scene.speaker.number,
            body=with_quote(scene.reading.text, scene.quoted),
        )
        await self._context.add(tx, scene.account.name, scene.chat, row, limit=limit)


def _to_accepted(scene: Scene, accepted: Accept, access: Access) -> Accepted:
    keys = scene.account.keys
    is_self = accepted.is_self_chat or (
        is_self_chat_mode(scene.account.rules, scene.login) and scene.facts.chat_number == scene.login
    )
    return Accepted(
        scene=scene,
        is_marked_read=keys.send_read_receipts and not is_self,
        shows_reaction=is_acknowledged(keys.ack_reaction, scene.facts, accepted, access),
    )
