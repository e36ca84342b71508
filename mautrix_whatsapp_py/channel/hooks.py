"""What webhooks are told: kept in the transaction of what they are told of, then told in order per chat."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from mautrix_whatsapp_py.channel.web import hook_shapes
from mautrix_whatsapp_py.channel.web.views import to_item
from mautrix_whatsapp_py.config.channel import HookKind, Webhook
from mautrix_whatsapp_py.model.channel import ChannelItem, HookDepth, NewHookEvent, Stranger
from mautrix_whatsapp_py.model.wa_link import WaState
from mautrix_whatsapp_py.store.channel_hooks import HookRows
from mautrix_whatsapp_py.store.store import Store, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A webhook, and the name under which its events are kept."""

    name: str
    keys: Webhook


def make_hooks(webhooks: Sequence[Webhook]) -> tuple[Hook, ...]:
    """The webhooks of a configuration; one whose address stays is the same one."""
    return tuple(Hook(name=hashlib.sha256(one.url.encode()).hexdigest()[:16], keys=one) for one in webhooks)


class HookBook:
    """Notes events for those who want them; `on_event` is told after each note, and may be told in vain."""

    def __init__(self, hooks: Sequence[Hook], *, store: Store, base_url: str) -> None:
        self.hooks = tuple(hooks)
        self._store = store
        self._base_url = base_url
        self._rows = HookRows()
        self._listeners: list[Callable[[], None]] = []

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Tell somebody that there may be something to tell."""
        self._listeners.append(listener)

    def on_event(self) -> None:
        """What was noted is durable now."""
        for listener in self._listeners:
            listener()

    async def note_item(self, tx: Tx, item: ChannelItem) -> None:
        """A message waits for its reader."""
        event_id = _item_id(item)
        for hook in self._wanting(HookKind.MESSAGE, item.account):
            body = self._encode_item(item)
            await self._rows.add(
                tx,
                NewHookEvent(
                    hook=hook.name,
                    event_id=event_id,
                    lane=f"{item.account} {item.chat}",
                    kind=HookKind.MESSAGE,
                    body=body,
                    made_at=item.taken_at,
                    next_at=item.ready_at,
                ),
            )

    async def note_joined(self, tx: Tx, item: ChannelItem) -> None:
        """A message that waits says more now."""
        for hook in self._wanting(HookKind.MESSAGE, item.account):
            body = self._encode_item(item)
            await self._rows.replace_body(tx, hook.name, _item_id(item), body, item.ready_at)

    async def note_stranger(self, tx: Tx, stranger: Stranger) -> None:
        """Somebody was told a code; the code itself is for those who ask with the token."""
        said = hook_shapes.HookStranger(number=f"+{stranger.number}")
        event_id = f"pairing-{stranger.account}-{stranger.message_id}"
        await self._note(tx, HookKind.PAIRING, stranger.account, event_id, stranger.told_at, said)

    async def note_state(self, account: str, state: WaState | None, *, at: datetime, shown: str) -> None:
        """An account's link stands elsewhere."""
        if not self._wanting(HookKind.ACCOUNT, account):
            return
        said = hook_shapes.HookAccount(
            state=shown,
            error="" if state is None else state.error,
            message="" if state is None else state.message,
        )
        event_id = f"account-{account}-{int(at.timestamp() * 1000)}"
        await self._store.write(lambda tx: self._note(tx, HookKind.ACCOUNT, account, event_id, at, said))
        self.on_event()

    async def get_depth(self, hook: Hook) -> HookDepth:
        """How much there is for a webhook."""
        return await self._store.read(lambda tx: self._rows.get_depth(tx, hook.name))

    async def retry(self, now: datetime) -> int:
        """Have what was given up told again; how many events."""
        names = [hook.name for hook in self.hooks]
        count = await self._store.write(lambda tx: self._rows.revive(tx, names, now))
        self.on_event()
        return count

    def _wanting(self, kind: HookKind, account: str) -> list[Hook]:
        return [hook for hook in self.hooks if hook.keys.wants(kind, account)]

    async def _note(
        self,
        tx: Tx,
        kind: HookKind,
        account: str,
        event_id: str,
        at: datetime,
        said: hook_shapes.HookAccount | hook_shapes.HookStranger,
    ) -> None:
        event = hook_shapes.HookEvent(
            id=event_id,
            event=kind,
            account=account,
            made_at=at,
            state=said if isinstance(said, hook_shapes.HookAccount) else None,
            request=said if isinstance(said, hook_shapes.HookStranger) else None,
        )
        for hook in self._wanting(kind, account):
            await self._rows.add(
                tx,
                NewHookEvent(
                    hook=hook.name,
                    event_id=event_id,
                    lane=f"{account} {kind}",
                    kind=kind,
                    body=msgspec.json.encode(event),
                    made_at=at,
                    next_at=at,
                ),
            )

    def _encode_item(self, item: ChannelItem) -> bytes:
        event = hook_shapes.HookEvent(
            id=_item_id(item),
            event=HookKind.MESSAGE,
            account=item.account,
            made_at=item.taken_at,
            item=to_item(item, base_url=self._base_url),
        )
        return msgspec.json.encode(event)


def _item_id(item: ChannelItem) -> str:
    return f"message-{item.account}-{item.seq}"
