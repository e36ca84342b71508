"""Keys of mautrix-whatsapp's configuration that have no effect here, with the value each has when untouched.

A file of it can be read; whoever changed one of these keys is told that it does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ANY: Final = object()
"""A value nobody would miss, whatever it is."""

Defaults = Mapping[str, Any]

_NETWORK: Final[Defaults] = {
    "get_proxy_url": None,
    "proxy_only_login": False,
    "identity_change_notices": False,
    "send_presence_on_typing": False,
    "disable_status_broadcast_send": True,
    "whatsapp_thumbnail": False,
    "disable_view_once": False,
    "force_active_delivery_receipts": False,
    "direct_media_auto_request": True,
    "initial_auto_reconnect": True,
    "use_whatsapp_retry_store": False,
    "animated_sticker": {"target": "webp", "args": {"width": 320, "height": 320, "fps": 25}},
    "history_sync": {
        "media_requests": {
            "auto_request_media": True,
            "request_method": "immediate",
            "request_local_time": 120,
            "max_async_handle": 2,
        },
        "backwards_on_demand": False,
    },
}

_BRIDGE: Final[Defaults] = {
    "private_chat_portal_meta": True,
    "async_events": False,
    "split_portals": False,
    "resend_bridge_info": False,
    "no_bridge_info_state_key": False,
    "transient_state_debounce": "0s",
    "unknown_error_auto_reconnect": None,
    "unknown_error_max_auto_reconnects": 10,
    "only_bridge_tags": ["m.favourite", "m.lowpriority"],
    "deduplicate_matrix_messages": False,
    "cross_room_replies": False,
    "revert_failed_state_changes": False,
    "enable_send_state_requests": False,
    "phone_numbers_in_profile": False,
    "cleanup_on_logout": {"manual": {"relayed": "nothing"}, "bad_credentials": {"relayed": "nothing"}},
    "relay": {
        "allow_bridge": True,
    },
    "portal_create_filter": {"always_deny_from_login": []},
}

_ENCRYPTION: Final[Defaults] = {
    "plaintext_mentions": False,
    "delete_keys": {
        "delete_outbound_on_ack": False,
        "ratchet_on_decrypt": False,
        "delete_fully_used_on_decrypt": False,
        "delete_prev_on_new_session": False,
        "delete_on_device_delete": False,
    },
}

REFERENCE_KEYS: Final[Defaults] = {
    "network": _NETWORK,
    "bridge": _BRIDGE,
    "encryption": _ENCRYPTION,
    "database": {"max_idle_conns": 1, "max_conn_idle_time": None, "max_conn_lifetime": None},
    "homeserver": {"async_media": False, "websocket": False, "ping_interval_seconds": 0},
    "appservice": {"async_transactions": False},
    "matrix": {
        "federate_rooms": True,
        "upload_file_threshold": 5242880,
        "ghost_extra_profile_info": False,
    },
    "analytics": {"token": None, "url": ANY, "user_id": None},
    "provisioning": {
        "debug_endpoints": False,
        "enable_session_transfers": False,
    },
    "public_media": {
        "enabled": False,
        "signing_key": ANY,
        "expiry": 0,
        "hash_length": 32,
        "path_prefix": ANY,
        "use_database": False,
    },
    "direct_media": {
        "enabled": False,
        "server_name": ANY,
        "well_known_response": None,
        "media_id_prefix": None,
        "allow_proxy": True,
        "server_key": ANY,
    },
    "backfill": {
        "threads": {"max_initial_messages": 50},
        "queue": {
            "enabled": False,
            "batch_size": 100,
            "batch_delay": 20,
            "max_batches": -1,
            "max_batches_override": ANY,
        },
    },
    "double_puppet": {"allow_discovery": False},
    "env_config_prefix": "MAUTRIX_WHATSAPP_",
    "logging": {"writers": ANY},
}
