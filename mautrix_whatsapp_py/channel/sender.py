"""Sends: kept before they leave, done once under their key, in their chat's order."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from mautrix_whatsapp_py.channel.accounts import Account
from mautrix_whatsapp_py.channel.door import ChatDoor
from mautrix_whatsapp_py.channel.faults import ChannelFault, away, bad_request, not_allowed
from mautrix_whatsapp_py.channel.votes import to_poll
from mautrix_whatsapp_py.errors import (
    MatrixRefused,
    MatrixUnreachable,
    StoreUnavailable,
    WhatsAppRefused,
    WhatsAppUnavailable,
    WhatsAppUncertain,
)
from mautrix_whatsapp_py.ids import LoginId, SendId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.channel import ChannelPart, ChannelSend
from mautrix_whatsapp_py.model.content import WaSendable
from mautrix_whatsapp_py.model.wa_link import WaSendUncertain, WaSendUnknown, WaSent
from mautrix_whatsapp_py.ports import Clock, WhatsAppClient, WhatsAppNetwork
from mautrix_whatsapp_py.store.channel_access import ChannelSendRows
from mautrix_whatsapp_py.store.channel_polls import ChannelPollRows
from mautrix_whatsapp_py.store.store import Store, Tx

log = logging.getLogger(__name__)

ANSWER_SECONDS = 60.0
KEYS_KNOWN_FOR = timedelta(days=7)
POLLS_KNOWN_FOR = timedelta(days=90)
STALE_AFTER = timedelta(hours=1)
"""What did not leave before a crash is not sent so much later."""
MAX_RECENT = 1_000
UNDER_WAY = "It is under way and not known to be sent. Ask again with the same idempotency_key."
BUSY = "The chat is busy with what came before. Nothing was sent."
NOT_NOW = "The account has no connection to WhatsApp now. Nothing was sent."
PARTLY = "A part was sent before the connection broke; the rest follows. Ask again with the same idempotency_key."
REFUSED = "WhatsApp refused it. Check that the number is on WhatsApp and that the account is in the group."
KEY_TAKEN = "This idempotency_key was used for something else. Take a new one for each send."


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a send came to."""

    message_ids: tuple[WaMessageId, ...]
    is_uncertain: bool = False


