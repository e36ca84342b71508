"""The groups of lines that `status` shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.commands.admin import StatusPart
from mautrix_whatsapp_py.commands.results import Group, Item
from mautrix_whatsapp_py.commands.spec import Call
from mautrix_whatsapp_py.convert.link_words import state_words
from mautrix_whatsapp_py.errors import MatrixError, StoreError, WhatsAppError
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_link import WaSessionStats
from mautrix_whatsapp_py.ports import Clock, MatrixApi, WhatsAppNetwork
from mautrix_whatsapp_py.store.current import fetch_revision
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import SqliteAddress


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
        kind = Item(term="Kind", text="SQLite" if isinstance(store.address, SqliteAddress) else "Postgres")
        try:
            schema = Item(term="Schema", text=await fetch_revision(store) or "none")
        except StoreError as error:
            schema = Item(term="Connection", text=error.text, is_well=False)
        return Group(title="Database", items=(kind, schema))

    return part


def links_part(*, logins: Logins, network: WhatsAppNetwork, clock: Clock) -> StatusPart:
    """The WhatsApp accounts of the caller."""

    async def part(call: Call) -> Group:
        lines = [
            await _link_line(login, logins=logins, network=network, clock=clock)
            for login in logins.of_user(call.request.sender)
        ]
        nothing = Item(term="", text="You have none. Send `login` to link a WhatsApp account.")
        return Group(title="WhatsApp links", items=tuple(lines) or (nothing,))

    return part


async def _link_line(login: Login, *, logins: Logins, network: WhatsAppNetwork, clock: Clock) -> Item:
    state, now = logins.state_of(login), clock.now()
    facts = [f"{state_words(state)} since {duration_text((now - state.since).total_seconds())}"]
    found = ((host, stats) for host in network.get_hosts() for stats in host.sessions if stats.login == login.id)
    host, stats = next(found, (None, None))
    client = network.get_client(login.id)
    if state.is_usable and client is not None:
        try:
            stats = await client.fetch_stats()
        except WhatsAppError:
            facts.append("its session does not answer")
    if stats is not None:
        facts += _session_facts(stats, now)
    if host is not None:
        facts.append(f"session host {host.host} with {host.resident_bytes // 1_000_000} MB")
    name = f" {login.push_name}" if login.push_name else ""
    return Item(term=f"{login.number}{name}", text="; ".join(facts), is_well=state.is_usable)


def _session_facts(stats: WaSessionStats, now: datetime) -> list[str]:
    def ago(moment: datetime | None) -> str:
        return f"{duration_text((now - moment).total_seconds())} ago" if moment is not None else "never"

    return [
        f"last received {ago(stats.last_event_at)}",
        f"last sent {ago(stats.last_send_at)}",
        f"{stats.journal_depth} events waiting",
        f"phone last seen {ago(stats.phone_seen_at)}",
    ]


def duration_text(seconds: float) -> str:
    """A duration for readers: its two largest units."""
    rest = max(0, int(seconds))
    named: list[str] = []
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, rest = divmod(rest, size)
        if count:
            named.append(f"{count} {name}" + ("s" if count > 1 else ""))
    return " ".join(named[:2]) or "less than a second"
