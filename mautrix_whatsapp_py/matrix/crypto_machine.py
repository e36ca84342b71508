"""The bot's device: its keys, those others send it, what they open. Loading it loads the ciphers."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from mautrix.api import HTTPAPI, Method, Path
from mautrix.client import Client
from mautrix.crypto import OlmMachine, PgCryptoStore
from mautrix.errors import (
    CryptoError,
    DecryptionError,
    DuplicateMessageIndex,
    EncryptionError,
    GroupSessionWithheldError,
    MatrixError,
    SessionNotFound,
)
from mautrix.types import (
    DeviceID,
    DeviceIdentity,
    EncryptedEvent,
    EventType,
    IdentityKey,
    LoginType,
    RequestedKeyInfo,
    RoomID,
    SerializerError,
    SessionID,
    SyncToken,
    TrustState,
    UserID,
)
from mautrix.util.async_db import Database, UpgradeTable

from mautrix_whatsapp_py.errors import ExitCode, MatrixRefused, MatrixUnreachable, StartupError
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.crypto_errors import is_of_database
from mautrix_whatsapp_py.matrix.crypto_options import CryptoOptions, EncryptedRooms
from mautrix_whatsapp_py.matrix.crypto_rules import forget_keys, require_trust, set_rules
from mautrix_whatsapp_py.matrix.crypto_store import KeyStore, MachineRooms, ensure_pickle_key, seal
from mautrix_whatsapp_py.matrix.http import Json, Patience, RetryingHttp
from mautrix_whatsapp_py.matrix.key_tables import DEVICE_TABLES, ensure_facts
from mautrix_whatsapp_py.model.sealed import CannotOpen, KeyName, OpenFailure
from mautrix_whatsapp_py.tasks import Backoff

log = logging.getLogger(__name__)

SYNC_SECONDS = 30
DEVICE_NAME = "WhatsApp bridge"
BUMP_SECONDS = 300.0
_SYNC_PATIENCE = Patience(retry_limit=0, attempt_seconds=SYNC_SECONDS + 30.0, total_seconds=SYNC_SECONDS + 30.0)
_TAKEN = ("to_device", "device_lists", "device_one_time_keys_count")
_MARK = "net.mautrix_whatsapp_py.crypto"
_FILTER = {
    "account_data": {"types": ["m.none"]},
    "presence": {"types": ["m.none"]},
    "room": {
        "include_leave": False,
        **{part: {"types": ["m.none"]} for part in ("state", "timeline", "account_data", "ephemeral")},
    },
}


class Machine:
    """The library's machine with its store, and the bot's device behind both."""

    def __init__(
        self,
        http: RetryingHttp,
        options: CryptoOptions,
        *,
        rooms: EncryptedRooms,
        user: MxUserId,
        on_key: Callable[[str], None],
    ) -> None:
        # Below that it speaks of whose devices are not signed, again and again.
        logging.getLogger("mau").setLevel(logging.ERROR)
        self._options = options
        self._pickle_key = ensure_pickle_key(options)
        table: UpgradeTable = PgCryptoStore.upgrade_table
        self._database = Database.create(
            options.database, upgrade_table=table, log=logging.getLogger("mau.crypto.db")
        )
        self._store = KeyStore("", self._pickle_key, self._database)
        self._store.on_key = on_key
        self._api: HTTPAPI = http.with_patience(_SYNC_PATIENCE)
        self._client = Client(mxid=UserID(user), api=self._api, sync_store=self._store)
        self._machine = OlmMachine(self._client, self._store, MachineRooms(rooms))
        self._machine.allow_key_share = self._allows_key_share
        set_rules(self._machine, options)

    async def start(self) -> None:
        """Bring up the device; StartupError when that cannot be."""
        try:
            await self._start()
        except MatrixError as error:
            raise StartupError(
                f"The homeserver gives the bridge no device for encrypted rooms ({type(error).__name__})",
                mend="write registration.yaml anew with -g and restart the homeserver; if it does not know "
                "MSC4190, set encryption.msc4190 to false",
                code=ExitCode.SERVER_UNSUPPORTED,
            ) from error

    async def _start(self) -> None:
        """A store that is not the newest one of ours is given up for a new one."""
        await self._database.start()
        await ensure_facts(self._database)
        await self._open_store()
        device_id = await self._store.get_device_id() or ""
        self._api.as_user_id = self._client.mxid
        problem = await self._find_problem(device_id)
        if problem:
            log.warning(
                "%s; the bridge gets a new device, and what was sent to the old one cannot be read", problem
            )
            await self._start_over()
            device_id = ""
        await self._log_in(device_id)
        await self._machine.load()
        if not device_id:
            await self._store.put_device_id(self._client.device_id)
        if self._machine.account is not None and not self._machine.account.shared:
            await self._machine.share_keys()
        # What a key was shared with is known of this run only: rooms get a new one with their next message.
        await self._database.execute("DELETE FROM crypto_megolm_outbound_session")
        await forget_keys(self._store, self._options, is_start=True)
        await self._bump()
        if self._options.signs_itself:
            await self._sign()
        log.info("encrypted rooms are bridged by the device %s", self._client.device_id)

    async def stop(self) -> None:
        """Close the store."""
        await self._store.close()
        await self._database.stop()

    async def sync(self) -> None:
        """Take what is sent to the device, for ever; what is not handled yet comes again."""
        backoff, bumped = Backoff(first_seconds=1.0, cap_seconds=60.0), asyncio.get_running_loop().time()
        since: SyncToken | None = await self._store.get_next_batch() or None
        while True:
            try:
                data = await self._fetch(since)
                await self._take(data)
                taken = SyncToken(str(data["next_batch"]))
                await self._store.put_next_batch(taken)
                since = taken
                backoff.reset()
                if asyncio.get_running_loop().time() - bumped > BUMP_SECONDS:
                    bumped = asyncio.get_running_loop().time()
                    await self._bump()
                    await forget_keys(self._store, self._options)
            except Exception as error:
                if not isinstance(error, MatrixError) and not is_of_database(error):
                    raise
                log.info("keys have to wait: %s", type(error).__name__)
                await asyncio.sleep(backoff.next_seconds())

    async def encrypt(self, room_id: MxRoomId, kind: str, content: Json) -> Json | None:
        """Ciphertext; None when the room has no key that may still be used."""
        try:
            sealed = await self._machine.encrypt_megolm_event(RoomID(room_id), EventType.find(kind), content)
        except EncryptionError:
            return None
        answer: Json = sealed.serialize()
        return answer

    async def share(self, room_id: MxRoomId, users: list[MxUserId]) -> None:
        """Make a key for a room and give it to the devices of these users."""
        try:
            await self._machine.share_group_session(RoomID(room_id), [UserID(user) for user in users])
        except CryptoError as error:
            raise MatrixRefused("The room is encrypted in a way the bridge does not know.") from error
        except MatrixError as error:
            raise MatrixUnreachable from error

    async def discard(self, room_id: MxRoomId) -> None:
        """Use the room's key no more."""
        await self._store.remove_outbound_group_session(RoomID(room_id))

    async def has_key(self, room_id: MxRoomId, session: str) -> bool:
        """Whether a key is there."""
        return bool(await self._store.has_group_session(RoomID(room_id), SessionID(session)))

    async def wait_for_key(self, room_id: MxRoomId, session: str, seconds: float) -> bool:
        """Whether a key comes within this time."""
        return bool(await self._machine.wait_for_session(RoomID(room_id), SessionID(session), timeout=seconds))

    async def decrypt(self, event: Any) -> Mapping[str, object]:
        """What an event says, as its sender wrote it. Raises CannotOpen."""
        try:
            sealed = EncryptedEvent.deserialize(event)
            opened = await self._machine.decrypt_megolm_event(sealed)
            # The library's own idea of the content lacks what it does not know.
            session: Any = await self._store.get_group_session(sealed.room_id, sealed.content.session_id)
            said = json.loads(session.decrypt(sealed.content.ciphertext)[0])
        except DuplicateMessageIndex as error:
            raise CannotOpen(OpenFailure.REPEATED) from error
        except (DecryptionError, SessionNotFound, GroupSessionWithheldError, SerializerError, ValueError) as error:
            log.info("an event could not be decrypted: %s", type(error).__name__)
            raise CannotOpen(OpenFailure.CORRUPT) from error
        require_trust(opened["mautrix"]["trust_state"], self._options)
        outer = event.get("content", {}).get("m.relates_to")
        if outer is not None and isinstance(said.get("content"), dict):
            said["content"].setdefault("m.relates_to", outer)
        found: Mapping[str, object] = said
        return found

    async def request_key(self, user: MxUserId, name: KeyName) -> None:
        """Ask a device for a key."""
        try:
            await self._machine.request_room_key(
                RoomID(name.room_id),
                IdentityKey(name.sender_key),
                SessionID(name.session),
                {UserID(user): [DeviceID(name.device or "*")]},
                timeout=0,
            )
        except MatrixError as error:
            log.info("a key could not be asked for: %s", type(error).__name__)

    async def _open_store(self) -> None:
        await self._store.open()
        try:
            await self._store.get_account()
        except Exception as error:
            # The library's own error says no more than that something is wrong with the key.
            raise StartupError(
                "The keys of encrypted rooms cannot be opened",
                mend=f"restore {self._options.key_file}, or encryption.pickle_key as it was; without it, remove "
                "the crypto database, and the bridge starts over with a new device",
                code=ExitCode.DATABASE_UNSUPPORTED,
            ) from error

    async def _fetch(self, since: SyncToken | None) -> Json:
        query = {"filter": json.dumps(_FILTER), "timeout": str(SYNC_SECONDS * 1000 if since else 0)}
        if since:
            query["since"] = since
        data: Json = await self._api.request(Method.GET, Path.v3.sync, query_params=query, metrics_method="sync")
        return data

    async def _take(self, data: Any) -> None:
        """What is in a sync; the homeserver forgets it when the next one is asked for."""
        # Rooms are none of its business here: who comes and goes is told by the transactions.
        taken: Any = {key: data[key] for key in _TAKEN if key in data}
        tasks = self._client.handle_sync(taken)
        await asyncio.shield(asyncio.gather(*tasks, return_exceptions=True))

    async def _log_in(self, device_id: str) -> None:
        if self._options.uses_msc4190:
            await self._client.create_device_msc4190(device_id=device_id, initial_display_name=DEVICE_NAME)
            return
        self._api.as_user_id = None
        await self._client.login(
            login_type=LoginType.APPSERVICE,
            device_name=DEVICE_NAME,
            device_id=device_id or None,
            store_access_token=True,
            update_hs_url=False,
        )

    async def _find_problem(self, device_id: str) -> str:
        """Why the store cannot be used; empty when it can.

        Both the store and the homeserver have a mark that changes all the time: a store whose mark is another one
        is older than the newest, and would encrypt with keys that were used before.
        """
        marked = str((await self._fetch_mark()).get("mark", ""))
        known = await self._get_fact("mark"), await self._get_fact("next_mark")
        if not device_id:
            return "the keys of encrypted rooms are lost" if marked else ""
        if marked not in known:
            return "the keys of encrypted rooms are from an old backup"
        answer = await self._client.query_keys([self._client.mxid])
        if DeviceID(device_id) not in answer.device_keys.get(self._client.mxid, {}):
            account = await self._store.get_account()
            return "the device of the bridge is gone from the homeserver" if account and account.shared else ""
        return ""

    async def _start_over(self) -> None:
        await self._remove_device(str((await self._fetch_mark()).get("device", "")))
        for table in DEVICE_TABLES:
            await self._database.execute(f"DELETE FROM {table}")  # noqa: S608  names of ours
        self._store = self._machine.crypto_store = self._client.sync_store = self._fresh_store()

    def _fresh_store(self) -> KeyStore:
        store = KeyStore("", self._pickle_key, self._database)
        store.on_key = self._store.on_key
        return store

    async def _bump(self) -> None:
        mark = secrets.token_hex(8)
        await self._put_fact("next_mark", mark)
        path = Path.v3.user[self._client.mxid].account_data[_MARK]
        content = {"mark": mark, "device": self._client.device_id}
        await self._api.request(Method.PUT, path, content, metrics_method="mark")
        await self._put_fact("mark", mark)

    async def _remove_device(self, device_id: str) -> None:
        """Have nobody encrypt for a device whose keys are gone."""
        if not device_id:
            return
        try:
            await self._api.request(Method.DELETE, Path.v3.devices[device_id], {}, metrics_method="device")
        except MatrixError as error:
            log.info("the old device stays at the homeserver: %s", type(error).__name__)

    async def _fetch_mark(self) -> Json:
        path = Path.v3.user[self._client.mxid].account_data[_MARK]
        try:
            answer = await self._api.request(Method.GET, path, metrics_method="mark")
        except MatrixError as error:
            if getattr(error, "http_status", 0) == 404:
                return {}
            raise
        mark: Json = answer
        return mark

    async def _sign(self) -> None:
        """Have the bot vouch for its device, and keep what that takes."""
        trust = await self._machine.resolve_trust(self._machine.own_identity)
        if trust >= TrustState.CROSS_SIGNED_UNTRUSTED:
            return
        recovery_key = await self._machine.generate_recovery_key()
        await self._put_fact("recovery_key", seal(recovery_key, self._pickle_key))
        log.info("the bridge has signed its device")

    async def _allows_key_share(self, device: DeviceIdentity, request: RequestedKeyInfo) -> bool:
        """Whether a device of somebody who reads along may have a key again."""
        if not self._options.shares_keys or device.trust == TrustState.BLACKLISTED:
            return False
        return UserID(device.user_id) in await self._members(request.room_id) and bool(
            await self._machine.resolve_trust(device) >= self._machine.share_keys_min_trust
        )

    async def _members(self, room_id: RoomID) -> frozenset[str]:
        answer = await self._api.request(
            Method.GET, Path.v3.rooms[room_id].joined_members, metrics_method="members"
        )
        return frozenset(answer.get("joined", {}))

    async def _get_fact(self, key: str) -> str | None:
        value = await self._database.fetchval("SELECT value FROM bridge_crypto WHERE key=$1", key)
        return None if value is None else str(value)

    async def _put_fact(self, key: str, value: str) -> None:
        await self._database.execute(
            "INSERT INTO bridge_crypto (key, value) VALUES ($1, $2) "
            "ON CONFLICT (key) DO UPDATE SET value=excluded.value",
            key,
            value,
        )
