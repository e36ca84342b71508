"""From the model to the library."""

from __future__ import annotations

from typing import Any

from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf
from mautrix_whatsapp_py.whatsapp.wire import LinkOptions


def encode_device_props(options: LinkOptions, protobuf: Protobuf) -> bytes:
    """How we appear among the phone's linked devices, and how much history we ask for."""
    platforms = protobuf.device_props.PlatformType
    props: Any = protobuf.device_props(
        os=options.os_name,
        platformType=platforms.Value(options.platform),
        requireFullSync=options.wants_full_history,
    )
    if options.history_days:
        props.historySyncConfig.fullSyncDaysLimit = options.history_days
    if options.history_megabytes:
        props.historySyncConfig.fullSyncSizeMbLimit = options.history_megabytes
    if options.history_quota_megabytes:
        props.historySyncConfig.storageQuotaMb = options.history_quota_megabytes
    body: bytes = props.SerializeToString()
    return body