@dataclass(slots=True, kw_only=True)
class _Ticket:
    """Who waits for what a send comes to."""

    answer: asyncio.Future[Done]
    is_begun: bool = False
    """Whether it is kept, so that it will be carried out whoever still waits."""

    def succeed(self, done: Done) -> None:
        if not self.answer.done():
            self.answer.set_result(done)

    def fail(self, fault: ChannelFault) -> None:
        if not self.answer.done():
            self.answer.set_exception(fault)
            # Nobody may be waiting any more.
            self.answer.exception()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Something to be sent."""

    account: Account
    login: LoginId
    chat: WaJid
    contents: tuple[WaSendable, ...]
    fingerprint: str
    key: str = ""


class Sender:
    """All sends of the channel."""

    def __init__(self, *, store: Store, network: WhatsAppNetwork, door: ChatDoor, clock: Clock) -> None:
        self._store = store
        self._network = network
        self._door = door
        self._clock = clock
        self._rows = ChannelSendRows()
        self._polls = ChannelPollRows()
        self._recent: OrderedDict[tuple[str, WaMessageId], None] = OrderedDict()

    def is_echo(self, account: str, message_id: WaMessageId) -> bool:
        """Whether a message was sent here a while ago."""
        return (account, message_id) in self._recent

    def require_client(self, login: LoginId) -> WhatsAppClient:
        """The client of a link that is up; ChannelFault when it is not."""
        client = self._network.get_client(login)
        if client is None or not client.state.is_usable:
            raise away(NOT_NOW)
        return client

    async def get_done(self, order: Order) -> Done | None:
        """What an earlier send under the same key came to, if it is over."""
        if not order.key:
            return None
        row = await self._store.read(lambda tx: self._rows.get(tx, order.account.name, order.key))
        if row is None:
            return None
        if row.fingerprint != order.fingerprint:
            raise bad_request(KEY_TAKEN)
        return Done(message_ids=row.message_ids) if row.is_done or _is_sent(row) else None

    async def send(self, order: Order) -> Done:
        """Send it; ChannelFault says why not."""
        done = await self.get_done(order)
        if done is not None:
            return done
        self.require_client(order.login)
        row = ChannelSend(
            account=order.account.name,
            key=order.key or f"own-{secrets.token_hex(16)}",
            chat=order.chat,
            login_id=order.login,
            fingerprint=order.fingerprint,
            parts=tuple(ChannelPart(content=one, secret=secrets.token_bytes(32)) for one in order.contents),
            made_at=self._clock.now(),
        )
        ticket = _Ticket(answer=asyncio.get_running_loop().create_future())
        await self._door.put(order.login, order.chat, partial(self._carry_out, row, ticket))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await asyncio.shield(ticket.answer)
        except TimeoutError:
            ticket.answer.cancel()
            raise away(UNDER_WAY if ticket.is_begun else BUSY) from None

    async def resume(self) -> None:
        """Go on with what a crash interrupted; before anything new is sent."""
        for row in await self._store.read(self._rows.get_open):
            ticket = _Ticket(answer=asyncio.get_running_loop().create_future(), is_begun=True)
            ticket.fail(away(UNDER_WAY))
            await self._door.put(row.login_id, row.chat, partial(self._carry_on, row, ticket))

    async def prune(self) -> None:
        """Forget keys that nobody will use again, and polls in which nobody votes any more."""
        now = self._clock.now()
        await self._store.write(lambda tx: self._rows.prune(tx, now - KEYS_KNOWN_FOR))
        await self._store.write(lambda tx: self._polls.prune(tx, now - POLLS_KNOWN_FOR))

    async def _carry_on(self, row: ChannelSend, ticket: _Ticket) -> bool:
        """As `_carry_out`, unless nothing of it left and it is old."""
        client = self._network.get_client(row.login_id)
        is_stale = self._clock.now() - row.made_at > STALE_AFTER
        if client is None:
            return not is_stale or await self._drop(row)
        if is_stale and not row.message_ids:
            try:
                outcome = await client.fetch_send_outcome(_send_id(row, 0), row.parts[0].secret)
            except (WhatsAppUnavailable, WhatsAppUncertain):
                return False
            if isinstance(outcome, WaSendUnknown):
                log.warning("account %s: a send of before the last stop is too old now", row.account)
                return await self._drop(row)
        return await self._carry_out(row, ticket)

    async def _carry_out(self, row: ChannelSend, ticket: _Ticket) -> bool:
        """Send it in its chat's turn; false when it must be tried again before anything behind it."""
        try:
            kept = await self._begin(row, ticket)
            if kept is not None:
                await self._post(kept, ticket)
        except WhatsAppUnavailable:
            return await self._put_off(row, ticket)
        except (WhatsAppUncertain, StoreUnavailable, MatrixUnreachable):
            # The send id makes asking again safe: what was sent is not sent twice.
            ticket.fail(away(UNDER_WAY))
            return False
        except WhatsAppRefused as error:
            log.info("WhatsApp refused a send of account %s: %s", row.account, error.code)
            await self._drop(row)
            ticket.fail(not_allowed(REFUSED))
        except Exception:
            # A fault of ours would repeat for ever; the chat goes on.
            log.exception("a send of account %s failed", row.account)
            ticket.fail(away(UNDER_WAY))
        return True

    async def _begin(self, row: ChannelSend, ticket: _Ticket) -> ChannelSend | None:
        """Keep what is to be sent; None when nothing is to be done."""
        if ticket.answer.cancelled() and not ticket.is_begun:
            return None
        try:
            kept = await self._store.write(lambda tx: self._rows.ensure(tx, row))
        except StoreUnavailable:
            if ticket.is_begun:
                raise
            ticket.fail(away("The database is away. Nothing was sent."))
            return None
        ticket.is_begun = True
        if kept.fingerprint != row.fingerprint:
            ticket.fail(bad_request(KEY_TAKEN))
            return None
        if kept.is_done:
            ticket.succeed(Done(message_ids=kept.message_ids))
            return None
        return kept

    async def _put_off(self, row: ChannelSend, ticket: _Ticket) -> bool:
        """There is no link: nothing is queued, unless a part has left, or may have."""
        try:
            kept = await self._store.read(lambda tx: self._rows.get(tx, row.account, row.key))
            if not ticket.answer.done() and (kept is None or not kept.message_ids):
                await self._drop(row)
                ticket.fail(away(NOT_NOW))
                return True
        except StoreUnavailable:
            pass
        ticket.fail(away(PARTLY))
        return False

    async def _post(self, row: ChannelSend, ticket: _Ticket) -> None:
        client = self._network.get_client(row.login_id)
        if client is None:
            raise WhatsAppUnavailable(code="not-connected")
        address = await self._door.find_address(row.login_id, row.chat)
        outcomes: list[WaSent | WaSendUncertain] = []
        for index, part in enumerate(row.parts):
            if index == 1 and not row.message_ids:
                # A part has left: from now on the rest follows, whatever becomes of the link.
                await self._store.write(partial(self._note, row, tuple(one.message_id for one in outcomes)))
            outcome = await client.send_message(
                address, part.content, send_id=_send_id(row, index), secret=part.secret
            )
            outcomes.append(outcome)
            self._remember(row.account, outcome.message_id)
        sent = tuple(one.message_id for one in outcomes)
        # The host knows for good what became of each send id, so nobody need wait for our row.
        is_uncertain = any(isinstance(one, WaSendUncertain) for one in outcomes)
        ticket.succeed(Done(message_ids=sent, is_uncertain=is_uncertain))
        try:
            await self._show(row, outcomes)
        except (MatrixUnreachable, StoreUnavailable):
            await self._store.write(partial(self._note, row, sent))
            raise
        await self._store.write(partial(self._finish, row, sent))
        await _forget(client, [_send_id(row, index) for index in range(len(row.parts))])

    async def _finish(self, row: ChannelSend, sent: tuple[WaMessageId, ...], tx: Tx) -> None:
        await self._rows.finish(tx, row.account, row.key, sent)
        for message_id, part in zip(sent, row.parts, strict=True):
            poll = to_poll(row.account, row.chat, message_id, part.content)
            if poll is not None:
                await self._polls.add(tx, poll, self._clock.now())

    async def _note(self, row: ChannelSend, sent: tuple[WaMessageId, ...], tx: Tx) -> None:
        await self._rows.set_sent(tx, row.account, row.key, sent)

    async def _show(self, row: ChannelSend, outcomes: Sequence[WaSent | WaSendUncertain]) -> None:
        for outcome, part in zip(outcomes, row.parts, strict=True):
            try:
                await self._door.show(row.login_id, row.chat, outcome, part.content)
            except MatrixRefused as error:
                log.warning("a send is not shown on Matrix: %s %s", error.status, error.errcode)

    async def _drop(self, row: ChannelSend) -> bool:
        try:
            await self._store.write(lambda tx: self._rows.drop(tx, row.account, row.key))
        except StoreUnavailable:
            log.info("a send that is over is looked at again at the next start")
        return True

    def _remember(self, account: str, message_id: WaMessageId) -> None:
        self._recent[account, message_id] = None
        while len(self._recent) > MAX_RECENT:
            self._recent.popitem(last=False)


def fingerprint_of(*words: str) -> str:
    """Tells whether the same is asked again."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def _send_id(row: ChannelSend, index: int) -> SendId:
    digest = hashlib.sha256(f"{row.account} {row.key}".encode()).hexdigest()[:32]
    return SendId(f"ch-{digest}-{index}")


def _is_sent(row: ChannelSend) -> bool:
    return bool(row.parts) and len(row.message_ids) == len(row.parts)


async def _forget(client: WhatsAppClient, send_ids: Sequence[SendId]) -> None:
    try:
        await client.forget_sends(send_ids)
    except (WhatsAppUnavailable, WhatsAppUncertain):
        log.info("a host keeps ids of sends that are over")
