"""What the configuration says of the past reaches those who bring it, and the phone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from mautrix_whatsapp_py.app.backfill import backfill_settings
from mautrix_whatsapp_py.app.hosting import network_options
from mautrix_whatsapp_py.bridge.backfill.deps import BackfillSettings
from tests.unit.config.samples import SMALLEST, read_text_as_config

CHOSEN = """\
network:
    history_sync:
        max_initial_conversations: 7
        request_full_sync: true
        dispatch_wait: 1m30s
        full_sync_config: {days_limit: 90, size_mb_limit: 70, storage_quota_mb: 80}
backfill: {max_initial_messages: 6, max_initial_days: 5, max_catchup_messages: 4, unread_hours_threshold: 3}
history: {keep: 2}
"""


def test_what_was_chosen(tmp_path: Path) -> None:
    config = read_text_as_config(tmp_path, SMALLEST + CHOSEN).config
    assert backfill_settings(config) == BackfillSettings(
        max_chats=7,
        max_messages=6,
        max_age=timedelta(days=5),
        max_catchup=4,
        unread_age=timedelta(hours=3),
        keep=timedelta(days=2),
        wait=timedelta(seconds=90),
    )
    link = network_options(config).link
    asked = (link.history_days, link.history_megabytes, link.history_quota_megabytes)
    assert (link.wants_history, link.wants_full_history, asked) == (True, True, (90, 70, 80))


def test_what_is_usual(tmp_path: Path) -> None:
    config = read_text_as_config(tmp_path, SMALLEST).config
    assert backfill_settings(config) == BackfillSettings()
    assert not network_options(config).link.wants_full_history


def test_without_limits_and_without_history(tmp_path: Path) -> None:
    chosen = "backfill: {enabled: false, max_initial_days: -1, unread_hours_threshold: -1}\n"
    config = read_text_as_config(tmp_path, SMALLEST + chosen).config
    settings = backfill_settings(config)
    assert (settings.is_enabled, settings.max_age, settings.unread_age) == (False, None, None)
    assert not network_options(config).link.wants_history
