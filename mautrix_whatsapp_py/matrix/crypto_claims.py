"""What is kept of others' keys and devices, and whose a key is. Loading it loads the ciphers.

The key of a session proves nothing of who made it: whoever was given it can pass it on as their own. The library
lets such a claim take the place of the first one, and what its maker writes cannot be read any more. Here the
first claim stays and others wait aside; which one counts is decided by who wrote the message.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from mautrix.crypto import InboundGroupSession, PgCryptoStore

log = logging.getLogger(__name__)

_KEY: Final = re.compile(r"[A-Za-z0-9+/]{43}")
_ROOM: Final = re.compile(r"![^\x00-\x1f\ud800-\udfff]{1,254}")
_SIGNATURE: Final = re.compile(r"[A-Za-z0-9+/]{86}={0,2}")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\ud800-\udfff]")
_NAME_LENGTH: Final = 255
_ASIDE: Final = "aside:"
_SWAP: Final = "swap:"
_MOST_MESSAGES: Final = 2**31 - 1
_LONGEST: Final = timedelta(days=3650)
_FIND: Final = (
    "SELECT account_id, room_id, sender_key, signing_key, forwarding_chains FROM crypto_megolm_inbound_session "
    "WHERE session_id=$1 AND session IS NOT NULL"
)
_MOVE: Final = "UPDATE crypto_megolm_inbound_session SET account_id=$1 WHERE account_id=$2 AND session_id=$3"


class ClaimedKeys(PgCryptoStore):
    """Keeps what several devices say of a key, and takes nothing that no key can be."""

    _has_asides: bool | None = None
    """None until somebody has looked."""

    async def put_group_session(self, room_id: Any, sender_key: Any, session_id: Any, session: Any) -> None:
        """Raises ValueError for what is no key."""
        _tame(session)
        require_key(room_id, sender_key, session_id, session)
        kept = next((row for row in await self._find(session_id) if row["account_id"] == self.account_id), None)
        said = (str(room_id), str(sender_key), str(session.signing_key))
        if kept is None or _claim(kept) == said or not _is_direct(kept):
            await super().put_group_session(room_id, sender_key, session_id, session)
            return
        log.info("a key is claimed by another device than the one it is known of")
        aside = PgCryptoStore(f"{_ASIDE}{sender_key}", self.pickle_key, self.db)
        await aside.put_group_session(room_id, sender_key, session_id, session)
        self._has_asides = True

    async def has_group_session(self, room_id: Any, session_id: Any) -> bool:
        """Whoever claims it."""
        if await super().has_group_session(room_id, session_id):
            return True
        has_asides = await self._look_for_asides()
        return has_asides and any(row["room_id"] == room_id for row in await self._find(session_id))

    async def put_devices(self, user_id: Any, devices: Any) -> None:
        """Without those that cannot be."""
        kept = {name: device for name, device in devices.items() if _is_device(device)}
        for device in kept.values():
            device.name = _UNPRINTABLE.sub("", str(device.name))[:_NAME_LENGTH]
        await super().put_devices(user_id, kept)

    async def put_cross_signing_key(self, user_id: Any, usage: Any, key: Any) -> None:
        if _is_key(key):
            await super().put_cross_signing_key(user_id, usage, key)

    async def put_signature(self, target: Any, signer: Any, signature: Any) -> None:
        if _is_key(target.key) and _is_key(signer.key) and _SIGNATURE.fullmatch(str(signature)):
            await super().put_signature(target, signer, signature)

    async def settle(self, room_id: Any, session_id: Any, is_of_writer: Callable[[str], Awaitable[bool]]) -> None:
        """Have the claim of the device count that wrote a message, where there are several."""
        if not await self._look_for_asides():
            return
        rows = await self._find(session_id)
        # The one that counts is asked about first.
        for row in sorted(rows, key=lambda row: row["account_id"] != self.account_id):
            if row["room_id"] == room_id and await is_of_writer(str(row["sender_key"])):
                await self._prefer(row, rows, session_id)
                return

    async def forget_asides(self) -> None:
        """Keys that are forgotten after a time are forgotten wherever they are."""
        await self.db.execute("DELETE FROM crypto_megolm_inbound_session WHERE account_id LIKE $1", f"{_ASIDE}%")
        self._has_asides = False

    async def validate_message_index(
        self, sender_key: Any, session_id: Any, event_id: Any, index: int, timestamp: int
    ) -> bool:
        """Nothing yet: whoever copies a message first would use up its index. `note_index` follows."""
        return True

    async def note_index(self, session: Any, event_id: Any, index: int, timestamp: int) -> bool:
        """Note that a message was read whose writer is certain; false when another one was with the same index."""
        return bool(
            await super().validate_message_index(session.sender_key, session.id, event_id, index, timestamp)
        )

    async def _find(self, session_id: Any) -> Sequence[Any]:
        found: Sequence[Any] = await self.db.fetch(_FIND, session_id)
        return found

    async def _look_for_asides(self) -> bool:
        if self._has_asides is None:
            query = "SELECT 1 FROM crypto_megolm_inbound_session WHERE account_id LIKE $1 LIMIT 1"
            self._has_asides = await self.db.fetchval(query, f"{_ASIDE}%") is not None
        return self._has_asides

    async def _prefer(self, chosen: Any, rows: Sequence[Any], session_id: Any) -> None:
        counts = next((row for row in rows if row["account_id"] == self.account_id), None)
        if counts is None or chosen["account_id"] == self.account_id:
            return
        moves = (
            (_SWAP, self.account_id),
            (self.account_id, chosen["account_id"]),
            (f"{_ASIDE}{counts['sender_key']}", _SWAP),
        )
        # The library says of it that it gives nothing, which is not so.
        transaction: Any = self.transaction()
        async with transaction:
            for to, of in moves:
                await self.db.execute(_MOVE, to, of, session_id)


def require_key(room_id: object, sender_key: object, session_id: object, session: InboundGroupSession) -> None:
    """Raise ValueError where one of these is nothing that a database would take for a key of a room."""
    keys = (sender_key, session_id, session.signing_key, *session.forwarding_chain)
    if not isinstance(room_id, str) or not _ROOM.fullmatch(room_id) or not all(_is_key(one) for one in keys):
        raise ValueError("not a key of a room")


def _tame(session: Any) -> None:
    """Rooms and those who give keys say for how long and how much they may be used, in whatever numbers."""
    most, longest = session.max_messages, session.max_age
    is_count = isinstance(most, int) and not isinstance(most, bool)
    session.max_messages = min(max(most, 0), _MOST_MESSAGES) if is_count else None
    session.max_age = min(max(longest, timedelta()), _LONGEST) if isinstance(longest, timedelta) else None
    session.is_scheduled = isinstance(session.is_scheduled, int) and bool(session.is_scheduled)


def _is_device(device: Any) -> bool:
    is_named = not _UNPRINTABLE.search(device.device_id) and len(device.device_id) <= _NAME_LENGTH
    return is_named and _is_key(device.identity_key) and _is_key(device.signing_key)


def _is_key(value: object) -> bool:
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


def _claim(row: Any) -> tuple[str, str, str]:
    return str(row["room_id"]), str(row["sender_key"]), str(row["signing_key"])


def _is_direct(row: Any) -> bool:
    """Whether the device that claims a key gave it itself, which those who pass on keys cannot say of others'."""
    chain = row["forwarding_chains"]
    return not chain or chain == row["sender_key"]
