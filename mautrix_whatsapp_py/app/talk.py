"""Composition of conversation."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from mautrix_whatsapp_py.app.crypto import sees_encryption
from mautrix_whatsapp_py.app.groups import group_settings
from mautrix_whatsapp_py.app.homeserver import Homeserver
from mautrix_whatsapp_py.app.links import Links
from mautrix_whatsapp_py.app.relays import make_relays
from mautrix_whatsapp_py.bridge.delivery import Delivery, DeliverySettings
from mautrix_whatsapp_py.bridge.doubles import Doubles
from mautrix_whatsapp_py.bridge.files import Files
from mautrix_whatsapp_py.bridge.filters import Filters
from mautrix_whatsapp_py.bridge.ghosts import Ghosts
from mautrix_whatsapp_py.bridge.group_work import GroupAdapters, Surroundings, make_following
from mautrix_whatsapp_py.bridge.meter import Meter
from mautrix_whatsapp_py.bridge.names import GhostNames
from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.bridge.portals import Portals
from mautrix_whatsapp_py.bridge.privacy import Privacy
from mautrix_whatsapp_py.bridge.rooms import Rooms
from mautrix_whatsapp_py.bridge.small_files import SmallFiles
from mautrix_whatsapp_py.bridge.talk import Rows, Talk, TalkSettings
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.name_template import NameTemplate, decode_template
from mautrix_whatsapp_py.config.tree import DisappearingMessages, FilterMode
from mautrix_whatsapp_py.convert.context import DeletedPolicy
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.filtering import EVERYTHING, FilterRule
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.ports_chats import WhatsAppDirectory
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.whatsapp.directory import open_directory

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkParts:
    """What conversation is made of."""

    homeserver: Homeserver
    store: Store
    links: Links
    files: Files
    small_files: SmallFiles
    clock: Clock
    doubles: Doubles
    meter: Meter


def make_talk(config: Config, parts: TalkParts, adapters: GroupAdapters) -> Talk:
    """The surroundings of conversation as the configuration wants them."""
    store, links, clock, doubles = parts.store, parts.links, parts.clock, parts.doubles
    homeserver, chats = parts.homeserver, parts.homeserver.chats
    names = GhostNames(template=config.appservice.username_template, domain=config.homeserver.domain)
    persons, portals = Persons(store, names), Portals(store)
    ghosts = Ghosts(
        chats=chats, persons=persons, bot=config.bot_id, doubles=doubles, template=_name_template(config)
    )
    rooms = _make_rooms(parts, portals=portals, persons=persons, ghosts=ghosts, names=names)

    def opens(login: LoginId) -> WhatsAppDirectory | None:
        return open_directory(links.network, login)

    around = Surroundings(
        store=store,
        chats=chats,
        persons=persons,
        portals=portals,
        ghosts=ghosts,
        rooms=rooms,
        logins=links.logins,
        network=links.network,
        open_directory=opens,
        clock=clock,
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
        delivery=_make_delivery(config, parts),
        filters=Filters(store=store, clock=clock, open_directory=opens, configured=configured_rules(config)),
        privacy=Privacy(store),
        open_directory=opens,
        following=make_following(around, adapters, group_settings(config)),
        clock=clock,
        files=parts.files,
        cards=homeserver.cards,
        small_files=parts.small_files,
        doubles=doubles,
        meter=parts.meter,
        is_encrypted=sees_encryption(config, homeserver.crypto),
        relays=make_relays(config, store=store, logins=links.logins, people=homeserver.people, clock=clock),
        new_secret=lambda: secrets.token_bytes(SECRET_BYTES),
        settings=_talk_settings(config),
    )


def configured_rules(config: Config) -> tuple[FilterRule, ...]:
    """The configuration's list of chats, as rules."""
    chosen = config.bridge.portal_create_filter
    is_allowing = chosen.mode is FilterMode.ALLOW
    named = tuple(FilterRule(subject=subject, is_allowed=is_allowing) for subject in chosen.list)
    return (*named, FilterRule(subject=EVERYTHING, is_allowed=False)) if is_allowing else named


def _make_rooms(
    parts: TalkParts, *, portals: Portals, persons: Persons, ghosts: Ghosts, names: GhostNames
) -> Rooms:
    return Rooms(
        store=parts.store,
        chats=parts.homeserver.chats,
        portals=portals,
        persons=persons,
        ghosts=ghosts,
        names=names,
        removals=parts.homeserver.rooms,
        doubles=parts.doubles,
    )


def _name_template(config: Config) -> NameTemplate:
    return decode_template(config.network.displayname_template)


def _make_delivery(config: Config, parts: TalkParts) -> Delivery:
    settings = DeliverySettings(
        with_status_events=config.matrix.message_status_events,
        with_receipts=config.matrix.delivery_receipts,
        with_notices=config.matrix.message_error_notices,
    )
    return Delivery(
        chats=parts.homeserver.chats,
        bot=config.bot_id,
        store=parts.store,
        clock=parts.clock,
        checkpoints=parts.homeserver.checkpoints,
        settings=settings,
    )


def _talk_settings(config: Config) -> TalkSettings:
    return TalkSettings(
        with_notices=config.bridge.bridge_notices,
        deleted=DeletedPolicy(config.bridge.deleted_messages.value),
        is_disappearing_honoured=config.bridge.disappearing_messages is DisappearingMessages.HONOUR,
        with_private_receipts=config.bridge.private_receipts,
        outbox_expiry=timedelta(hours=config.bridge.outbox_expiry_hours),
        with_call_notices=config.network.call_start_notices,
        rejects_calls=config.network.reject_calls,
        rejection_text=config.network.reject_calls_text,
        with_status_broadcast=config.network.enable_status_broadcast,
        is_status_quiet=config.network.mute_status_broadcast,
        with_poll_events=config.network.extev_polls,
    )
