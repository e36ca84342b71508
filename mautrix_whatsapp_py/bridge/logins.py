"""The linked accounts: whose they are, where they stand, which one a command means."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from mautrix_whatsapp_py.bridge.farewell import Cause, Farewell, NoFarewell
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import LoginId, MxUserId, login_tag
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_link import WaDevice, WaState, WaStateKind
from mautrix_whatsapp_py.ports import Clock, StateReporter, WhatsAppNetwork
from mautrix_whatsapp_py.store.logins import LoginBook

log = logging.getLogger(__name__)

OnState = Callable[[Login, WaState], None]


class Logins:
    """What the database knows of linked accounts, kept in memory, together with what the network says of them."""

    def __init__(
        self, *, book: LoginBook, network: WhatsAppNetwork, clock: Clock, reporter: StateReporter
    ) -> None:
        self._book = book
        self._network = network
        self._clock = clock
        self._reporter = reporter
        self._logins: dict[LoginId, Login] = {}
        self._listeners: list[OnState] = []
        self._leaving: set[LoginId] = set()
        self._gone_since: dict[LoginId, datetime] = {}
        self._farewell: Farewell = NoFarewell()

    async def load(self) -> None:
        """Read the database; before the network starts."""
        self._logins = {login.id: login for login in await self._book.get_all()}

    def add_listener(self, listener: OnState) -> None:
        """Tell somebody of every change of state; the listener must not wait or raise."""
        self._listeners.append(listener)

    def bind_farewell(self, farewell: Farewell) -> None:
        """Say who sees to what accounts leave behind."""
        self._farewell = farewell

    def check_sessions(self) -> None:
        """Look at every link anew: its session may be gone, or never have said a word."""
        for login in list(self._logins.values()):
            self.on_wa_state(login.id, self.state_of(login))
        for stray in set(self._network.get_logins()) - self._logins.keys():
            log.warning("a session without an owner stays unused: login %s", login_tag(stray))

    def on_wa_state(self, login_id: LoginId, state: WaState) -> None:
        """The network has news of a link."""
        login = self._logins.get(login_id)
        if login is None or login_id in self._leaving:
            return
        log.info("login %s is %s %s", login_tag(login_id), state.kind, state.error)
        self._reporter.publish_state(login.user, login, state)
        for listener in self._listeners:
            listener(login, state)

    def state_of(self, login: Login) -> WaState:
        """Where a link stands; without a session it has to be linked again."""
        client = self._network.get_client(login.id)
        if client is not None:
            self._gone_since.pop(login.id, None)
            return client.state
        return WaState(
            kind=WaStateKind.BAD_CREDENTIALS,
            since=self._gone_since.setdefault(login.id, self._clock.now()),
            error="wa-not-logged-in",
            message="This account is not linked to WhatsApp any more.",
        )

    def get(self, login_id: LoginId) -> Login | None:
        """One account."""
        return self._logins.get(login_id)

    def get_all(self) -> tuple[Login, ...]:
        """Every account."""
        return tuple(self._logins.values())

    def of_user(self, user: MxUserId) -> tuple[Login, ...]:
        """The accounts of a user, the first linked first."""
        return tuple(login for login in self._logins.values() if login.user == user)

    async def add(self, user: MxUserId, device: WaDevice) -> Login | None:
        """Remember a new link; the earlier link of the same account by somebody else, which has ended."""
        before = self._logins.get(device.login)
        login = Login(
            id=device.login,
            user=user,
            jid=device.jid,
            lid=device.lid,
            push_name=device.push_name,
            business_name=device.business_name,
            platform=device.platform,
            linked_at=_to_milliseconds(self._clock.now()),
        )
        former = before if before is not None and before.user != user else None
        if former is not None:
            await self._farewell.decide(former, Cause.HANDED_OVER)
        await self._book.put(login)
        self._logins[login.id] = login
        if former is not None:
            self._publish_end(former)
            self._farewell.begin()
        client = self._network.get_client(login.id)
        if client is not None:
            # It may have come up before we knew whose it is.
            self.on_wa_state(login.id, client.state)
        return former

    async def logout(self, login: Login) -> bool:
        """Unlink an account and forget it; false when its phone could not be told."""
        with self._leave(login):
            was_told = await self._network.logout(login.id)
            await self._remove(login)
        return was_told

    async def delete_session(self, login: Login) -> None:
        """Forget an account without telling its phone."""
        with self._leave(login):
            await self._network.delete_session(login.id)
            await self._remove(login)

    async def set_told(self, login: Login, error: str) -> None:
        """Remember which trouble a user was told of; known here even when StoreUnavailable."""
        current = self._logins.get(login.id)
        if current is None or current.linked_at != login.linked_at:
            return
        self._logins[login.id] = replace(current, told_error=error)
        await self._book.set_told(login.id, error)

    async def set_preferred(self, login: Login) -> None:
        """Let commands of its user mean this account when they name none."""
        await self._book.set_preferred(login.user, login.id)

    async def get_default(self, user: MxUserId) -> Login:
        """The account that is meant when a program names none: the preferred one, else the first."""
        logins, preferred = self.of_user(user), await self._book.get_preferred(user)
        return next((login for login in logins if login.id == preferred), logins[0])

    async def require(self, user: MxUserId, named: str | None) -> Login:
        """The account a command means; CommandError with what to do when there is no telling."""
        logins = self.of_user(user)
        if named is not None:
            wanted = "".join(character for character in named if character.isdigit())
            for login in logins:
                if login.id == wanted:
                    return login
            raise CommandError("You have no login of that number. Send `list-logins` to see yours.")
        if not logins:
            raise CommandError("You have no WhatsApp account linked. Send `login` to link one.")
        if len(logins) == 1:
            return logins[0]
        preferred = await self._book.get_preferred(user)
        for login in logins:
            if login.id == preferred:
                return login
        raise CommandError(
            "You have several logins: name the one you mean by its number, as `list-logins` shows it, "
            "or choose one for good with `set-preferred-login`."
        )

    @contextmanager
    def _leave(self, login: Login) -> Iterator[None]:
        """Its user ends the link: what it says while it goes is no news."""
        self._leaving.add(login.id)
        try:
            yield
        finally:
            self._leaving.discard(login.id)

    async def _remove(self, login: Login) -> None:
        await self._farewell.decide(login, Cause.LOGOUT)
        await self._book.remove(login.id)
        self._gone_since.pop(login.id, None)
        if self._logins.pop(login.id, None) is not None:
            self._publish_end(login)
        self._farewell.begin()

    def _publish_end(self, login: Login) -> None:
        gone = WaState(kind=WaStateKind.LOGGED_OUT, since=self._clock.now())
        self._reporter.publish_state(login.user, login, gone)


def _to_milliseconds(moment: datetime) -> datetime:
    """As precise as it is stored: a login that is read again is of the same link."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
