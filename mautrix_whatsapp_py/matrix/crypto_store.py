"""What the library keeps of keys, and what it asks about rooms. Loading it loads the ciphers."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mautrix.crypto import StateStore
from mautrix.types import RoomEncryptionStateEventContent, RoomID, UserID

from mautrix_whatsapp_py.config.files import create_file
from mautrix_whatsapp_py.errors import MatrixError
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.crypto_claims import ClaimedKeys
from mautrix_whatsapp_py.matrix.crypto_options import CryptoOptions, EncryptedRooms

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

STRONG_LENGTH: Final = 32


class MachineRooms(StateStore):
    """What the library asks about rooms."""

    def __init__(self, rooms: EncryptedRooms) -> None:
        self._rooms = rooms

    async def is_encrypted(self, room_id: RoomID) -> bool:
        return await self._rooms.is_encrypted(MxRoomId(room_id))

    async def get_encryption_info(self, room_id: RoomID) -> RoomEncryptionStateEventContent | None:
        try:
            state: Any = await self._rooms.fetch_room_state(MxRoomId(room_id))
        except MatrixError:
            # Keys come before a room is joined too, and only once: what is not known of it must not keep one out.
            return RoomEncryptionStateEventContent()
        return None if state is None else RoomEncryptionStateEventContent.deserialize(state)

    async def find_shared_rooms(self, user_id: UserID) -> list[RoomID]:
        return [RoomID(room_id) for room_id in self._rooms.rooms_with(MxUserId(user_id))]


class KeyStore(ClaimedKeys):
    """Says when a key has come."""

    on_key: Callable[[str], None]

    async def put_group_session(self, room_id: Any, sender_key: Any, session_id: Any, session: Any) -> None:
        await super().put_group_session(room_id, sender_key, session_id, session)
        self.on_key(session_id)

    def forget_memory(self) -> None:
        """Read again what is stored."""
        self._olm_cache.clear()
        self._account = None


def database_arguments(uri: str) -> dict[str, Any]:
    """What the library is told about a database: a commit is on the disk, or a key could be used twice."""
    return {"init_commands": ["PRAGMA synchronous = FULL"]} if uri.startswith("sqlite") else {}


def ensure_pickle_key(options: CryptoOptions) -> str:
    """What opens the store: a file of its own, so that whoever has the database alone has nothing."""
    if options.pickle_key:
        return options.pickle_key
    if not options.key_file.exists():
        create_file(options.key_file, secrets.token_hex(32))
    return options.key_file.read_text(encoding="utf-8").strip()


def seal(text: str, key: str) -> str:
    """A secret as it may lie in the database."""
    return _fernet(key).encrypt(text.encode()).decode()


def unseal(sealed: str, key: str) -> str | None:
    """What `seal` was given; None when it was sealed with another key."""
    from cryptography.fernet import InvalidToken

    try:
        return _fernet(key).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def is_strong(pickle_key: str) -> bool:
    """Whether nobody can guess it who has what it seals."""
    return len(pickle_key) >= STRONG_LENGTH


def _fernet(key: str) -> Fernet:
    from cryptography.fernet import Fernet

    digest = hashlib.sha256(f"recovery:{key}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
