"""Composition of the homeserver's side."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import ClientSession

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.app.doubles import make_matrix_doubles
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.tree import SQLITE
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.api import HttpMatrixApi
from mautrix_whatsapp_py.matrix.chats import HttpMatrixChats
from mautrix_whatsapp_py.matrix.crypto import Crypto, CryptoOptions
from mautrix_whatsapp_py.matrix.double_puppet import HttpDoublePuppets
from mautrix_whatsapp_py.matrix.encode_room import Identity
from mautrix_whatsapp_py.matrix.files import HttpMatrixFiles
from mautrix_whatsapp_py.matrix.groups import HttpMatrixGroups
from mautrix_whatsapp_py.matrix.http import Patience, RetryingHttp
from mautrix_whatsapp_py.matrix.registration import user_patterns
from mautrix_whatsapp_py.matrix.rooms import HttpMatrixRooms
from mautrix_whatsapp_py.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixSide:
    """The homeserver as each part of the program sees it."""

    api: HttpMatrixApi
    chats: HttpMatrixChats
    rooms: HttpMatrixRooms
    groups: HttpMatrixGroups
    files: HttpMatrixFiles
    doubles: HttpDoublePuppets
    crypto: Crypto | None


@asynccontextmanager
async def opened_matrix(config: Config, clock: Clock) -> AsyncIterator[MatrixSide]:
    """The homeserver, until the end of the block."""
    async with ClientSession(headers={"User-Agent": f"mautrix-whatsapp-py/{__version__}"}) as session:
        patience = Patience(retry_limit=config.homeserver.retry_limit)
        http = RetryingHttp(
            config.homeserver.address, config.appservice.as_token, session=session, clock=clock, patience=patience
        )
        side = _make_side(config, http)
        try:
            yield side
        finally:
            if side.crypto is not None:
                await side.crypto.stop()


def _make_side(config: Config, http: RetryingHttp) -> MatrixSide:
    bot, doubles, crypto = config.bot_id, make_matrix_doubles(config, http), _make_crypto(config, http)
    encryption = crypto_options(config).room_state() if crypto is not None and config.encryption.default else None
    identity = Identity(
        bot=bot, domain=config.homeserver.domain, appservice_id=config.appservice.id, encryption=encryption
    )
    return MatrixSide(
        api=HttpMatrixApi(http, bot=bot, appservice_id=config.appservice.id, crypto=crypto),
        chats=HttpMatrixChats(http, identity=identity, doubles=doubles, crypto=crypto),
        rooms=HttpMatrixRooms(http, bot=bot, encryption=encryption),
        groups=HttpMatrixGroups(http, bot=bot, domain=config.homeserver.domain),
        files=HttpMatrixFiles(http, bot=bot, crypto=crypto, seals_new_rooms=encryption is not None),
        doubles=doubles,
        crypto=crypto,
    )


def _make_crypto(config: Config, http: RetryingHttp) -> Crypto | None:
    if not config.encryption.allow:
        return None
    ours = re.compile("|".join(user_patterns(config)))

    def is_ours(user: MxUserId) -> bool:
        return ours.search(user) is not None

    return Crypto(http, crypto_options(config), bot=config.bot_id, is_ours=is_ours)


def crypto_options(config: Config) -> CryptoOptions:
    """What the configuration says about encryption."""
    chosen, rotation = config.encryption, config.encryption.rotation
    uri = config.database.uri
    if uri.startswith(SQLITE):
        uri = f"{SQLITE}{config.data_folder.absolute() / 'crypto.db'}"
    return CryptoOptions(
        database=uri,
        key_file=config.data_folder.absolute() / "crypto.key",
        pickle_key="" if chosen.pickle_key == "generate" else chosen.pickle_key,
        signs_itself=chosen.self_sign,
        uses_msc4190=chosen.msc4190,
        shares_keys=chosen.allow_key_sharing,
        rotation_ms=rotation.milliseconds if rotation.enable_custom else 0,
        rotation_messages=rotation.messages if rotation.enable_custom else 0,
    )
