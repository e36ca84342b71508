"""From configuration to session hosts."""

from __future__ import annotations

from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.whatsapp.options import NetworkOptions
from mautrix_whatsapp_py.whatsapp.wire import LinkOptions


def network_options(config: Config) -> NetworkOptions:
    """How the session hosts are run."""
    return NetworkOptions(
        folder=config.session_folder,
        host_command=tuple(config.whatsapp.host_command),
        sessions_per_host=config.whatsapp.sessions_per_host,
        keeps_links_on_stop=config.whatsapp.keep_links_on_stop,
        link=LinkOptions(
            proxy=config.network.proxy or "",
            os_name=config.network.os_name,
            platform=config.network.browser_name.name,
            wants_history=config.backfill.enabled,
            wants_full_history=config.network.history_sync.request_full_sync,
            history_days=config.network.history_sync.full_sync_config.days_limit or 0,
            history_megabytes=config.network.history_sync.full_sync_config.size_mb_limit or 0,
            history_quota_megabytes=config.network.history_sync.full_sync_config.storage_quota_mb or 0,
        ),
    )
