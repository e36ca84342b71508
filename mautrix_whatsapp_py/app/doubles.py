"""Composition of acting as users themselves."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mautrix_whatsapp_py.bridge.doubles import DoublePuppets
from mautrix_whatsapp_py.bridge.management import ManagementRooms
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.double_puppet import HttpDoublePuppets
from mautrix_whatsapp_py.matrix.http import RetryingHttp
from mautrix_whatsapp_py.matrix.registration import user_patterns
from mautrix_whatsapp_py.ports import Clock, MatrixApi
from mautrix_whatsapp_py.ports_chats import MatrixRooms
from mautrix_whatsapp_py.ports_doubles import MatrixDoubles
from mautrix_whatsapp_py.store.store import Store


def make_matrix_doubles(config: Config, http: RetryingHttp) -> HttpDoublePuppets:
    """The tokens of the configuration."""
    ours = re.compile("|".join(user_patterns(config)))

    def is_ours(user: MxUserId) -> bool:
        return ours.search(user) is not None

    return HttpDoublePuppets(
        http,
        bot=config.bot_id,
        is_ours=is_ours,
        domain=config.homeserver.domain,
        servers=config.double_puppet.servers,
        secrets=config.double_puppet.secrets,
    )


@asynccontextmanager
async def opened_doubles(
    config: Config,
    doubles: MatrixDoubles,
    *,
    store: Store,
    matrix: MatrixApi,
    rooms: MatrixRooms,
    users: Users,
    clock: Clock,
) -> AsyncIterator[DoublePuppets]:
    """Users as whom the bridge acts, with the tokens they gave."""
    opened = DoublePuppets(
        store=store,
        doubles=doubles,
        matrix=matrix,
        management=ManagementRooms(users=users, matrix=matrix, rooms=rooms),
        clock=clock,
        lists_direct_chats=config.matrix.sync_direct_chat_list,
    )
    await opened.load()
    try:
        yield opened
    finally:
        await opened.stop()
