"""Whose devices are trusted with what, and which keys are kept. Loading it loads the ciphers."""

from __future__ import annotations

from mautrix.crypto import OlmMachine
from mautrix.types import TrustState

from mautrix_whatsapp_py.matrix.crypto_options import CryptoOptions
from mautrix_whatsapp_py.matrix.crypto_store import KeyStore
from mautrix_whatsapp_py.model.sealed import CannotOpen, OpenFailure

_NOBODYS = frozenset({TrustState.UNKNOWN_DEVICE, TrustState.BLACKLISTED})


def set_rules(machine: OlmMachine, options: CryptoOptions) -> None:
    """Have the library obey the configuration."""
    machine.send_keys_min_trust = TrustState.parse(options.min_receive)
    machine.share_keys_min_trust = TrustState.parse(options.min_share)
    machine.dont_store_outbound_keys = options.forgets_own_keys
    machine.disable_device_change_key_rotation = options.keeps_key_of_devices


def require_trust(trust: TrustState, options: CryptoOptions) -> None:
    """Raise CannotOpen where the device that wrote something is not to be believed."""
    if trust in _NOBODYS:
        raise CannotOpen(OpenFailure.UNKNOWN_DEVICE)
    if trust < TrustState.parse(options.min_send):
        raise CannotOpen(OpenFailure.UNTRUSTED)


async def forget_keys(store: KeyStore, options: CryptoOptions, *, is_start: bool = False) -> int:
    """Forget keys that are used no more; how many."""
    forgotten = []
    if options.forgets_expired_keys:
        forgotten += await store.redact_expired_group_sessions()
    if options.forgets_ageless_keys and is_start:
        forgotten += await store.redact_outdated_group_sessions()
    if is_start and (options.forgets_expired_keys or options.forgets_ageless_keys):
        await store.forget_asides()
    return len(forgotten)
