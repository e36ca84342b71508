"""Composition of what programs and browsers can ask of the bridge."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from mautrix_whatsapp_py.app.chats import ChatWork
from mautrix_whatsapp_py.app.links import Links
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.ports import MatrixIdentities
from mautrix_whatsapp_py.provisioning.accounts import About, Accounts
from mautrix_whatsapp_py.provisioning.api import ApiDeps, ProvisioningApi
from mautrix_whatsapp_py.provisioning.doorkeeper import Doorkeeper
from mautrix_whatsapp_py.provisioning.people import People, PeopleDeps
from mautrix_whatsapp_py.provisioning.processes import Processes


def make_mounts(
    config: Config,
    *,
    talk: Talk,
    work: ChatWork,
    links: Links,
    users: Users,
    identities: MatrixIdentities,
) -> Mapping[str, web.Application]:
    """What is served beside the homeserver's own paths."""
    mounts: dict[str, web.Application] = {}
    section = config.provisioning
    if section.is_enabled:
        mounts[section.prefix] = _make_api(
            config, talk=talk, work=work, links=links, users=users, identities=identities
        )
    return mounts


def _make_api(
    config: Config,
    *,
    talk: Talk,
    work: ChatWork,
    links: Links,
    users: Users,
    identities: MatrixIdentities,
) -> web.Application:
    def may_log_in(user: MxUserId) -> bool:
        return config.bridge.permissions.get_permission(user).level >= PermissionLevel.USER

    about = About(
        homeserver=config.homeserver.domain, bot=config.bot_id, command_prefix=config.bridge.command_prefix
    )
    deps = ApiDeps(
        doorkeeper=Doorkeeper(
            secret=config.provisioning.usable_secret,
            allows_matrix=config.provisioning.allow_matrix_auth,
            domain=config.homeserver.domain,
            identities=identities,
            may_log_in=may_log_in,
        ),
        accounts=Accounts(logins=links.logins, users=users, store=talk.store, about=about),
        processes=Processes(links.attempts, talk.clock),
        people=People(
            PeopleDeps(talk=talk, openings=work.deps.openings, open_groups=talk.following.deps.open_groups)
        ),
    )
    return ProvisioningApi(deps).app
