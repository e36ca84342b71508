"""What vouches for the bot's device. Loading it loads the ciphers."""

from __future__ import annotations

import logging

from mautrix.crypto import OlmMachine
from mautrix.errors import MatrixError
from mautrix.types import TrustState

from mautrix_whatsapp_py.matrix.crypto_backup import SECRETS
from mautrix_whatsapp_py.matrix.crypto_marks import AccountData, Facts
from mautrix_whatsapp_py.matrix.crypto_store import seal, unseal
from mautrix_whatsapp_py.matrix.http import raise_passing

log = logging.getLogger(__name__)


class BotIdentity:
    """The bot's identity, which outlives its devices."""

    def __init__(
        self, machine: OlmMachine, *, facts: Facts, data: AccountData, pickle_key: str, is_kept: bool
    ) -> None:
        """`is_kept` says whether the homeserver has what brings it back, encrypted, when the store is lost."""
        self._machine = machine
        self._facts = facts
        self._data = data
        self._pickle_key = pickle_key
        self._is_kept = is_kept

    async def ensure_signed(self) -> None:
        """Have the bot vouch for its device, as who it was before where that is known."""
        trust = await self._machine.resolve_trust(self._machine.own_identity)
        if trust >= TrustState.CROSS_SIGNED_UNTRUSTED:
            await self._keep(await self._facts.get("recovery_key"))
        elif not await self._resume():
            recovery_key = await self._machine.generate_recovery_key()
            await self._keep(seal(recovery_key, self._pickle_key))
            log.info("the bridge has signed its device")

    async def _resume(self) -> bool:
        kept = (await self._data.fetch(SECRETS)).get("recovery_key") if self._is_kept else None
        sealed = await self._facts.get("recovery_key") or kept
        recovery_key = unseal(sealed, self._pickle_key) if isinstance(sealed, str) else None
        if recovery_key is None:
            return False
        try:
            await self._machine.verify_with_recovery_key(recovery_key)
        except (MatrixError, ValueError) as error:
            raise_passing(error)
            log.warning("the bot gets a new identity: that of its last device is gone (%s)", type(error).__name__)
            return False
        await self._keep(str(sealed))
        log.info("the bridge has signed its device with the identity it had before")
        return True

    async def _keep(self, sealed: str | None) -> None:
        if sealed is None:
            return
        await self._facts.put("recovery_key", sealed)
        if not self._is_kept:
            return
        kept = await self._data.fetch(SECRETS)
        if kept.get("recovery_key") != sealed:
            await self._data.send(SECRETS, {**kept, "recovery_key": sealed})
