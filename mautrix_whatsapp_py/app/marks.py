"""Composition of what keeps chats pinned, archived and muted alike on the phone and in clients."""

from __future__ import annotations

from mautrix_whatsapp_py.app.homeserver import Homeserver
from mautrix_whatsapp_py.bridge.management import ManagementRooms
from mautrix_whatsapp_py.bridge.mark_deps import MarkDeps, MarkSettings
from mautrix_whatsapp_py.bridge.marking import Marking
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.config import Config


def make_marking(config: Config, talk: Talk, homeserver: Homeserver, users: Users) -> Marking:
    """Everything put together."""
    return Marking(
        MarkDeps(
            talk=talk,
            accounts=homeserver.accounts,
            management=ManagementRooms(users=users, matrix=homeserver.api, rooms=homeserver.rooms),
            matrix=homeserver.api,
            settings=_settings(config),
        )
    )


def _settings(config: Config) -> MarkSettings:
    network, bridge = config.network, config.bridge
    return MarkSettings(
        pinned_tag=network.pinned_tag or None,
        archive_tag=network.archive_tag or None,
        status_tag=network.status_broadcast_tag or None,
        is_status_quiet=network.mute_status_broadcast,
        bridges_mutes=bridge.mute_bridging,
        mutes_new_only=bridge.mute_only_on_create,
        tags_new_only=bridge.tag_only_on_create,
    )
