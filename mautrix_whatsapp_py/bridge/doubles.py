"""Users as whom the bridge acts: what they do on the phone they do themselves in their rooms."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, Protocol, TypeVar

from mautrix_whatsapp_py.bridge.management import ManagementRooms
from mautrix_whatsapp_py.convert.bot_text import to_notice
from mautrix_whatsapp_py.errors import BridgeError, MatrixError, MatrixRefused
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.ports import Clock, MatrixApi
from mautrix_whatsapp_py.ports_doubles import MatrixDoubles
from mautrix_whatsapp_py.store.double_puppets import DoublePuppetRows
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Key = TypeVar("Key", bound=Hashable)
ABSENT_SECONDS = 300.0
"""How long somebody who could not come into a room is not asked again."""
UNACCEPTED_SECONDS = 300.0
"""How long a token that covers everybody, and was refused, is not tried again."""
_UNREAD = "marked unread:"
HINT = (
    "What you write on your phone appears here as from a WhatsApp user: to have it appear as from yourself, "
    "send me `login-matrix` with an access token of your Matrix account."
)
LOST = (
    "Your Matrix server does not accept the access token you gave me any more, so what you write on your phone "
    "appears as from a WhatsApp user again. Send `login-matrix` with a new token to change that."
)
COVERED = (
    "Your Matrix server does not accept the access token you gave me any more. What you write on your phone still "
    "appears as from yourself, because your server lets me act for its users; there is nothing for you to do."
)


class Doubles(Protocol):
    """Acts as users who let the bridge do so."""

    def can_act_as(self, user: MxUserId) -> bool:
        """Whether a user lets us."""

    async def ask(self, user: MxUserId, ask: Callable[[], Awaitable[Result]]) -> Result | None:
        """Do something about a user's own account; None when they do not let us, or that is refused."""

    async def act(self, user: MxUserId, room_id: MxRoomId, act: Callable[[], Awaitable[Result]]) -> Result | None:
        """Do something as a user in a room; None when they do not let us, or may not do it themselves."""

    async def is_author(self, user: MxUserId, room_id: MxRoomId, event_id: MxEventId) -> bool:
        """Whether an event is a user's own; only their own events can be edited as them."""

    async def welcome(self, user: MxUserId, room_id: MxRoomId, ghost: MxUserId | None = None) -> None:
        """Have a user accept an invitation, best effort; with a ghost the room is their direct chat."""

    async def fetch_newest(self, user: MxUserId, room_id: MxRoomId) -> MxEventId | None:
        """What came last to a room where a user is; None when nobody lets us look."""

    async def mark_read(self, user: MxUserId, room_id: MxRoomId, event_id: MxEventId) -> None:
        """Show a user how far they have read on the phone."""

    async def mark_unread(self, user: MxUserId, room_id: MxRoomId) -> None:
        """Show a user that they have marked a chat as unread on the phone, until they read it."""

    def has_marked_unread(self, user: MxUserId, room_id: MxRoomId) -> bool:
        """Whether that was done, and nothing was read since."""


class NoDoubles:
    """Nobody lets us."""

    def can_act_as(self, user: MxUserId) -> bool:
        """See Doubles."""
        return False

    async def ask(self, user: MxUserId, ask: Callable[[], Awaitable[Result]]) -> Result | None:
        """See Doubles."""
        return None

    async def act(self, user: MxUserId, room_id: MxRoomId, act: Callable[[], Awaitable[Result]]) -> Result | None:
        """See Doubles."""
        return None

    async def is_author(self, user: MxUserId, room_id: MxRoomId, event_id: MxEventId) -> bool:
        """See Doubles."""
        return False

    async def welcome(self, user: MxUserId, room_id: MxRoomId, ghost: MxUserId | None = None) -> None:
        """See Doubles."""

    async def fetch_newest(self, user: MxUserId, room_id: MxRoomId) -> MxEventId | None:
        """See Doubles."""
        return None

    async def mark_read(self, user: MxUserId, room_id: MxRoomId, event_id: MxEventId) -> None:
        """See Doubles."""

    async def mark_unread(self, user: MxUserId, room_id: MxRoomId) -> None:
        """See Doubles."""

    def has_marked_unread(self, user: MxUserId, room_id: MxRoomId) -> bool:
        """See Doubles."""
        return False


