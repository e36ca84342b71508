"""Composition of encryption."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.encryption import DeleteKeysSection
from mautrix_whatsapp_py.config.tree import SQLITE
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.crypto import Crypto
from mautrix_whatsapp_py.matrix.crypto_options import CryptoOptions
from mautrix_whatsapp_py.matrix.http import RetryingHttp
from mautrix_whatsapp_py.matrix.registration import user_patterns
from mautrix_whatsapp_py.model.portal import Portal


def new_room_encryption(config: Config) -> dict[str, Any] | None:
    """How rooms that the bridge makes are encrypted, where they are."""
    is_wanted = config.encryption.allow and config.encryption.default
    return crypto_options(config).room_state() if is_wanted else None


def sees_encryption(config: Config, crypto: Crypto | None) -> Callable[[Portal], Awaitable[bool]]:
    """Whether a chat's room is encrypted, or will be when it is made."""
    is_default = new_room_encryption(config) is not None

    async def is_encrypted(portal: Portal) -> bool:
        if crypto is None or portal.room_id is None:
            return is_default
        return await crypto.is_encrypted(portal.room_id)

    return is_encrypted


def make_crypto(config: Config, http: RetryingHttp) -> Crypto | None:
    """Encryption; None where the configuration does not want it."""
    if not config.encryption.allow:
        return None
    ours = re.compile("|".join(user_patterns(config)))

    def is_ours(user: MxUserId) -> bool:
        return ours.search(user) is not None

    return Crypto(http, crypto_options(config), bot=config.bot_id, is_ours=is_ours)


def crypto_options(config: Config) -> CryptoOptions:
    """What the configuration says about encryption."""
    chosen, rotation = config.encryption, config.encryption.rotation
    uri = config.database.uri
    if uri.startswith(SQLITE):
        uri = f"{SQLITE}{config.data_folder.absolute() / 'crypto.db'}"
    return CryptoOptions(
        database=uri,
        key_file=config.data_folder.absolute() / "crypto.key",
        pickle_key="" if chosen.pickle_key == "generate" else chosen.pickle_key,
        signs_itself=chosen.self_sign,
        uses_msc4190=chosen.msc4190,
        syncs=not chosen.appservice,
        backs_up_keys=chosen.key_backup and not _forgets(chosen.delete_keys),
        shares_keys=chosen.allow_key_sharing,
        rotation_ms=rotation.milliseconds if rotation.enable_custom else 0,
        rotation_messages=rotation.messages if rotation.enable_custom else 0,
        min_receive=chosen.verification_levels.receive,
        min_send=chosen.verification_levels.send,
        min_share=chosen.verification_levels.share,
        forgets_own_keys=chosen.delete_keys.dont_store_outbound,
        forgets_expired_keys=chosen.delete_keys.periodically_delete_expired,
        forgets_ageless_keys=chosen.delete_keys.delete_outdated_inbound,
        keeps_key_of_devices=rotation.disable_device_change_key_rotation,
    )


def _forgets(section: DeleteKeysSection) -> bool:
    """Whether keys are to be nowhere any more at some time: then they are not in a backup either."""
    return section.dont_store_outbound or section.periodically_delete_expired or section.delete_outdated_inbound
