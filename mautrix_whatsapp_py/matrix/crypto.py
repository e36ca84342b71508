"""Encryption of rooms as the rest of the adapter sees it; the ciphers themselves are loaded at the start."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from mautrix.api import Method, Path
from mautrix.errors import MatrixError as LibraryError

from mautrix_whatsapp_py.errors import ExitCode, MatrixRefused, MatrixUnreachable, StartupError, StoreUnavailable
from mautrix_whatsapp_py.ids import InboxSeq, MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.crypto_errors import is_of_database
from mautrix_whatsapp_py.matrix.crypto_options import ALGORITHM, CryptoOptions
from mautrix_whatsapp_py.matrix.decode import decode_event
from mautrix_whatsapp_py.matrix.fields import Fields, decode_fields, get_fields, get_text
from mautrix_whatsapp_py.matrix.http import Json, RetryingHttp
from mautrix_whatsapp_py.matrix.place_content import BEACONS
from mautrix_whatsapp_py.matrix.poll_content import ENDS, STARTS, VOTES
from mautrix_whatsapp_py.matrix.transaction import MxKeyNews
from mautrix_whatsapp_py.model.mx import MxEncrypted, MxEvent, MxOther, MxStored
from mautrix_whatsapp_py.model.sealed import CannotOpen, KeyMissing, KeyName, OpenFailure
from mautrix_whatsapp_py.tasks import end_all, spawn

if TYPE_CHECKING:
    from mautrix_whatsapp_py.matrix.crypto_machine import Machine

log = logging.getLogger(__name__)

Result = TypeVar("Result")
KEYS_TRIED = 5
"""A key is given up when somebody's devices change, also between being shared and being used."""
MOST_REFUSED = 1000
"""So many sessions are remembered whose keys their owners do not give."""
_PLAIN_KINDS = frozenset({"m.reaction", "com.beeper.message_send_status"})
"""What clients look for unencrypted in encrypted rooms too."""
_READABLE_KINDS = frozenset({"m.room.message", "m.sticker", "m.reaction"}) | STARTS | VOTES | ENDS | BEACONS
"""What may be said in secret; whatever the homeserver has to act on may not."""


