"""Tells users in their management room what became of their links."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import assert_never

from mautrix_whatsapp_py.bridge.link_news import (
    LinkNews,
    TellLater,
    TellNothing,
    TellNow,
    TroubleOver,
    judge,
    judge_phone,
)
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.config.tree import StatusNotices
from mautrix_whatsapp_py.convert.bot_text import to_notice
from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable, StoreUnavailable, WhatsAppError
from mautrix_whatsapp_py.ids import LoginId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_link import WaState
from mautrix_whatsapp_py.ports import Clock, MatrixApi, WhatsAppNetwork
from mautrix_whatsapp_py.tasks import Backoff, spawn

log = logging.getLogger(__name__)

PHONE_CHECK_SECONDS = 3600.0


class LinkHerald:
    """One task per link that has news; a newer state replaces what the older one wanted to say."""

    def __init__(
        self,
        *,
        logins: Logins,
        network: WhatsAppNetwork,
        users: Users,
        matrix: MatrixApi,
        clock: Clock,
        level: StatusNotices,
    ) -> None:
        self._logins = logins
        self._network = network
        self._users = users
        self._matrix = matrix
        self._clock = clock
        self._level = level
        self._tasks: set[asyncio.Task[None]] = set()
        self._current: dict[LoginId, asyncio.Task[None]] = {}
        self._told_at: dict[LoginId, datetime] = {}

    def on_state(self, login: Login, _state: WaState) -> None:
        """A link's state changed."""
        running = self._current.pop(login.id, None)
        if running is not None:
            running.cancel()
        task = spawn(self._follow(login.id), name=f"news:{login.id}", tasks=self._tasks)
        self._current[login.id] = task

    async def tell(self, user: MxUserId, text: str, *, txn_id: MxTxnId) -> None:
        """Say something in a user's management room; tries until the homeserver takes it."""
        backoff = Backoff(first_seconds=1.0, cap_seconds=300.0)
        while True:
            try:
                room_id = await self._users.get_management_room(user)
                if room_id is not None:
                    await self._matrix.send_notice(
                        room_id, to_notice(text), sender=self._matrix.bot, txn_id=txn_id
                    )
            except MatrixRefused as error:
                log.warning("a notice about a link could not be given: %s", error.errcode)
            except (MatrixUnreachable, StoreUnavailable):
                await self._clock.sleep(backoff.next_seconds())
                continue
            return

    async def watch_phones(self) -> None:
        """Warn of phones that were not online for long; runs for ever."""
        while True:
            for login_id in self._network.get_logins():
                await self._look_at_phone(login_id)
            await self._clock.sleep(PHONE_CHECK_SECONDS)

    async def stop(self) -> None:
        """Say nothing more; what was not said is judged anew at the next start."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look_at_phone(self, login_id: LoginId) -> None:
        client, login = self._network.get_client(login_id), self._logins.get(login_id)
        if client is None or login is None or not client.state.is_usable:
            return
        try:
            stats = await client.fetch_stats()
        except WhatsAppError:
            return
        now = self._clock.now()
        await self._act(login, judge_phone(login, seen_at=stats.phone_seen_at, now=now, level=self._level), now)

    async def _follow(self, login_id: LoginId) -> None:
        """See a state through: what is to be said later is said later, if it is still true."""
        while (login := self._logins.get(login_id)) is not None:
            state, now = self._logins.state_of(login), self._clock.now()
            told_at = self._told_at.get(login_id)
            news = judge(login, state, level=self._level, now=now, last_told_at=told_at)
            if isinstance(news, TellLater):
                await self._clock.sleep(news.after_seconds)
                continue
            await self._act(login, news, state.since)
            return

    async def _act(self, login: Login, news: LinkNews, moment: datetime) -> None:
        match news:
            case TellNow():
                txn_id = MxTxnId(f"news-{login.id}-{news.error}-{int(moment.timestamp() * 1000)}")
                await self.tell(login.user, news.text, txn_id=txn_id)
                self._told_at[login.id] = self._clock.now()
                await self._remember(login, news.error)
            case TroubleOver():
                await self._remember(login, "")
            case TellLater() | TellNothing():
                pass
            case _:
                assert_never(news)

    async def _remember(self, login: Login, error: str) -> None:
        try:
            await self._logins.set_told(login, error)
        except StoreUnavailable:
            log.warning("a notice about login %s may come again after a restart", login.id)