class DoublePuppets:
    """Implements Doubles, and what users say about theirs."""

    def __init__(
        self,
        *,
        store: Store,
        doubles: MatrixDoubles,
        matrix: MatrixApi,
        management: ManagementRooms,
        clock: Clock,
        lists_direct_chats: bool = True,
    ) -> None:
        self._store = store
        self._rows = DoublePuppetRows()
        self._facts = KvRows()
        self._doubles = doubles
        self._matrix = matrix
        self._management = management
        self._clock = clock
        self._lists_direct_chats = lists_direct_chats
        self._absent: dict[tuple[MxUserId, MxRoomId], float] = {}
        self._unaccepted: dict[MxUserId, float] = {}
        self._tokens_lost: Counter[MxUserId] = Counter()
        # One for each: a server that is slow to answer keeps nobody else waiting.
        self._questioning: defaultdict[MxUserId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._hinted: set[MxUserId] = set()
        self._unread: set[tuple[MxUserId, MxRoomId]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Read what users said; before anything is sent."""
        async with self._store.reading() as tx:
            tokens = await self._rows.get_all(tx)
            marks = await self._facts.get_prefixed(tx, _UNREAD)
        for key, owner in marks:
            self._unread.add((MxUserId(owner), MxRoomId(key.removeprefix(_UNREAD).removesuffix(f":{owner}"))))
        for user, token in tokens.items():
            if not token:
                self._doubles.stop_acting_as(user)
                continue
            try:
                self._doubles.use_token(user, token)
            except MatrixRefused as error:
                log.warning("%s cannot be acted as: %s", user, error.text)

    async def stop(self) -> None:
        """Say nothing more."""
        await end_all(self._tasks)

    async def idle(self) -> None:
        """Wait until what is to be told is told."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def act(self, user: MxUserId, room_id: MxRoomId, act: Callable[[], Awaitable[Result]]) -> Result | None:
        """See Doubles."""
        if not self._doubles.can_act_as(user):
            self._hint(user)
            return None
        if not self._is_over(self._absent, (user, room_id)):
            return None
        return await self._try(user, lambda: self._act_there(user, room_id, act), failed="nothing was done as")

    def can_act_as(self, user: MxUserId) -> bool:
        """See Doubles."""
        return self._doubles.can_act_as(user)

    async def ask(self, user: MxUserId, ask: Callable[[], Awaitable[Result]]) -> Result | None:
        """See Doubles."""
        if not self._doubles.can_act_as(user):
            return None
        return await self._try(user, ask, failed="nothing was changed about the account of")

    async def is_author(self, user: MxUserId, room_id: MxRoomId, event_id: MxEventId) -> bool:
        """See Doubles."""
        return self._doubles.can_act_as(user) and await self._doubles.fetch_author(room_id, event_id) == user

    async def welcome(self, user: MxUserId, room_id: MxRoomId, ghost: MxUserId | None = None) -> None:
        """See Doubles."""
        self._absent.pop((user, room_id), None)
        if not self._doubles.can_act_as(user):
            return

        async def accept() -> None:
            await self._doubles.join_room(room_id, user=user)
            if ghost is not None and self._lists_direct_chats:
                await self._doubles.add_direct_chat(room_id, ghost, user=user)

        try:
            await self._try(user, accept, failed="an invitation has to be accepted by")
        except MatrixError:
            log.info("%s has to accept an invitation themselves: their server is away", user)

    async def fetch_newest(self, user: MxUserId, room_id: MxRoomId) -> MxEventId | None:
        """See Doubles."""
        if not self._doubles.can_act_as(user):
            return None
        return await self.act(user, room_id, lambda: self._doubles.fetch_newest(room_id, user=user))

    async def mark_read(self, user: MxUserId, room_id: MxRoomId, event_id: MxEventId) -> None:
        """See Doubles."""
        if self._doubles.can_act_as(user):
            await self.act(user, room_id, lambda: self._doubles.mark_read(room_id, event_id, user=user))
            if (user, room_id) in self._unread:
                await self._set_unread(user, room_id, is_unread=False)

    async def mark_unread(self, user: MxUserId, room_id: MxRoomId) -> None:
        """See Doubles."""
        if self._doubles.can_act_as(user):
            await self._set_unread(user, room_id, is_unread=True)

    def has_marked_unread(self, user: MxUserId, room_id: MxRoomId) -> bool:
        """See Doubles."""
        return (user, room_id) in self._unread

    async def _set_unread(self, user: MxUserId, room_id: MxRoomId, *, is_unread: bool) -> None:
        # Noted before it is done: whoever hears of it first has to know it for ours.
        key = f"{_UNREAD}{room_id}:{user}"
        async with self._store.transaction() as tx:
            await (self._facts.put(tx, key, user) if is_unread else self._facts.drop(tx, key))
        (self._unread.add if is_unread else self._unread.discard)((user, room_id))
        await self.ask(user, lambda: self._doubles.mark_unread(room_id, is_unread=is_unread, user=user))

    async def log_in(self, user: MxUserId, token: str) -> bool:
        """Act as a user from now on; false when the token is not theirs, MatrixRefused if no server is known."""
        if await self._doubles.fetch_owner(user, token) != user:
            return False
        self._doubles.use_token(user, token)
        await self._remember(user, token)
        return True

    async def log_in_automatically(self, user: MxUserId) -> bool:
        """Act as a user again with the configuration's token; false when it has none that is accepted."""
        if not self._doubles.is_automatic(user):
            return False
        self._doubles.use_automatic(user)
        async with self._store.transaction() as tx:
            await self._rows.drop(tx, user)
        self._unaccepted.pop(user, None)
        return await self._doubles.is_accepted(user)

    async def log_out(self, user: MxUserId) -> bool:
        """Act as a user no more; whether the bridge did until now."""
        did = self._doubles.can_act_as(user)
        self._doubles.stop_acting_as(user)
        async with self._store.transaction() as tx:
            await self._rows.put(tx, user, "")
        return did

    async def is_on(self, user: MxUserId) -> bool:
        """Whether the bridge can act as a user, asked of their server."""
        return self._doubles.can_act_as(user) and await self._doubles.is_accepted(user)

    async def hide(self, room_id: MxRoomId, event_id: MxEventId, user: MxUserId) -> bool:
        """Remove the message that holds a token; whether that was possible."""
        txn_id = MxTxnId(f"token-{event_id}")
        try:
            if self._doubles.can_act_as(user):
                await self._doubles.send_redaction(room_id, event_id, user=user, txn_id=txn_id)
                return True
        except MatrixRefused:
            log.info("a message with a token is left to the bot to remove")
        try:
            await self._matrix.send_redaction(room_id, event_id, sender=self._matrix.bot, txn_id=txn_id)
        except MatrixRefused:
            return False
        return True

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Do something for a user that nobody waits for."""
        spawn(work, name=name, tasks=self._tasks)

    async def _try(self, user: MxUserId, do: Callable[[], Awaitable[Result]], *, failed: str) -> Result | None:
        """Do it, again where something stands in for a token that was lost; None when it is refused."""
        while self._is_over(self._unaccepted, user):
            tokens_lost = self._tokens_lost[user]
            try:
                return await do()
            except MatrixRefused as error:
                log.info("%s %s: %s %s", failed, user, error.status, error.errcode)
            async with self._questioning[user]:
                # Somebody else may have found it out meanwhile.
                if self._tokens_lost[user] == tokens_lost and not await self._replaced_token(user):
                    break
        return None

    async def _act_there(self, user: MxUserId, room_id: MxRoomId, act: Callable[[], Awaitable[Result]]) -> Result:
        try:
            return await act()
        except MatrixRefused as error:
            if error.status != 403:
                raise
        try:
            await self._doubles.join_room(room_id, user=user)
        except MatrixRefused:
            self._absent[user, room_id] = self._clock.monotonic() + ABSENT_SECONDS
            raise
        return await act()

    async def _replaced_token(self, user: MxUserId) -> bool:
        """Find out whether it is the token's fault that something was refused; whether there is another now."""
        if await self._doubles.is_accepted(user):
            return False
        async with self._store.reading() as tx:
            has_own = bool((await self._rows.get_all(tx)).get(user))
        if not has_own:
            log.warning(
                "the homeserver does not let the bridge act as %s: is the registration of double puppets, whose "
                "as_token is in double_puppet.secrets, in the homeserver's configuration?", user,
            )  # fmt: skip
            self._unaccepted[user] = self._clock.monotonic() + UNACCEPTED_SECONDS
            return False
        self._doubles.use_automatic(user)
        self._tokens_lost[user] += 1
        async with self._store.transaction() as tx:
            await self._rows.drop(tx, user)
            await self._facts.put(tx, _hint_key(user), "1")
        is_covered = self._doubles.can_act_as(user) and await self._doubles.is_accepted(user)
        log.info("the token of %s is not accepted any more", user)
        name = f"double-lost-{self._clock.now().timestamp():.0f}"
        self._tell_later(user, COVERED if is_covered else LOST, name)
        return is_covered

    async def _remember(self, user: MxUserId, token: str) -> None:
        async with self._store.transaction() as tx:
            await self._rows.put(tx, user, token)
        self._unaccepted.pop(user, None)
        self._absent = {key: until for key, until in self._absent.items() if key[0] != user}

    def _is_over(self, times: dict[Key, float], key: Key) -> bool:
        until = times.get(key)
        if until is not None and until > self._clock.monotonic():
            return False
        times.pop(key, None)
        return True

    def _hint(self, user: MxUserId) -> None:
        """Explain once what is missing."""
        if user not in self._hinted:
            self._hinted.add(user)
            spawn(self._hint_once(user), name="a hint", tasks=self._tasks)

    async def _hint_once(self, user: MxUserId) -> None:
        try:
            async with self._store.reading() as tx:
                refused = await self._rows.get_all(tx)
                is_known = await self._facts.get(tx, _hint_key(user)) is not None
            if is_known or user in refused:
                return
            await self._tell(user, HINT, "double-hint")
            async with self._store.transaction() as tx:
                await self._facts.put(tx, _hint_key(user), "1")
        except BridgeError as error:
            log.info("a hint has to wait: %s", type(error).__name__)
            self._hinted.discard(user)

    def _tell_later(self, user: MxUserId, text: str, name: str) -> None:
        spawn(self._tell_soon(user, text, name), name="news of a token", tasks=self._tasks)

    async def _tell_soon(self, user: MxUserId, text: str, name: str) -> None:
        try:
            await self._tell(user, text, name)
        except BridgeError as error:
            log.warning("%s could not be told that their token is lost: %s", user, type(error).__name__)

    async def _tell(self, user: MxUserId, text: str, name: str) -> None:
        room_id = await self._management.ensure(user)
        txn_id = MxTxnId(f"{name}-{user}")
        await self._matrix.send_notice(room_id, to_notice(text), sender=self._matrix.bot, txn_id=txn_id)


def _hint_key(user: MxUserId) -> str:
    return f"double-hint:{user}"
