"""The homeserver behind its ports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import ClientSession

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.app.crypto import make_crypto, new_room_encryption
from mautrix_whatsapp_py.app.doubles import make_matrix_doubles
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.matrix.accounts import HttpMatrixAccounts
from mautrix_whatsapp_py.matrix.api import HttpMatrixApi
from mautrix_whatsapp_py.matrix.chats import HttpMatrixChats
from mautrix_whatsapp_py.matrix.checkpoints import EndpointCheckpoints, SilentCheckpoints
from mautrix_whatsapp_py.matrix.copies import HttpMatrixCopies
from mautrix_whatsapp_py.matrix.crypto import Crypto
from mautrix_whatsapp_py.matrix.double_puppet import HttpDoublePuppets
from mautrix_whatsapp_py.matrix.encode_room import Identity
from mautrix_whatsapp_py.matrix.files import HttpMatrixFiles
from mautrix_whatsapp_py.matrix.groups import HttpMatrixGroups
from mautrix_whatsapp_py.matrix.http import OnTry, Patience, RetryingHttp
from mautrix_whatsapp_py.matrix.identities import HttpIdentities
from mautrix_whatsapp_py.matrix.link_cards import HttpLinkCards
from mautrix_whatsapp_py.matrix.missed import MissedEvents
from mautrix_whatsapp_py.matrix.people import HttpMatrixPeople
from mautrix_whatsapp_py.matrix.rooms import HttpMatrixRooms
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.ports_homeserver import Checkpoints

STARTUP_PATIENCE = Patience(retry_limit=0, attempt_seconds=10.0, total_seconds=10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Homeserver:
    """What can be asked of it, by subject; `hasty` gives up soon."""

    api: HttpMatrixApi
    hasty: HttpMatrixApi
    chats: HttpMatrixChats
    rooms: HttpMatrixRooms
    groups: HttpMatrixGroups
    files: HttpMatrixFiles
    copies: HttpMatrixCopies
    missed: MissedEvents
    people: HttpMatrixPeople
    cards: HttpLinkCards
    checkpoints: Checkpoints
    identities: HttpIdentities
    acting: HttpDoublePuppets
    """Asked as users themselves."""
    accounts: HttpMatrixAccounts
    crypto: Crypto | None


@asynccontextmanager
async def opened_homeserver(
    config: Config, clock: Clock, on_try: OnTry | None = None
) -> AsyncIterator[Homeserver]:
    """The homeserver of the configuration, until the end of the block."""
    session_of_ours = ClientSession(headers={"User-Agent": f"mautrix-whatsapp-py/{__version__}"})
    async with session_of_ours as session, _opened_checkpoints(config, session, clock) as checkpoints:
        patience = Patience(retry_limit=config.homeserver.retry_limit)
        http = RetryingHttp(
            config.homeserver.address,
            config.appservice.as_token,
            session=session,
            clock=clock,
            patience=patience,
            on_try=on_try,
        )
        homeserver = _make_homeserver(config, http, checkpoints, session)
        try:
            yield homeserver
        finally:
            if homeserver.crypto is not None:
                await homeserver.crypto.stop()


def _make_homeserver(
    config: Config, http: RetryingHttp, checkpoints: Checkpoints, session: ClientSession
) -> Homeserver:
    bot, domain, appservice_id = config.bot_id, config.homeserver.domain, config.appservice.id
    doubles, crypto, encryption = (
        make_matrix_doubles(config, http),
        make_crypto(config, http),
        new_room_encryption(config),
    )
    identity = Identity(bot=bot, domain=domain, appservice_id=appservice_id, encryption=encryption)
    api = HttpMatrixApi(http, bot=bot, appservice_id=appservice_id, crypto=crypto)
    return Homeserver(
        api=api,
        hasty=api.with_patience(STARTUP_PATIENCE),
        chats=HttpMatrixChats(http, identity=identity, doubles=doubles, crypto=crypto),
        rooms=HttpMatrixRooms(http, bot=bot, encryption=encryption),
        groups=HttpMatrixGroups(http, bot=bot, domain=domain),
        files=HttpMatrixFiles(http, bot=bot),
        copies=HttpMatrixCopies(http, bot=bot, doubles=doubles, crypto=crypto),
        missed=MissedEvents(http.with_patience(STARTUP_PATIENCE), bot=bot),
        people=HttpMatrixPeople(http, bot=bot),
        cards=HttpLinkCards(http, bot=bot, is_asking=config.network.url_previews),
        checkpoints=checkpoints,
        identities=HttpIdentities(config.homeserver.address, session=session),
        acting=doubles,
        accounts=HttpMatrixAccounts(doubles),
        crypto=crypto,
    )


@asynccontextmanager
async def _opened_checkpoints(config: Config, session: ClientSession, clock: Clock) -> AsyncIterator[Checkpoints]:
    endpoint = config.homeserver.message_send_checkpoint_endpoint
    if not endpoint:
        yield SilentCheckpoints()
        return
    checkpoints = EndpointCheckpoints(
        session=session, endpoint=endpoint, token=config.appservice.as_token, clock=clock
    )
    try:
        yield checkpoints
    finally:
        await checkpoints.stop()
