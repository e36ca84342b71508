"""Groups of an account that was linked anew: what happened in them meanwhile nobody tells."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from mautrix_whatsapp_py.errors import BridgeError
from mautrix_whatsapp_py.ids import LoginId, login_tag
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_link import WaState
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Store

log = logging.getLogger(__name__)

BringUp = Callable[[Login], Awaitable[None]]


class FreshLinks:
    """Has the rooms of an account's groups brought up to date once for each link but the first."""

    def __init__(self, *, bring_up: BringUp, store: Store) -> None:
        self._bring_up = bring_up
        self._store = store
        self._facts = KvRows()
        self._seen: dict[LoginId, datetime] = {}
        self._under_way: set[LoginId] = set()

    def is_due(self, login: Login, state: WaState) -> bool:
        """Whether there may be something to do."""
        is_new = self._seen.get(login.id) != login.linked_at and login.id not in self._under_way
        return state.is_usable and is_new

    async def catch_up(self, login: Login) -> None:
        """Do it, unless it was done; what fails is done when the link comes up again."""
        key, link = f"groups-seen:{login.id}", login.linked_at.isoformat()
        self._under_way.add(login.id)
        try:
            before = await self._store.read(lambda tx: self._facts.get(tx, key))
            if before not in (None, link):
                await self._bring_up(login)
            if before != link:
                await self._store.write(lambda tx: self._facts.put(tx, key, link))
            self._seen[login.id] = login.linked_at
        except BridgeError as error:
            log.info("groups of login %s are looked at later: %s", login_tag(login.id), type(error).__name__)
        finally:
            self._under_way.discard(login.id)