class Crypto:
    """Encrypts what is said in encrypted rooms, decrypts what others say there."""

    def __init__(
        self, http: RetryingHttp, options: CryptoOptions, *, bot: MxUserId, is_ours: Callable[[MxUserId], bool]
    ) -> None:
        self._http = http
        self._options = options
        self._bot = bot
        self._is_ours = is_ours
        self._rooms: dict[MxRoomId, Json | None] = {}
        self._members: dict[MxRoomId, frozenset[MxUserId]] = {}
        self._sharing: dict[MxRoomId, asyncio.Lock] = {}
        self._machine: Machine | None = None
        self._refused = RecentNames(MOST_REFUSED)
        self._listeners: list[Callable[[str], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Load the ciphers and our keys; StartupError when there are none, MatrixUnreachable when to try again."""
        try:
            from mautrix_whatsapp_py.matrix.crypto_machine import Machine
        except ImportError as error:
            raise StartupError(
                f"encryption needs a package that is not installed ({error.name})",
                mend="run pip install 'mautrix-whatsapp-py[encryption]', or set encryption.allow to false",
                code=ExitCode.CONFIG_INVALID,
            ) from error
        self._machine = Machine(
            self._http,
            self._options,
            rooms=self,
            user=self._bot,
            on_key=self._on_key,
            on_refused=self._refused.add,
        )
        try:
            await self._machine.start()
        except MatrixUnreachable:
            machine, self._machine = self._machine, None
            await machine.stop()
            raise
        if not self._options.syncs:
            log.warning("with encryption.appservice keys that are sent while the bridge is down are lost for ever")

    async def stop(self) -> None:
        """Let go of the keys."""
        await end_all(self._tasks)
        if self._machine is not None:
            await self._machine.stop()

    @property
    def services(self) -> tuple[Callable[[], Coroutine[Any, Any, None]], ...]:
        """What has to run, for ever, once it is started."""
        machine = self._require()
        return (machine.sync, machine.tend) if self._options.syncs else (machine.tend,)

    async def take_keys(self, news: MxKeyNews) -> None:
        """Take what a transaction tells the device; StoreUnavailable or MatrixUnreachable when it cannot."""
        try:
            await _whole(self._require().take(news))
        except LibraryError as error:
            raise MatrixUnreachable from error

    def add_listener(self, listener: Callable[[str], None]) -> None:
        """Tell somebody the session of every key that comes; the listener must not wait or raise."""
        self._listeners.append(listener)

    async def is_encrypted(self, room_id: MxRoomId) -> bool:
        """Whether what is said in a room is to be encrypted."""
        return await self.fetch_room_state(room_id) is not None

    async def fetch_room_state(self, room_id: MxRoomId) -> Json | None:
        """How a room is encrypted; None when it is not."""
        if room_id not in self._rooms:
            path = Path.v3.rooms[room_id].state["m.room.encryption"]
            try:
                state = await self._http.call(Method.GET, path, query={"user_id": self._bot})
            except MatrixRefused as error:
                if error.status != 404:
                    raise
                state = None
            self._rooms[room_id] = state
        return self._rooms[room_id]

    def rooms_with(self, user: MxUserId) -> list[MxRoomId]:
        """Encrypted rooms somebody has keys for."""
        return [room_id for room_id, members in self._members.items() if user in members]

    async def encrypt(self, room_id: MxRoomId, kind: str, content: Json) -> Json | None:
        """Content of the `m.room.encrypted` that says it; None where it is said as it is."""
        if kind in _PLAIN_KINDS or not await self.is_encrypted(room_id):
            return None
        machine = self._require()
        async with self._sharing.setdefault(room_id, asyncio.Lock()):
            sealed = await _whole(machine.encrypt(room_id, kind, content))
            for _ in range(KEYS_TRIED):
                if sealed is not None:
                    break
                members = await self._fetch_members(room_id)
                await _whole(machine.share(room_id, sorted(members)))
                self._members[room_id] = members
                sealed = await _whole(machine.encrypt(room_id, kind, content))
        if sealed is None:
            raise MatrixRefused("The room's messages could not be encrypted.")
        return sealed

    async def note(self, events: Sequence[MxStored]) -> None:
        """See what changes who may read: a room that becomes encrypted, somebody who comes or goes."""
        for event in events:
            if event.kind == "m.room.encryption":
                self._rooms.pop(event.room_id, None)
            elif event.kind == "m.room.member":
                fields = decode_fields(event.body)
                user = fields.get("state_key")
                if isinstance(user, str) and not self._is_ours(MxUserId(user)) and _comes_or_goes(fields):
                    await self.discard(event.room_id)

    async def discard(self, room_id: MxRoomId) -> None:
        """Encrypt what is said in a room from now on with another key."""
        if self._machine is not None:
            await _whole(self._machine.discard(room_id))

    async def decrypt(self, event: MxEncrypted, *, patience_seconds: float) -> MxEvent:
        """What an event says. Raises KeyMissing, or CannotOpen when no key would help."""
        fields = decode_fields(event.body)
        clear = await self.open_fields(fields, patience_seconds=patience_seconds)
        origin, kind = event.origin, str(clear.get("type"))
        if kind not in _READABLE_KINDS:
            return MxOther(origin=origin, kind=kind)
        stored = MxStored(
            seq=InboxSeq(0),
            event_id=origin.event_id,
            room_id=origin.room_id,
            sender=origin.sender,
            kind=kind,
            body=msgspec.json.encode(clear).decode(),
        )
        return decode_event(stored, was_encrypted=True)

    async def open_fields(self, fields: Mapping[str, object], *, patience_seconds: float) -> Json:
        """An encrypted event's JSON with what it says in the place of its ciphertext; raises as `decrypt`."""
        content = get_fields(fields, "content")
        session = get_text(content, "session_id")
        if content.get("algorithm") != ALGORITHM or not session or not _is_name(session):
            raise CannotOpen(OpenFailure.UNKNOWN_KIND)
        machine, room_id = self._require(), MxRoomId(str(fields.get("room_id")))
        if not await _whole(machine.has_key(room_id, session)):
            is_refused = session in self._refused
            has_come = (
                patience_seconds > 0
                and not is_refused
                and await _whole(machine.wait_for_key(room_id, session, patience_seconds))
            )
            if not has_come:
                device = get_text(content, "device_id") or ""
                sender_key = get_text(content, "sender_key") or ""
                name = KeyName(
                    room_id=room_id, session=session, device=device, sender_key=sender_key, is_refused=is_refused
                )
                raise KeyMissing(name)
        is_own = self._is_ours(MxUserId(str(fields.get("sender"))))
        said = await _whole(machine.decrypt(dict(fields), is_own=is_own))
        return {**fields, "type": said.get("type"), "content": said.get("content")}

    def request_key(self, user: MxUserId, name: KeyName) -> None:
        """Ask the session that wrote something for its key; the answer comes as any key does."""
        spawn(self._require().request_key(user, name), name="key request", tasks=self._tasks)

    async def _fetch_members(self, room_id: MxRoomId) -> frozenset[MxUserId]:
        answer = await self._http.call(Method.GET, Path.v3.rooms[room_id].members, query={"user_id": self._bot})
        chunk = answer.get("chunk")
        events = [event for event in chunk if isinstance(event, dict)] if isinstance(chunk, list) else []
        users = {
            MxUserId(str(event.get("state_key")))
            for event in events
            if get_fields(event, "content").get("membership") in ("join", "invite")
        }
        return frozenset(user for user in users if not self._is_ours(user))

    def _on_key(self, session: str) -> None:
        self._refused.discard(session)
        for listener in self._listeners:
            listener(session)

    def _require(self) -> Machine:
        assert self._machine is not None, "encryption was not started"
        return self._machine


def _comes_or_goes(fields: Fields) -> bool:
    """Whether a membership changed who may read; a new name or picture does not."""
    before = get_fields(get_fields(fields, "unsigned"), "prev_content")
    return get_text(before, "membership") != get_text(get_fields(fields, "content"), "membership")


def _is_name(session: str) -> bool:
    """Whether a database can be asked for it; Postgres knows no text with a zero in it."""
    return session.isascii() and session.isprintable()


class RecentNames:
    """The last so many names that were added."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._names: dict[str, None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, name: str) -> None:
        """Remember one."""
        self._names[name] = None
        while len(self._names) > self._most:
            del self._names[next(iter(self._names))]

    def discard(self, name: str) -> None:
        """Forget one."""
        self._names.pop(name, None)


async def _whole(work: Awaitable[Result]) -> Result:
    """Never leave the library in the middle of something: a connection it holds would stay in its transaction."""
    try:
        return await asyncio.shield(asyncio.ensure_future(work))
    except Exception as error:
        if not is_of_database(error):
            raise
        raise StoreUnavailable("The keys of encrypted rooms cannot be read.") from error
