"""Read receipts from Matrix."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from mautrix_whatsapp_py.bridge.from_matrix.chooser import choose_login
from mautrix_whatsapp_py.bridge.from_matrix.context import set_stage
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import WhatsAppError, WhatsAppRefused
from mautrix_whatsapp_py.ids import LoginId, MxEventId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.mx import MxReceipt
from mautrix_whatsapp_py.model.portal import MessagePart, Portal, PortalId

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMark:
    """How far an account's user has read, as far as WhatsApp needs to know."""

    until: datetime
    message_ids: frozenset[WaMessageId]
    """Those of that very moment, for WhatsApp's times are whole seconds and more may come in the same one."""


async def handle(event: MxReceipt, portal: Portal, talk: Talk) -> None:
    """Mark everything between the reader's old position and the new one, now or when WhatsApp is back."""
    if event.is_private and not talk.settings.with_private_receipts:
        return
    login = await choose_login(event.user, portal, talk)
    if login is None:
        return
    async with talk.store.reading() as tx:
        part = await talk.rows.messages.get_by_event(tx, event.event_id)
        own = None if part is not None else await talk.rows.facts.get(tx, _own_key(portal.id, login.id))
    if own == event.event_id:
        return
    until = part.sent_at if part is not None and part.portal_id == portal.id else event.read_at
    if until is None:
        return
    if not (await talk.privacy.get(login.id, portal.id)).receipts:
        # It is not told later either, when something behind it is read in the open.
        parts = await _fetch_parts(portal.id, login.id, after=until, until=until, talk=talk)
        await note_read(ReadMark(until=until, message_ids=_ids_at(until, parts)), portal.id, login.id, talk)
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
    mark = _decode_mark(known) if known else None
    if mark is not None and receipt.until < mark.until:
        return True
    parts = await _fetch_unread(receipt, mark, talk)
    try:
        for sender, message_ids in _by_sender(parts).items():
            await client.mark_read(stage.chat, sender, message_ids, at=receipt.at)
    except WhatsAppRefused:
        # It would be refused again; the next receipt covers these too.
        return True
    except WhatsAppError:
        return False
    told = ReadMark(until=receipt.until, message_ids=_ids_at(receipt.until, parts))
    await note_read(told, receipt.portal_id, receipt.login_id, talk)
    return True


async def note_read(mark: ReadMark, portal_id: PortalId, login_id: LoginId, talk: Talk) -> None:
    """Nothing is left to tell WhatsApp of what an account's user has read so far."""
    key = _read_key(portal_id, login_id)
    async with talk.store.transaction() as tx:
        value = await talk.rows.facts.get(tx, key)
        known = _decode_mark(value) if value else None
        if known is None or known.until < mark.until:
            await talk.rows.facts.put(tx, key, _encode_mark(mark))
        elif known.until == mark.until and not mark.message_ids <= known.message_ids:
            both = replace(mark, message_ids=mark.message_ids | known.message_ids)
            await talk.rows.facts.put(tx, key, _encode_mark(both))


async def note_own(event_id: MxEventId, portal_id: PortalId, login_id: LoginId, talk: Talk) -> None:
    """That the bridge says of an account's user to have read up to an event is no news from them."""
    async with talk.store.transaction() as tx:
        await talk.rows.facts.put(tx, _own_key(portal_id, login_id), event_id)


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


async def _fetch_unread(receipt: WaitingReceipt, mark: ReadMark | None, talk: Talk) -> list[MessagePart]:
    after = mark.until if mark is not None else None
    parts = await _fetch_parts(receipt.portal_id, receipt.login_id, after=after, until=receipt.until, talk=talk)
    return [part for part in parts if mark is None or part.message_id not in mark.message_ids]


async def _fetch_parts(
    portal_id: PortalId, login_id: LoginId, *, after: datetime | None, until: datetime, talk: Talk
) -> list[MessagePart]:
    async with talk.store.reading() as tx:
        return await talk.rows.messages.get_between(
            tx, portal_id, reader=login_id, after=after, until=until, limit=MAX_MARKED
        )


def _ids_at(moment: datetime, parts: Sequence[MessagePart]) -> frozenset[WaMessageId]:
    return frozenset(part.message_id for part in parts if part.sent_at == moment)


def _by_sender(parts: Sequence[MessagePart]) -> dict[WaJid, list[WaMessageId]]:
    by_sender: dict[WaJid, list[WaMessageId]] = defaultdict(list)
    for part in reversed(parts):
        by_sender[part.sender].append(part.message_id)
    return by_sender


def _read_key(portal_id: PortalId, login_id: LoginId) -> str:
    return f"read:{portal_id}:{login_id}"


def _own_key(portal_id: PortalId, login_id: LoginId) -> str:
    return f"own-mark:{portal_id}:{login_id}"


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _encode_mark(mark: ReadMark) -> str:
    return " ".join((str(_ms(mark.until)), *sorted(mark.message_ids)))


def _decode_mark(value: str) -> ReadMark:
    until, *message_ids = value.split(" ")
    return ReadMark(
        until=_EPOCH + timedelta(milliseconds=int(until)),
        message_ids=frozenset(map(WaMessageId, message_ids)),
    )


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
