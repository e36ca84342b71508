"""Events on their way to webhooks, and those that were given up."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, delete, func, select, update

from mautrix_whatsapp_py.model.channel import HookDepth, HookEvent, HookSeq, NewHookEvent
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables_channel import channel_hooks


class HookRows:
    """The table `channel_hooks`."""

    async def add(self, tx: Tx, event: NewHookEvent) -> None:
        """Remember to tell a webhook; what it is told already is not told again."""
        values = {
            "hook": event.hook,
            "event_id": event.event_id,
            "lane": event.lane,
            "kind": event.kind,
            "body": event.body,
            "made_at_ms": _to_ms(event.made_at),
            "next_at_ms": _to_ms(event.next_at),
            "attempts": 0,
            "error": "",
            "is_dead": False,
        }
        await tx.execute(tx.insert(channel_hooks).on_conflict_do_nothing(), values)

    async def replace_body(self, tx: Tx, hook: str, event_id: str, body: bytes, next_at: datetime) -> None:
        """An event that nobody was told yet says something else."""
        await tx.execute(
            update(channel_hooks)
            .where(
                channel_hooks.c.hook == hook,
                channel_hooks.c.event_id == event_id,
                channel_hooks.c.attempts == 0,
            )
            .values(body=body, next_at_ms=_to_ms(next_at))
        )

    async def get_heads(self, tx: Tx, hook: str, *, limit: int) -> list[HookEvent]:
        """The oldest event of each lane, those that are due first."""
        first = (
            select(func.min(channel_hooks.c.seq))
            .where(channel_hooks.c.hook == hook, channel_hooks.c.is_dead.is_(False))
            .group_by(channel_hooks.c.lane)
        )
        query = (
            select(channel_hooks)
            .where(channel_hooks.c.seq.in_(first))
            .order_by(channel_hooks.c.next_at_ms, channel_hooks.c.seq)
            .limit(limit)
        )
        return [_decode(row) for row in await tx.execute(query)]

    async def drop(self, tx: Tx, seq: HookSeq) -> None:
        """It was told."""
        await tx.execute(delete(channel_hooks).where(channel_hooks.c.seq == seq))

    async def put_off(self, tx: Tx, seq: HookSeq, *, next_at: datetime, error: str) -> None:
        """It is told later."""
        values = {"attempts": channel_hooks.c.attempts + 1, "next_at_ms": _to_ms(next_at), "error": error}
        await tx.execute(update(channel_hooks).where(channel_hooks.c.seq == seq).values(**values))

    async def give_up(self, tx: Tx, seq: HookSeq, *, error: str) -> None:
        """It is kept, and not told again unless somebody asks for it."""
        values = {"attempts": channel_hooks.c.attempts + 1, "is_dead": True, "error": error}
        await tx.execute(update(channel_hooks).where(channel_hooks.c.seq == seq).values(**values))

    async def revive(self, tx: Tx, hooks: Collection[str], now: datetime) -> int:
        """Have what was given up told again; how many there were."""
        values = {"attempts": 0, "is_dead": False, "made_at_ms": _to_ms(now), "next_at_ms": _to_ms(now)}
        done = await tx.execute(
            update(channel_hooks)
            .where(channel_hooks.c.hook.in_(list(hooks)), channel_hooks.c.is_dead.is_(True))
            .values(**values)
        )
        return int(done.rowcount)

    async def get_depth(self, tx: Tx, hook: str) -> HookDepth:
        """How much there is for a webhook."""
        query = (
            select(channel_hooks.c.is_dead, func.count().label("events"))
            .where(channel_hooks.c.hook == hook)
            .group_by(channel_hooks.c.is_dead)
        )
        counts = {bool(row.is_dead): int(row.events) for row in await tx.execute(query)}
        newest = (
            select(channel_hooks.c.error)
            .where(channel_hooks.c.hook == hook, channel_hooks.c.error != "")
            .order_by(channel_hooks.c.seq.desc())
            .limit(1)
        )
        error = (await tx.execute(newest)).scalar()
        return HookDepth(waiting=counts.get(False, 0), dead=counts.get(True, 0), error=str(error or ""))

    async def prune(self, tx: Tx, before: datetime) -> None:
        """Forget what nobody asked for again, also of webhooks that are configured no longer."""
        await tx.execute(delete(channel_hooks).where(channel_hooks.c.made_at_ms < _to_ms(before)))


def _decode(row: Row[Any]) -> HookEvent:
    return HookEvent(
        seq=HookSeq(row.seq),
        hook=row.hook,
        event_id=row.event_id,
        lane=row.lane,
        kind=row.kind,
        body=row.body,
        made_at=_to_time(row.made_at_ms),
        next_at=_to_time(row.next_at_ms),
        attempts=row.attempts,
    )


def _to_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _to_time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
