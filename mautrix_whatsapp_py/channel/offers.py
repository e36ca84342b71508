"""Strangers: what they are told, and what the owner decides about them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mautrix_whatsapp_py.channel.accounts import Account
from mautrix_whatsapp_py.channel.door import ChatDoor
from mautrix_whatsapp_py.channel.faults import ChannelFault, FaultKind, not_allowed, unknown
from mautrix_whatsapp_py.channel.hooks import HookBook
from mautrix_whatsapp_py.channel.pairing import (
    CODE_LIFE,
    TOLD_EVERY,
    Offer,
    PairingRequest,
    decide_offer,
    make_code,
    read_code,
)
from mautrix_whatsapp_py.errors import MatrixError, WhatsAppError
from mautrix_whatsapp_py.ids import LoginId, SendId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.channel import Stranger
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.ports import Clock, WhatsAppNetwork
from mautrix_whatsapp_py.store.channel_access import AccessRows
from mautrix_whatsapp_py.store.store import Store, Tx

log = logging.getLogger(__name__)

TEXT = (
    "Hello! This number answers only people it knows. "
    "Its owner can let you in with this code: {code}\n(Your number: +{number}. The code is good for one hour.)"
)
MAX_WRONG = 10
"""Codes that may be guessed wrong before nobody may try for a while."""
LOCKED_FOR = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """A message of somebody who is not let in."""

    account: Account
    login: LoginId
    chat: WaJid
    number: str
    message_id: WaMessageId


class Offers:
    """Pairing requests of all accounts."""

    def __init__(
        self,
        *,
        store: Store,
        network: WhatsAppNetwork,
        door: ChatDoor,
        hooks: HookBook,
        clock: Clock,
        choose: Callable[[int], int],
    ) -> None:
        self._store = store
        self._network = network
        self._door = door
        self._hooks = hooks
        self._clock = clock
        self._choose = choose
        self._rows = AccessRows()
        self._wrong: list[datetime] = []

    async def offer(self, knock: Knock) -> None:
        """Tell a stranger a code, if it is time to; from within the chat's turn."""
        if not knock.number or not knock.account.keys.config_writes:
            return
        stranger = await self._store.write(lambda tx: self._note(tx, knock))
        if stranger is not None:
            self._hooks.on_event()
            await self._tell(knock, stranger)

    async def get_pending(self, account: Account) -> Sequence[PairingRequest]:
        """Whose code is still good."""
        now = self._clock.now()
        strangers = await self._store.read(lambda tx: self._rows.get_strangers(tx, account.name))
        return [request for request in map(_to_request, strangers) if request.code and request.is_pending(now)]

    async def has_code(self, account: Account, code: str) -> bool:
        """Whether somebody waits with this code."""
        wanted = read_code(code)
        return any(request.code == wanted for request in await self.get_pending(account))

    async def approve(self, account: Account, code: str) -> str:
        """Let somebody in by their code; their number. ChannelFault when there is nobody."""
        return await self._settle(account, code, is_approved=True)

    async def deny(self, account: Account, code: str) -> str:
        """Refuse somebody by their code; their number. ChannelFault when there is nobody."""
        return await self._settle(account, code, is_approved=False)

    async def _settle(self, account: Account, code: str, *, is_approved: bool) -> str:
        if not account.keys.config_writes:
            raise not_allowed("This account may not change what is remembered (config_writes is false).")
        now = self._clock.now()
        self._wrong = [at for at in self._wrong if now - at < LOCKED_FOR]
        if len(self._wrong) >= MAX_WRONG:
            log.warning("pairing codes are locked: too many were wrong")
            raise ChannelFault(FaultKind.TOO_OFTEN, "Too many wrong codes. Try again in 15 minutes.")
        wanted = read_code(code)
        found = await self._store.write(lambda tx: self._decide(tx, account.name, wanted, is_approved=is_approved))
        if found is None:
            self._wrong.append(now)
            log.warning("a wrong pairing code was given for account %s", account.name)
            raise unknown("No one waits with that code. Codes are good for one hour.")
        log.info("account %s: somebody was %s", account.name, "let in" if is_approved else "refused")
        return found

    async def _decide(self, tx: Tx, account: str, code: str | None, *, is_approved: bool) -> str | None:
        now = self._clock.now()
        for stranger in await self._rows.get_strangers(tx, account):
            if code is None or stranger.code != code or now - stranger.told_at >= CODE_LIFE:
                continue
            # The row stays: it tells when they were last told something.
            await self._rows.put_stranger(tx, replace(stranger, code="", is_settled=True))
            if is_approved:
                await self._rows.approve(tx, account, stranger.number, now)
            return stranger.number
        return None

    async def _note(self, tx: Tx, knock: Knock) -> Stranger | None:
        """Who is to be told a code now; committed before they are told."""
        now, account = self._clock.now(), knock.account.name
        await self._rows.prune_strangers(tx, now - max(CODE_LIFE, TOLD_EVERY))
        strangers = await self._rows.get_strangers(tx, account)
        mine = next((one for one in strangers if one.number == knock.number), None)
        if mine is not None and mine.code and not mine.is_settled:
            return mine
        requests = [_to_request(one) for one in strangers if one.code]
        told_at = None if mine is None else mine.told_at
        if decide_offer(requests, number=knock.number, told_at=told_at, now=now) is not Offer.TELL_CODE:
            return None
        stranger = Stranger(
            account=account,
            number=knock.number,
            code=make_code(self._choose),
            message_id=knock.message_id,
            told_at=now,
        )
        await self._rows.put_stranger(tx, stranger)
        await self._hooks.note_stranger(tx, stranger)
        return stranger

    async def _tell(self, knock: Knock, stranger: Stranger) -> None:
        client = self._network.get_client(knock.login)
        if client is None:
            return
        content = WaText(body=TEXT.format(code=stranger.code, number=stranger.number))
        send_id = SendId(f"pair-{stranger.account}-{stranger.message_id}")
        try:
            address = await self._door.find_address(knock.login, knock.chat)
            sent = await client.send_message(address, content, send_id=send_id)
        except WhatsAppError as error:
            # Their next message has it tried again, under the same send id.
            log.info("a stranger could not be told a code: %s", type(error).__name__)
            return
        settled = replace(stranger, is_settled=True)
        await self._store.write(lambda tx: self._rows.put_stranger(tx, settled))
        try:
            await self._door.show(knock.login, knock.chat, sent, content)
        except MatrixError as error:
            log.info("what a stranger was told is not shown: %s %s", error.status, error.errcode)


def _to_request(stranger: Stranger) -> PairingRequest:
    return PairingRequest(
        account=stranger.account, number=stranger.number, code=stranger.code, made_at=stranger.told_at
    )
