"""A copy of the bridge's keys at the homeserver, which cannot read it. Loading it loads the ciphers."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections import defaultdict
from typing import Any, Final

from mautrix.api import HTTPAPI, Method, Path
from mautrix.crypto import InboundGroupSession, OlmMachine
from mautrix.crypto.signature import sign_olm
from mautrix.errors import GroupSessionWithheldError, MatrixError
from mautrix.types import IdentityKey, RoomID, SessionID, SigningKey
from mautrix.util.async_db import Database

from mautrix_whatsapp_py.ids import MxRoomId
from mautrix_whatsapp_py.matrix.backup_cipher import BACKUP_ALGORITHM, BackupKey, NotOurs
from mautrix_whatsapp_py.matrix.crypto_marks import AccountData, Facts
from mautrix_whatsapp_py.matrix.crypto_options import ALGORITHM
from mautrix_whatsapp_py.matrix.crypto_store import seal, unseal
from mautrix_whatsapp_py.matrix.http import Json

log = logging.getLogger(__name__)

BATCH: Final = 100
YIELD_EVERY: Final = 10
SECRETS: Final = "net.mautrix_whatsapp_py.secrets"
"""Where the homeserver keeps, encrypted, what outlives the store: the keys to the backup and to the identity."""


class KeyBackup:
    """Puts keys into the backup as they come, and gets them back when the store is lost."""

    def __init__(
        self,
        api: HTTPAPI,
        machine: OlmMachine,
        database: Database,
        *,
        hasty: HTTPAPI,
        facts: Facts,
        data: AccountData,
        pickle_key: str,
    ) -> None:
        self._api = api
        self._hasty = hasty
        self._machine = machine
        self._database = database
        self._facts = facts
        self._data = data
        self._pickle_key = pickle_key
        self._key: BackupKey | None = None
        self._version = ""

    @property
    def is_open(self) -> bool:
        """Whether keys are put into it."""
        return bool(self._version)

    async def open(self, *, restores: bool) -> None:
        """Find our backup, or begin one; what it holds comes back where the store was given up."""
        await self._database.execute(
            "CREATE TABLE IF NOT EXISTS bridge_key_backup (session_id TEXT PRIMARY KEY, version TEXT NOT NULL)"
        )
        self._key = await self._find_key()
        current = await self._fetch_version()
        if self._key is None or current.get("auth_data", {}).get("public_key") != self._key.public:
            await self._begin()
            return
        self._version = str(current["version"])
        if restores:
            await self._restore()

    async def upload(self) -> int:
        """Put into the backup what is not there yet, a part at a time; how many keys that were."""
        if not self.is_open:
            return 0
        done = 0
        while names := await self._find_new():
            try:
                await self._send(names)
            except MatrixError as error:
                if getattr(error, "errcode", "") != "M_WRONG_ROOM_KEYS_VERSION":
                    raise
                # Somebody has begun another one in the bot's name.
                await self._begin()
                await self._send(names)
            query = (
                "INSERT INTO bridge_key_backup (session_id, version) VALUES ($1, $2) "
                "ON CONFLICT (session_id) DO UPDATE SET version=excluded.version"
            )
            await self._database.executemany(query, [(session, self._version) for _room, session in names])
            done += len(names)
        return done

    async def _find_key(self) -> BackupKey | None:
        sealed = await self._facts.get("backup_key") or (await self._data.fetch(SECRETS)).get("backup_key")
        text = unseal(sealed, self._pickle_key) if isinstance(sealed, str) else None
        if text is None:
            return None
        await self._facts.put("backup_key", str(sealed))
        return BackupKey(base64.b64decode(text))

    async def _begin(self) -> None:
        """A version of our own, signed by our device and by what vouches for that."""
        self._version = ""
        key = self._key
        if key is None:
            key = BackupKey.generate()
            sealed = seal(base64.b64encode(key.private).decode(), self._pickle_key)
            # Before anything is encrypted with it.
            await self._data.send(SECRETS, {**await self._data.fetch(SECRETS), "backup_key": sealed})
            await self._facts.put("backup_key", sealed)
            self._key = key
        content = {"algorithm": BACKUP_ALGORITHM, "auth_data": self._sign({"public_key": key.public})}
        path = Path.v3.room_keys.version
        answer = await self._api.request(Method.POST, path, content, metrics_method="key_backup")
        self._version = str(answer["version"])
        log.info("the homeserver keeps an encrypted copy of the bridge's keys, version %s", self._version)

    def _sign(self, data: Json) -> Json:
        client, account = self._machine.client, self._machine.account
        assert account is not None
        names: dict[str, Any] = {f"ed25519:{client.device_id}": sign_olm(dict(data), account)}
        keys = self._machine._cross_signing_private_keys  # noqa: SLF001  the library gives it no other way
        if keys is not None:
            names[f"ed25519:{keys.master_key.public_key}"] = sign_olm(dict(data), keys.master_key)
        return {**data, "signatures": {str(client.mxid): names}}

    async def _fetch_version(self) -> Json:
        try:
            answer: Json = await self._api.request(
                Method.GET, Path.v3.room_keys.version, metrics_method="key_backup"
            )
        except MatrixError as error:
            if getattr(error, "http_status", 0) == 404:
                return {}
            raise
        return answer

    async def _find_new(self) -> list[tuple[str, str]]:
        rows = await self._database.fetch(
            "SELECT keys.room_id, keys.session_id FROM crypto_megolm_inbound_session AS keys "
            "LEFT JOIN bridge_key_backup AS kept ON kept.session_id = keys.session_id AND kept.version = $1 "
            "WHERE keys.session IS NOT NULL AND keys.account_id = $3 AND kept.session_id IS NULL LIMIT $2",
            self._version,
            BATCH,
            self._machine.crypto_store.account_id,
        )
        return [(str(row["room_id"]), str(row["session_id"])) for row in rows]

    async def _send(self, names: list[tuple[str, str]]) -> None:
        store = self._machine.crypto_store
        rooms: dict[str, dict[str, Json]] = defaultdict(dict)
        for number, (room_id, session_id) in enumerate(names):
            try:
                session = await store.get_group_session(RoomID(room_id), SessionID(session_id))
            except GroupSessionWithheldError:
                continue
            if session is not None:
                rooms[room_id][session_id] = self._encode(room_id, session)
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)
        content = {"rooms": {room_id: {"sessions": sessions} for room_id, sessions in rooms.items()}}
        path, query = Path.v3.room_keys["keys"], {"version": self._version}
        await self._hasty.request(Method.PUT, path, content, query_params=query, metrics_method="key_backup")

    def _encode(self, room_id: str, session: InboundGroupSession) -> Json:
        assert self._key is not None
        data = {
            "algorithm": ALGORITHM,
            "room_id": room_id,
            "sender_key": session.sender_key,
            "sender_claimed_keys": {"ed25519": session.signing_key},
            "forwarding_curve25519_key_chain": list(session.forwarding_chain),
            "session_key": session.export_session(session.first_known_index),
        }
        return {
            "first_message_index": session.first_known_index,
            "forwarded_count": len(session.forwarding_chain),
            "is_verified": False,
            "session_data": self._key.seal(data),
        }

    async def _restore(self) -> None:
        path, query = Path.v3.room_keys["keys"], {"version": self._version}
        answer = await self._api.request(Method.GET, path, query_params=query, metrics_method="key_backup")
        restored, strange = 0, 0
        for room_id, room in answer.get("rooms", {}).items():
            for session_id, entry in room.get("sessions", {}).items():
                try:
                    restored += await self._take(MxRoomId(room_id), session_id, entry)
                except NotOurs:
                    strange += 1
                if (restored + strange) % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
        log.info("%d keys of encrypted rooms came back from their copy at the homeserver", restored)
        if strange:
            log.warning("%d keys in that copy are not of this bridge; they were left aside", strange)

    async def _take(self, room_id: MxRoomId, session_id: str, entry: Json) -> bool:
        """Whether a key is here now that was not; NotOurs when somebody else put it there."""
        assert self._key is not None
        store, room = self._machine.crypto_store, RoomID(room_id)
        if await store.has_group_session(room, SessionID(session_id)):
            return False
        try:
            data = self._key.open(entry["session_data"])
            if data["room_id"] != room_id:
                raise NotOurs
            session = InboundGroupSession.import_session(
                data["session_key"],
                signing_key=SigningKey(data["sender_claimed_keys"]["ed25519"]),
                sender_key=IdentityKey(data["sender_key"]),
                room_id=room,
                forwarding_chain=data["forwarding_curve25519_key_chain"],
            )
        except (KeyError, TypeError) as error:
            raise NotOurs from error
        if session.id != session_id:
            raise NotOurs
        await store.put_group_session(room, session.sender_key, SessionID(session_id), session)
        return True
