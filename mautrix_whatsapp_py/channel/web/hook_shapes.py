"""What webhooks are told, and what is told of webhooks."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from mautrix_whatsapp_py.channel.web.shapes import Item


class HookAccount(Struct, frozen=True, kw_only=True):
    """Where an account's link stands now."""

    state: str
    error: str = ""
    message: str = ""


class HookStranger(Struct, frozen=True, kw_only=True):
    """Who asks to be let in."""

    number: str


class HookEvent(Struct, frozen=True, kw_only=True):
    """What a webhook is told; of item, state and request it has the one that its event is about."""

    id: str
    event: str
    account: str
    made_at: datetime
    item: Item | None = None
    state: HookAccount | None = None
    request: HookStranger | None = None


class WebhookView(Struct, frozen=True, kw_only=True):
    """A webhook, how much it has still to be told, how much was given up, and what went wrong last."""

    url: str
    events: list[str]
    accounts: list[str]
    waiting: int
    dead: int
    error: str


class Webhooks(Struct, frozen=True, kw_only=True):
    """All webhooks."""

    webhooks: list[WebhookView]


class Retried(Struct, frozen=True, kw_only=True):
    """How many events are told again."""

    ok: bool = True
    count: int
