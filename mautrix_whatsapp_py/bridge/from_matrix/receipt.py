"""Read receipts from Matrix."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mautrix_whatsapp_py.bridge.from_matrix.chooser import choose_login
from mautrix_whatsapp_py.bridge.from_matrix.context import Stage, set_stage
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import WhatsAppError, WhatsAppRefused
from mautrix_whatsapp_py.ids import LoginId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.mx import MxReceipt
from mautrix_whatsapp_py.model.portal import Portal, PortalId

MAX_MARKED = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WAITING = "read-waits:"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingReceipt:
    """What somebody has read that WhatsApp does not know yet."""

    portal_id: PortalId
    login_id: LoginId
    until: datetime
    at: datetime

    @property
    def key(self) -> str:
        """Where it is kept: one per chat and login, for a later one says all that an earlier one does."""
        return f"{_WAITING}{self.portal_id}:{self.login_id}"


async def handle(event: MxReceipt, portal: Portal, talk: Talk) -> None:
    """Mark everything between the reader's old position and the new one, now or when WhatsApp is back."""
    if event.is_private and not talk.settings.with_private_receipts:
        return
    login = await choose_login(event.user, portal, talk)
    if login is None:
        return
    if not (await talk.privacy.get(login.id, portal.id)).receipts:
        return
    async with talk.store.reading() as tx:
        part = await talk.rows.messages.get_by_event(tx, event.event_id)
    until = part.sent_at if part is not None and part.portal_id == portal.id else event.read_at
    if until is None:
        return
    receipt = WaitingReceipt(
        portal_id=portal.id, login_id=login.id, until=until, at=event.read_at or talk.clock.now()
    )
    if not await deliver(receipt, talk):
        await _keep(receipt, talk)


async def deliver(receipt: WaitingReceipt, talk: Talk) -> bool:
    """Tell WhatsApp, grouped by sender; whether nothing is left to do."""
    portal, login = await talk.portals.get(receipt.portal_id), talk.logins.get(receipt.login_id)
    stage = None if portal is None or login is None else await set_stage(portal, login, talk)
    if stage is None:
        return True
    client = talk.network.get_client(receipt.login_id)
    if client is None or not client.state.is_usable:
        return False
    async with talk.store.reading() as tx:
        known = await talk.rows.facts.get(tx, _read_key(receipt.portal_id, receipt.login_id))
    after = _EPOCH + timedelta(milliseconds=int(known)) if known else None
    if after is not None and receipt.until <= after:
        return True
    by_sender = await _fetch_unread(stage, after, receipt.until, talk)
    try:
        for sender, message_ids in by_sender.items():
            await client.mark_read(stage.chat, sender, message_ids, at=receipt.at)
    except WhatsAppRefused:
        # It would be refused again; the next receipt covers these too.
        return True
    except WhatsAppError:
        return False
    await note_read(receipt.until, receipt.portal_id, receipt.login_id, talk)
    return True


async def note_read(until: datetime, portal_id: PortalId, login_id: LoginId, talk: Talk) -> None:
    """WhatsApp knows that an account's user has read so far."""
    key = _read_key(portal_id, login_id)
    async with talk.store.transaction() as tx:
        known = await talk.rows.facts.get(tx, key)
        if known is None or int(known) < _ms(until):
            await talk.rows.facts.put(tx, key, str(_ms(until)))


async def get_waiting(talk: Talk, login_id: LoginId | None = None) -> list[WaitingReceipt]:
    """What waits for one login, or for any."""
    async with talk.store.reading() as tx:
        rows = await talk.rows.facts.get_prefixed(tx, _WAITING)
    waiting = [_decode(key, value) for key, value in rows]
    return [one for one in waiting if login_id in (None, one.login_id)]


async def forget(receipt: WaitingReceipt, talk: Talk) -> None:
    """It is told; one that came later still waits."""
    async with talk.store.transaction() as tx:
        if await talk.rows.facts.get(tx, receipt.key) == _encode(receipt):
            await talk.rows.facts.drop(tx, receipt.key)


async def _keep(receipt: WaitingReceipt, talk: Talk) -> None:
    async with talk.store.transaction() as tx:
        known = await talk.rows.facts.get(tx, receipt.key)
        if known is None or _decode(receipt.key, known).until < receipt.until:
            await talk.rows.facts.put(tx, receipt.key, _encode(receipt))


async def _fetch_unread(
    stage: Stage, after: datetime | None, until: datetime, talk: Talk
) -> dict[WaJid, list[WaMessageId]]:
    async with talk.store.reading() as tx:
        parts = await talk.rows.messages.get_between(
            tx, stage.portal.id, reader=stage.login.id, after=after, until=until, limit=MAX_MARKED
        )
    by_sender: dict[WaJid, list[WaMessageId]] = defaultdict(list)
    for part in reversed(parts):
        by_sender[part.sender].append(part.message_id)
    return by_sender


def _read_key(portal_id: PortalId, login_id: LoginId) -> str:
    return f"read:{portal_id}:{login_id}"


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _encode(receipt: WaitingReceipt) -> str:
    return f"{_ms(receipt.until)}:{_ms(receipt.at)}"


def _decode(key: str, value: str) -> WaitingReceipt:
    portal_id, _, login_id = key.removeprefix(_WAITING).partition(":")
    until, _, at = value.partition(":")
    return WaitingReceipt(
        portal_id=PortalId(int(portal_id)),
        login_id=LoginId(login_id),
        until=_EPOCH + timedelta(milliseconds=int(until)),
        at=_EPOCH + timedelta(milliseconds=int(at)),
    )
