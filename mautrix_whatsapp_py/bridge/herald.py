"""Tells users in their management room what became of their links."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import datetime
from typing import assert_never

from mautrix_whatsapp_py.bridge.link_news import (
    LinkNews,
    TellLater,
    TellNothing,
    TellNow,
    TroubleOver,
    is_trouble,
    judge,
    judge_phone,
)
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.bridge.management import ManagementRooms
from mautrix_whatsapp_py.bridge.resting import rest
from mautrix_whatsapp_py.config.tree import StatusNotices
from mautrix_whatsapp_py.convert.bot_text import to_notice
from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable, StoreUnavailable, WhatsAppError
from mautrix_whatsapp_py.ids import LoginId, MxTxnId, login_tag
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_link import WaState
from mautrix_whatsapp_py.ports import Clock, MatrixApi, WhatsAppNetwork
from mautrix_whatsapp_py.tasks import Backoff, end_all, spawn

log = logging.getLogger(__name__)

PHONE_CHECK_SECONDS = 3600.0


class LinkHerald:
    """One task per link that has news; a newer state replaces what the older one wanted to say."""

    def __init__(
        self,
        *,
        logins: Logins,
        network: WhatsAppNetwork,
        management: ManagementRooms,
        matrix: MatrixApi,
        clock: Clock,
        level: StatusNotices,
    ) -> None:
        self._logins = logins
        self._network = network
        self._management = management
        self._matrix = matrix
        self._clock = clock
        self._level = level
        self._is_stopped = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._followed: dict[LoginId, asyncio.Event] = {}
        self._trouble_since: dict[LoginId, datetime] = {}
        self._told_at: dict[LoginId, datetime] = {}

    def on_state(self, login: Login, state: WaState) -> None:
        """A link's state changed."""
        if self._is_stopped:
            return
        if is_trouble(state):
            self._trouble_since.setdefault(login.id, state.since)
        else:
            self._trouble_since.pop(login.id, None)
        changed = self._followed.get(login.id)
        if changed is not None:
            changed.set()
            return
        self._followed[login.id] = changed = asyncio.Event()
        spawn(self._follow(login.id, changed), name=f"news:{login_tag(login.id)}", tasks=self._tasks)

    async def watch_phones(self) -> None:
        """Warn of phones that were not online for long; runs for ever."""
        while True:
            for login_id in self._network.get_logins():
                await self._look_at_phone(login_id)
            await self._clock.sleep(PHONE_CHECK_SECONDS)

    async def stop(self) -> None:
        """Say nothing more; what was not said is judged anew at the next start."""
        self._is_stopped = True
        await end_all(self._tasks)

    async def _look_at_phone(self, login_id: LoginId) -> None:
        client = self._network.get_client(login_id)
        if client is None or not client.state.is_usable:
            return
        try:
            seen_at = (await client.fetch_stats()).phone_seen_at
        except WhatsAppError:
            return
        login, now = self._logins.get(login_id), self._clock.now()
        if login is not None:
            news = judge_phone(login, seen_at=seen_at, now=now, level=self._level)
            await self._act(login, news, seen_at or now)

    async def _follow(self, login_id: LoginId, changed: asyncio.Event) -> None:
        """See a state through: what is to be said later is said later, if it is still true."""
        backoff = Backoff(first_seconds=1.0, cap_seconds=300.0)
        try:
            while (login := self._logins.get(login_id)) is not None:
                changed.clear()
                state = self._logins.state_of(login)
                news = self._judge(login, state)
                if isinstance(news, TellLater):
                    await rest(self._clock, news.after_seconds, changed)
                elif not await self._act(login, news, state.since):
                    await rest(self._clock, backoff.next_seconds(), changed)
                elif not changed.is_set():
                    return
        finally:
            del self._followed[login_id]

    def _judge(self, login: Login, state: WaState) -> LinkNews:
        return judge(
            login,
            state,
            level=self._level,
            now=self._clock.now(),
            trouble_since=self._trouble_since.get(login.id, state.since),
            last_told_at=self._told_at.get(login.id),
        )

    async def _act(self, login: Login, news: LinkNews, moment: datetime) -> bool:
        """Whether it is done; if not, the homeserver or the database is away."""
        match news:
            case TellNow():
                if not await self._tell(login, news, moment):
                    return False
                self._told_at[login.id] = self._clock.now()
                await self._remember(login, news.error)
            case TroubleOver():
                await self._remember(login, "")
            case TellLater() | TellNothing():
                pass
            case _:
                assert_never(news)
        return True

    async def _tell(self, login: Login, news: TellNow, moment: datetime) -> bool:
        # Numbers stay out of transaction ids, which stand in the logs of homeservers and proxies.
        name = hashlib.sha256(login.id.encode()).hexdigest()[:16]
        txn_id = MxTxnId(f"news-{name}-{news.error}-{int(moment.timestamp() * 1000)}")
        try:
            room_id = await self._management.ensure(login.user)
            notice = to_notice(news.text)
            await self._matrix.send_notice(room_id, notice, sender=self._matrix.bot, txn_id=txn_id)
        except MatrixRefused as error:
            log.warning("a notice about a link could not be given: %s", error.errcode)
        except (MatrixUnreachable, StoreUnavailable):
            return False
        return True

    async def _remember(self, login: Login, error: str) -> None:
        try:
            await self._logins.set_told(login, error)
        except StoreUnavailable:
            log.warning("a notice about login %s may come again after a restart", login_tag(login.id))
