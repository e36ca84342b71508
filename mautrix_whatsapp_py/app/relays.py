"""Composition of what speaks for people without an account."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.bridge.relays import RelayDeps, Relays, RelaySettings, make_formats
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.ids import LoginId, MxUserId
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.ports_relay import MatrixPeople
from mautrix_whatsapp_py.store.store import Store


def make_relays(
    config: Config, *, store: Store, logins: Logins, people: MatrixPeople, clock: Clock
) -> Relays | None:
    """Nobody speaks for others unless the configuration says so."""
    section = config.bridge.relay
    if not section.enabled:
        return None

    def level_of(user: MxUserId) -> PermissionLevel:
        try:
            return config.bridge.permissions.get_permission(user).level
        except ValueError:
            return PermissionLevel.BLOCK

    settings = RelaySettings(
        is_admin_only=section.admin_only,
        prefers_default=section.prefer_default,
        default_relays=tuple(LoginId(number) for number in section.default_relays),
        formats=make_formats(
            section.message_formats, name=section.displayname_format, distinguishers=section.user_distinguishers
        ),
    )
    return Relays(
        RelayDeps(store=store, logins=logins, people=people, clock=clock, level_of=level_of, settings=settings)
    )
