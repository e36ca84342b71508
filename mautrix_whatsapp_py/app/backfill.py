"""Composition of what brings the past over."""

from __future__ import annotations

from datetime import timedelta

from mautrix_whatsapp_py.app.links import Links
from mautrix_whatsapp_py.bridge.backfill.backfill import Backfill
from mautrix_whatsapp_py.bridge.backfill.deps import BackfillDeps, BackfillSettings
from mautrix_whatsapp_py.bridge.backfill.pace import Pace
from mautrix_whatsapp_py.bridge.management import ManagementRooms
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.durations import decode_duration
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.ports import MatrixApi
from mautrix_whatsapp_py.ports_chats import MatrixRooms
from mautrix_whatsapp_py.ports_copies import MatrixCopies
from mautrix_whatsapp_py.ports_history import WhatsAppHistory
from mautrix_whatsapp_py.whatsapp.history import open_history


def make_backfill(
    config: Config,
    *,
    talk: Talk,
    links: Links,
    matrix: MatrixApi,
    rooms: MatrixRooms,
    users: Users,
    copies: MatrixCopies,
) -> Backfill:
    """The work on the past, as the configuration wants it."""

    def opens(login: LoginId) -> WhatsAppHistory | None:
        return open_history(links.network, login)

    return Backfill(
        BackfillDeps(
            talk=talk,
            open_history=opens,
            management=ManagementRooms(users=users, matrix=matrix, rooms=rooms),
            matrix=matrix,
            settings=backfill_settings(config),
            pace=Pace(talk.clock),
            copies=copies,
        )
    )


def backfill_settings(config: Config) -> BackfillSettings:
    """What the configuration says of the past."""
    chosen, sync = config.backfill, config.network.history_sync
    return BackfillSettings(
        is_enabled=chosen.enabled,
        max_messages=chosen.max_initial_messages,
        max_catchup=chosen.max_catchup_messages,
        max_chats=sync.max_initial_conversations,
        max_age=None if chosen.max_initial_days < 0 else timedelta(days=chosen.max_initial_days),
        unread_age=None if chosen.unread_hours_threshold < 0 else timedelta(hours=chosen.unread_hours_threshold),
        wait=decode_duration(sync.dispatch_wait),
        keep=timedelta(days=config.history.keep),
    )
