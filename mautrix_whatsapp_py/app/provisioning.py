"""Composition of what programs and browsers can ask of the bridge."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from mautrix_whatsapp_py.app.chats import ChatWork
from mautrix_whatsapp_py.app.links import Links
from mautrix_whatsapp_py.bridge.login_links import PATH, LoginLinks
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.media.qr import QrDrawer
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.ports_homeserver import MatrixIdentities
from mautrix_whatsapp_py.provisioning.accounts import About, Accounts
from mautrix_whatsapp_py.provisioning.api import ApiDeps, ProvisioningApi
from mautrix_whatsapp_py.provisioning.doorkeeper import Doorkeeper
from mautrix_whatsapp_py.provisioning.page import LoginPage, PageDeps
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
    if links.page_links is not None:
        mounts[PATH] = _make_page(config, links.page_links, links=links, clock=talk.clock)
    return mounts


def _make_page(config: Config, page_links: LoginLinks, *, links: Links, clock: Clock) -> web.Application:
    address = config.appservice.public_address or config.appservice.address
    deps = PageDeps(
        links=page_links,
        attempts=links.attempts,
        logins=links.logins,
        artist=QrDrawer(),
        clock=clock,
        may_log_in=_may_log_in(config),
        address=address,
    )
    return LoginPage(deps).app


def _may_log_in(config: Config) -> Callable[[MxUserId], bool]:
    def may_log_in(user: MxUserId) -> bool:
        return config.bridge.permissions.get_permission(user).level >= PermissionLevel.USER

    return may_log_in


def _make_api(
    config: Config,
    *,
    talk: Talk,
    work: ChatWork,
    links: Links,
    users: Users,
    identities: MatrixIdentities,
) -> web.Application:
    about = About(
        homeserver=config.homeserver.domain, bot=config.bot_id, command_prefix=config.bridge.command_prefix
    )
    deps = ApiDeps(
        doorkeeper=Doorkeeper(
            secret=config.provisioning.usable_secret,
            allows_matrix=config.provisioning.allow_matrix_auth,
            domain=config.homeserver.domain,
            identities=identities,
            may_log_in=_may_log_in(config),
        ),
        accounts=Accounts(logins=links.logins, users=users, store=talk.store, about=about),
        processes=Processes(links.attempts, talk.clock),
        people=People(
            PeopleDeps(talk=talk, openings=work.deps.openings, open_groups=talk.following.deps.open_groups)
        ),
    )
    return ProvisioningApi(deps).app
