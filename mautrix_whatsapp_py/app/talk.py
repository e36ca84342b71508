"""Composition of conversation."""

from __future__ import annotations

import secrets
from datetime import timedelta

from mautrix_whatsapp_py.app.links import Links
from mautrix_whatsapp_py.bridge.delivery import Delivery, DeliverySettings
from mautrix_whatsapp_py.bridge.files import Files
from mautrix_whatsapp_py.bridge.ghosts import Ghosts
from mautrix_whatsapp_py.bridge.names import GhostNames
from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.bridge.portals import Portals
from mautrix_whatsapp_py.bridge.rooms import Rooms
from mautrix_whatsapp_py.bridge.talk import Rows, Talk, TalkSettings
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.tree import DisappearingMessages
from mautrix_whatsapp_py.convert.context import DeletedPolicy
from mautrix_whatsapp_py.ports import Clock, MatrixChats
from mautrix_whatsapp_py.store.store import Store

SECRET_BYTES = 32


def make_talk(
    config: Config, *, store: Store, chats: MatrixChats, links: Links, files: Files, clock: Clock
) -> Talk:
    """The surroundings of conversation as the configuration wants them."""
    names = GhostNames(template=config.appservice.username_template, domain=config.homeserver.domain)
    persons, portals = Persons(store, names), Portals(store)
    ghosts = Ghosts(chats=chats, persons=persons, bot=config.bot_id)
    rooms = Rooms(store=store, chats=chats, portals=portals, persons=persons, ghosts=ghosts, names=names)
    told = DeliverySettings(
        with_status_events=config.matrix.message_status_events,
        with_receipts=config.matrix.delivery_receipts,
        with_notices=config.matrix.message_error_notices,
    )
    return Talk(
        store=store,
        rows=Rows(),
        chats=chats,
        persons=persons,
        portals=portals,
        ghosts=ghosts,
        rooms=rooms,
        logins=links.logins,
        network=links.network,
        delivery=Delivery(chats=chats, bot=config.bot_id, store=store, settings=told),
        clock=clock,
        files=files,
        new_secret=lambda: secrets.token_bytes(SECRET_BYTES),
        settings=TalkSettings(
            with_notices=config.bridge.bridge_notices,
            deleted=DeletedPolicy(config.bridge.deleted_messages.value),
            is_disappearing_honoured=config.bridge.disappearing_messages is DisappearingMessages.HONOUR,
            with_private_receipts=config.bridge.private_receipts,
            outbox_expiry=timedelta(hours=config.bridge.outbox_expiry_hours),
        ),
    )
