"""The part of the tree that encrypted rooms are configured by."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mautrix_whatsapp_py.config.section import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationSection(Section):
    """How long rooms that the bridge makes use one key."""

    enable_custom: bool = False
    milliseconds: int = 604800000
    messages: int = 100
    disable_device_change_key_rotation: bool = False


class VerificationLevel(StrEnum):
    """How well a device is known: each is more than those before it."""

    UNVERIFIED = "unverified"
    CROSS_SIGNED_UNTRUSTED = "cross-signed-untrusted"
    CROSS_SIGNED_TOFU = "cross-signed-tofu"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationSection(Section):
    """Which devices take part."""

    receive: VerificationLevel = VerificationLevel.UNVERIFIED
    send: VerificationLevel = VerificationLevel.UNVERIFIED
    share: VerificationLevel = VerificationLevel.CROSS_SIGNED_TOFU


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteKeysSection(Section):
    """Which keys are forgotten."""

    dont_store_outbound: bool = False
    periodically_delete_expired: bool = False
    delete_outdated_inbound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionSection(Section):
    """Rooms whose messages only their members can read, the bridge among them."""

    allow: bool = False
    default: bool = False
    require: bool = False
    appservice: bool = False
    msc4190: bool = True
    self_sign: bool = False
    key_backup: bool = True
    allow_key_sharing: bool = True
    pickle_key: str = field(default="generate", repr=False)
    verification_levels: VerificationSection = field(default_factory=VerificationSection)
    delete_keys: DeleteKeysSection = field(default_factory=DeleteKeysSection)
    rotation: RotationSection = field(default_factory=RotationSection)
