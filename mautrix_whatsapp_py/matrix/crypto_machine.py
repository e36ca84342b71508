"""The bot's device: its keys, those others send it, what they open. Loading it loads the ciphers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mautrix.api import HTTPAPI, Method, Path
from mautrix.client import Client
from mautrix.crypto import OlmMachine, PgCryptoStore
from mautrix.errors import (
    CryptoError,
    DecryptionError,
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
from mautrix_whatsapp_py.matrix.crypto_backup import KeyBackup
from mautrix_whatsapp_py.matrix.crypto_errors import is_of_database
from mautrix_whatsapp_py.matrix.crypto_identity import BotIdentity
from mautrix_whatsapp_py.matrix.crypto_marks import AccountData, Facts, Marks
from mautrix_whatsapp_py.matrix.crypto_news import KeyDesk, decode_synced
from mautrix_whatsapp_py.matrix.crypto_options import CryptoOptions, EncryptedRooms
from mautrix_whatsapp_py.matrix.crypto_rules import forget_keys, require_trust, set_rules
from mautrix_whatsapp_py.matrix.crypto_store import (
    STRONG_LENGTH,
    KeyStore,
    MachineRooms,
    database_arguments,
    ensure_pickle_key,
    is_strong,
)
from mautrix_whatsapp_py.matrix.http import Json, Patience, RetryingHttp, raise_passing
from mautrix_whatsapp_py.matrix.key_tables import DEVICE_TABLES
from mautrix_whatsapp_py.matrix.transaction import MxKeyNews
from mautrix_whatsapp_py.model.sealed import CannotOpen, KeyName, OpenFailure
from mautrix_whatsapp_py.tasks import Backoff

log = logging.getLogger(__name__)

SYNC_SECONDS = 30
DEVICE_NAME = "WhatsApp bridge"
BUMP_SECONDS = 300.0
GATHER_SECONDS = 3.0
_SYNC_PATIENCE = Patience(retry_limit=0, attempt_seconds=SYNC_SECONDS + 30.0, total_seconds=SYNC_SECONDS + 30.0)
_HASTY = Patience(retry_limit=0, attempt_seconds=10.0, total_seconds=10.0)
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
        on_refused: Callable[[str], None],
    ) -> None:
        # Below that it speaks of whose devices are not signed, again and again.
        logging.getLogger("mau").setLevel(logging.ERROR)
        self._options = options
        self._pickle_key = ensure_pickle_key(options)
        table: UpgradeTable = PgCryptoStore.upgrade_table
        self._database = Database.create(
            options.database,
            upgrade_table=table,
            log=logging.getLogger("mau.crypto.db"),
            db_args=database_arguments(options.database),
        )
        self._store = KeyStore("", self._pickle_key, self._database)
        self._on_key = on_key
        self._store.on_key = self._note_key
        self._api: HTTPAPI = http.with_patience(_SYNC_PATIENCE)
        self._hasty: HTTPAPI = http.with_patience(_HASTY)
        self._hasty.as_user_id = UserID(user)
        self._client = Client(mxid=UserID(user), api=self._api, sync_store=self._store)
        self._machine = OlmMachine(self._client, self._store, MachineRooms(rooms))
        self._machine.allow_key_share = self._allows_key_share
        self._desk = KeyDesk(self._machine, on_refused)
        self._facts = Facts(self._database)
        data = AccountData(self._api, self._client)
        self._marks = Marks(self._api, self._client, self._facts, data)
        is_kept = options.backs_up_keys and is_strong(self._pickle_key)
        self._backup = KeyBackup(
            self._api,
            self._machine,
            self._database,
            hasty=self._hasty,
            facts=self._facts,
            data=data,
            pickle_key=self._pickle_key,
        )
        self._identity = BotIdentity(
            self._machine, facts=self._facts, data=data, pickle_key=self._pickle_key, is_kept=is_kept
        )
        self._backs_up = is_kept
        self._has_new_keys = asyncio.Event()
        self._is_stale = False
        set_rules(self._machine, options)

    async def start(self) -> None:
        """Bring up the device; StartupError when that cannot be, MatrixUnreachable when it cannot be now."""
        try:
            await self._start()
        except MatrixError as error:
            raise_passing(error)
            raise StartupError(
                f"The homeserver gives the bridge no device for encrypted rooms ({type(error).__name__})",
                mend="write registration.yaml anew with -g and restart the homeserver; if it does not know "
                "MSC4190, set encryption.msc4190 to false",
                code=ExitCode.SERVER_UNSUPPORTED,
            ) from error

    async def _start(self) -> None:
        """A store that is not the newest one of ours is given up for a new one."""
        await self._database.start()
        await self._facts.open()
        await self._open_store()
        device_id = await self._store.get_device_id() or ""
        self._api.as_user_id = self._client.mxid
        problem = await self._marks.find_problem(device_id, self._store)
        if problem:
            log.warning("%s; the bridge gets a new device, and what only the old one could read is lost", problem)
            await self._start_over()
            device_id = ""
        await self._log_in(device_id)
        # Known from now on, or the library would store with the account that there is none.
        await self._store.get_next_batch()
        await self._machine.load()
        if not device_id:
            await self._store.put_device_id(self._client.device_id)
        if self._machine.account is not None and not self._machine.account.shared:
            await self._machine.share_keys()
        # What a key was shared with is known of this run only: rooms get a new one with their next message.
        await self._database.execute("DELETE FROM crypto_megolm_outbound_session")
        await forget_keys(self._store, self._options, is_start=True)
        await self._marks.bump()
        if self._options.signs_itself:
            await self._identity.ensure_signed()
        await self._open_backup(restores=bool(problem))
        assert self._machine.account is not None
        log.info(
            "encrypted rooms are bridged by the device %s with the key %s",
            self._client.device_id,
            self._machine.account.fingerprint,
        )

    async def stop(self) -> None:
        """Close the store."""
        if self._backup.is_open:
            await self._put_away()
        await self._store.close()
        await self._database.stop()

    async def sync(self) -> None:
        """Take what is sent to the device, for ever; what is not handled yet comes again."""
        backoff = Backoff(first_seconds=1.0, cap_seconds=60.0)
        since: SyncToken | None = await self._store.get_next_batch() or None
        while True:
            try:
                data = await self._fetch(since)
                # Not given up in the middle: what is half taken could not be taken again.
                await asyncio.shield(asyncio.ensure_future(self.take(self._decode(data))))
                taken = SyncToken(str(data["next_batch"]))
                await self._store.put_next_batch(taken)
                since = taken
                backoff.reset()
            except Exception as error:
                if not isinstance(error, MatrixError) and not is_of_database(error):
                    raise
                log.info("keys have to wait: %s", type(error).__name__)
                await asyncio.sleep(backoff.next_seconds())

    async def take(self, news: MxKeyNews) -> None:
        """Take what the device is told; raises MatrixError, or what the database raises, when it is not stored."""
        if self._is_stale:
            # What memory holds may be ahead of what is stored.
            self._store.forget_memory()
            self._machine.account = await self._store.get_account()
        self._is_stale = True
        await self._desk.take(news)
        self._is_stale = False

    async def tend(self) -> None:
        """What has to be done from time to time, for ever."""
        loop = asyncio.get_running_loop()
        bumped = loop.time()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._has_new_keys.wait(), BUMP_SECONDS)
            # Keys seldom come alone.
            await asyncio.sleep(GATHER_SECONDS)
            self._has_new_keys.clear()
            await self._put_away()
            if loop.time() - bumped > BUMP_SECONDS:
                bumped = loop.time()
                await self._see_to(self._marks.bump())
                await self._see_to(forget_keys(self._store, self._options))

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

    async def decrypt(self, event: Any, *, is_own: bool) -> Mapping[str, object]:
        """What an event says, as its sender wrote it; raises CannotOpen. Our own may be of an old device."""
        try:
            sealed = EncryptedEvent.deserialize(event)
            if not is_own:
                await self._settle_claim(sealed)
            opened = await self._machine.decrypt_megolm_event(sealed)
            # The library's own idea of the content lacks what it does not know.
            session: Any = await self._store.get_group_session(sealed.room_id, sealed.content.session_id)
            text, index = session.decrypt(sealed.content.ciphertext)
            said = json.loads(text)
        except (DecryptionError, SessionNotFound, GroupSessionWithheldError, SerializerError, ValueError) as error:
            log.info("an event could not be decrypted: %s", type(error).__name__)
            raise CannotOpen(OpenFailure.CORRUPT) from error
        if not is_own:
            require_trust(opened["mautrix"]["trust_state"], self._options)
        # Only now: a copy that somebody else sends first is no reason to refuse the original.
        if not await self._store.note_index(session, sealed.event_id, index, sealed.timestamp):
            raise CannotOpen(OpenFailure.REPEATED)
        outer = event.get("content", {}).get("m.relates_to")
        if outer is not None and isinstance(said.get("content"), dict):
            said["content"].setdefault("m.relates_to", outer)
        found: Mapping[str, object] = said
        return found

    async def _settle_claim(self, sealed: EncryptedEvent) -> None:
        async def is_of_writer(key: str) -> bool:
            device = await self._machine.get_or_fetch_device_by_key(sealed.sender, IdentityKey(key))
            return device is not None

        await self._store.settle(sealed.room_id, sealed.content.session_id, is_of_writer)

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

    def _note_key(self, session: str) -> None:
        self._has_new_keys.set()
        self._on_key(session)

    async def _open_backup(self, *, restores: bool) -> None:
        if self._options.backs_up_keys and not self._backs_up:
            log.warning("keys are not backed up: encryption.pickle_key has less than %d characters", STRONG_LENGTH)
        if self._backs_up:
            await self._see_to(self._backup.open(restores=restores))

    async def _put_away(self) -> None:
        if not self._backs_up:
            return
        if not self._backup.is_open:
            await self._open_backup(restores=False)
        await self._see_to(self._backup.upload())

    async def _see_to(self, work: Awaitable[object]) -> None:
        """Do what can be done later as well."""
        try:
            await work
        except Exception as error:
            if not isinstance(error, MatrixError) and not is_of_database(error):
                raise
            log.warning("the keys of encrypted rooms could not be seen to: %s", type(error).__name__)

    async def _fetch(self, since: SyncToken | None) -> Json:
        query = {"filter": json.dumps(_FILTER), "timeout": str(SYNC_SECONDS * 1000 if since else 0)}
        if since:
            query["since"] = since
        data: Json = await self._api.request(Method.GET, Path.v3.sync, query_params=query, metrics_method="sync")
        return data

    def _decode(self, data: Json) -> MxKeyNews:
        return decode_synced(data, MxUserId(self._client.mxid), self._client.device_id)

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

    async def _start_over(self) -> None:
        await self._marks.remove_device()
        for table in DEVICE_TABLES:
            await self._database.execute(f"DELETE FROM {table}")  # noqa: S608  names of ours
        self._store = self._machine.crypto_store = self._client.sync_store = self._fresh_store()

    def _fresh_store(self) -> KeyStore:
        store = KeyStore("", self._pickle_key, self._database)
        store.on_key = self._store.on_key
        return store

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
