"""The groups of lines that `status` shows."""

from __future__ import annotations

from collections.abc import Callable

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.commands.admin import StatusPart
from mautrix_whatsapp_py.commands.results import Group, Item
from mautrix_whatsapp_py.commands.spec import Call
from mautrix_whatsapp_py.errors import MatrixError, StoreError
from mautrix_whatsapp_py.ports import Clock, MatrixApi
from mautrix_whatsapp_py.store.about import fetch_revision, kind_of
from mautrix_whatsapp_py.store.store import Store


def bridge_part(*, clock: Clock, started_at: float, inbox_depth: Callable[[], int]) -> StatusPart:
    """Version, uptime and what waits."""

    async def part(_call: Call) -> Group:
        uptime = Item(term="Running for", text=duration_text(clock.monotonic() - started_at))
        waiting = Item(term="Waiting events", text=str(inbox_depth()))
        return Group(title="Bridge", items=(Item(term="Version", text=__version__), uptime, waiting))

    return part


def homeserver_part(*, clock: Clock, matrix: MatrixApi) -> StatusPart:
    """Software, versions and how fast it answers."""

    async def part(_call: Call) -> Group:
        started = clock.monotonic()
        try:
            info = await matrix.fetch_server_info()
        except MatrixError as error:
            return Group(title="Homeserver", items=(Item(term="Connection", text=error.text, is_well=False),))
        took_ms = (clock.monotonic() - started) * 1000
        newest = info.versions[-1] if info.versions else "unknown"
        items = (
            Item(term="Software", text=info.software or "unknown"),
            Item(term="Speaks Matrix up to", text=newest),
            Item(term="Answers in", text=f"{took_ms:.0f} ms"),
        )
        return Group(title="Homeserver", items=items)

    return part


def database_part(*, store: Store) -> StatusPart:
    """Kind, schema and whether it answers."""

    async def part(_call: Call) -> Group:
        kind = Item(term="Kind", text=kind_of(store))
        try:
            schema = Item(term="Schema", text=await fetch_revision(store))
        except StoreError as error:
            schema = Item(term="Connection", text=error.text, is_well=False)
        return Group(title="Database", items=(kind, schema))

    return part


def links_part() -> StatusPart:
    """The WhatsApp accounts of the caller."""

    async def part(_call: Call) -> Group:
        return Group(title="WhatsApp links", items=(Item(term="", text="You have none."),))

    return part


def duration_text(seconds: float) -> str:
    """A duration for readers: its two largest units."""
    rest = int(seconds)
    named: list[str] = []
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, rest = divmod(rest, size)
        if count:
            named.append(f"{count} {name}" + ("s" if count > 1 else ""))
    return " ".join(named[:2]) or "less than a second"
