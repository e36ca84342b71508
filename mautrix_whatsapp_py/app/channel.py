"""Composition of the channel, beside the bridge or alone."""

from __future__ import annotations

import dataclasses
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

from aiohttp import ClientSession
from yarl import URL

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.app.running import Service
from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.channel.accounts import Accounts
from mautrix_whatsapp_py.channel.checks import find_problems
from mautrix_whatsapp_py.channel.courtesies import Courtesies
from mautrix_whatsapp_py.channel.door import ChatDoor
from mautrix_whatsapp_py.channel.feed import Feed
from mautrix_whatsapp_py.channel.fetching import Fetcher
from mautrix_whatsapp_py.channel.hooks import HookBook, make_hooks
from mautrix_whatsapp_py.channel.intake import Intake, IntakeDeps
from mautrix_whatsapp_py.channel.offers import Offers
from mautrix_whatsapp_py.channel.owners import Owners
from mautrix_whatsapp_py.channel.posting import Post, Postman, post
from mautrix_whatsapp_py.channel.sender import Sender
from mautrix_whatsapp_py.channel.service import Channel, ChannelDeps
from mautrix_whatsapp_py.channel.watch import Watch
from mautrix_whatsapp_py.channel.web.server import ChannelServer, ServerSettings
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.channel import ChannelSection
from mautrix_whatsapp_py.errors import ConfigError, ExitCode, StartupError
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.media.download import WaDownloads
from mautrix_whatsapp_py.media.way import open_way
from mautrix_whatsapp_py.ports import Clock, WaFileSource, WhatsAppNetwork
from mautrix_whatsapp_py.ports_chats import OpenDirectory
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Store, Tx
from mautrix_whatsapp_py.whatsapp.directory import open_directory
from mautrix_whatsapp_py.whatsapp.network import Network

TOKEN_FILE = "channel-token"  # noqa: S105  a file's name
BOUND = "channel-login:"
_URL_VARIABLE = "WHATSAPP_PERSONAL_BRIDGE_URL"
_FOLDER_VARIABLE = "WHATSAPP_PERSONAL_AUTH_DIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelParts:
    """The channel, ready to be started."""

    channel: Channel
    intake: Intake
    watch: Watch
    postman: Postman
    server: ChannelServer
    courtesies: Courtesies

    @property
    def services(self) -> tuple[Service, ...]:
        """What runs as long as the channel does."""
        return self.watch.run, self.postman.run

    async def start(self) -> None:
        """Go on with what the last run left, then listen; when links are being brought up."""
        await self.channel.deps.sender.resume()
        await self.server.start()

    async def stop(self) -> None:
        """Listen no longer."""
        await self.server.stop()
        await self.courtesies.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the channel stands on."""

    store: Store
    network: WhatsAppNetwork
    persons: Persons
    door: ChatDoor
    clock: Clock
    open_directory: OpenDirectory
    source: WaFileSource
    folder: Path
    """Of its own, and empty."""
    bound: Mapping[str, LoginId] = field(default_factory=dict)
    owns_links: bool = False


def make_parts(
    section: ChannelSection, ground: Ground, *, token: str, post: Post, fetcher: Fetcher | None = None
) -> ChannelParts:
    """The parts of a channel."""
    store, network, door, clock = ground.store, ground.network, ground.door, ground.clock
    accounts = Accounts(section, network.get_logins, ground.bound)
    feed = Feed(store, clock)
    sender = Sender(store=store, network=network, door=door, clock=clock)
    book, postman = _make_hooks(section, ground, post)
    offers = Offers(store=store, network=network, door=door, hooks=book, clock=clock, choose=secrets.randbelow)
    owners = Owners(store=store, clock=clock)
    courtesies = Courtesies(network=network, door=door, clock=clock, tasks=set())
    intake = Intake(
        IntakeDeps(
            store=store,
            persons=ground.persons,
            accounts=accounts,
            owners=owners,
            offers=offers,
            hooks=book,
            clock=clock,
            is_echo=sender.is_echo,
            on_item=feed.on_item,
            on_accepted=courtesies.on_accepted,
        )
    )
    prunes = (feed.prune, sender.prune, postman.prune)
    watch = Watch(accounts=accounts, owners=owners, network=network, hooks=book, clock=clock, prunes=prunes)
    channel = Channel(
        ChannelDeps(
            store=store,
            network=network,
            persons=ground.persons,
            accounts=accounts,
            feed=feed,
            sender=sender,
            offers=offers,
            hooks=book,
            watch=watch,
            door=door,
            open_directory=ground.open_directory,
            clock=clock,
            folder=ground.folder,
            owns_links=ground.owns_links,
        )
    )
    settings = ServerSettings(
        url=URL(section.bridge_url),
        token=token,
        roots=tuple(Path(root) for root in section.media_roots),
        version=__version__,
    )
    return ChannelParts(
        channel=channel,
        intake=intake,
        watch=watch,
        postman=postman,
        server=ChannelServer(channel, ground.source, settings, fetcher=fetcher),
        courtesies=courtesies,
    )


def _make_hooks(section: ChannelSection, ground: Ground, post: Post) -> tuple[HookBook, Postman]:
    base_url = str(URL(section.bridge_url).origin())
    book = HookBook(make_hooks(section.webhooks), store=ground.store, base_url=base_url)
    max_age = timedelta(hours=section.webhook_max_age_hours)
    return book, Postman(book, store=ground.store, clock=ground.clock, max_age=max_age, post=post)


@asynccontextmanager
async def opened_channel(
    config: Config,
    *,
    store: Store,
    network: Network,
    persons: Persons,
    door: ChatDoor,
    clock: Clock,
    owns_links: bool = False,
) -> AsyncIterator[ChannelParts]:
    """The channel, until the end of the block; ConfigError when its keys make no sense."""
    section = require_sound(config.channel)
    token = section.token or ensure_token(config.data_folder)
    async with open_way(config.network.proxy) as session, ClientSession() as hook_session:
        ground = Ground(
            store=store,
            network=network,
            persons=persons,
            door=door,
            clock=clock,
            open_directory=lambda login: open_directory(network, login),
            source=WaDownloads(session),
            folder=ensure_folder(config.data_folder / "channel"),
            bound=await get_bound(store),
            owns_links=owns_links,
        )
        parts = make_parts(section, ground, token=token, post=partial(post, hook_session))
        try:
            yield parts
        finally:
            await parts.stop()


def require_sound(section: ChannelSection) -> ChannelSection:
    """The keys with what the environment says over them; ConfigError names what is wrong."""
    url_name = section.bridge_url_env or _URL_VARIABLE
    section = dataclasses.replace(section, bridge_url=os.environ.get(url_name) or section.bridge_url)
    if problems := find_problems(section):
        raise ConfigError(problems)
    return section


def auth_folder(section: ChannelSection) -> Path | None:
    """Where sessions are to be kept, when that is said."""
    name = section.auth_dir_env or _FOLDER_VARIABLE
    chosen = os.environ.get(name) or section.auth_dir
    return Path(chosen).absolute() if chosen else None


async def get_bound(store: Store) -> dict[str, LoginId]:
    """Which account was linked as which login."""
    rows = KvRows()
    found = await store.read(lambda tx: rows.get_prefixed(tx, BOUND))
    return {name.removeprefix(BOUND): LoginId(login) for name, login in found}


async def put_bound(store: Store, account: str, login: LoginId) -> None:
    """Remember that an account was linked."""
    rows = KvRows()
    await store.write(lambda tx: rows.put(tx, f"{BOUND}{account}", login))


async def drop_bound(store: Store, login: LoginId) -> None:
    """A link is gone for good."""
    rows = KvRows()

    async def drop(tx: Tx) -> None:
        for key, value in await rows.get_prefixed(tx, BOUND):
            if value == login:
                await rows.drop(tx, key)

    await store.write(drop)


def ensure_folder(folder: Path) -> Path:
    """A private folder, without what an earlier run left in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.iterdir():
        left.unlink(missing_ok=True)
    return folder


def ensure_token(folder: Path) -> str:
    """The word that clients must show; made once."""
    path = folder / TOKEN_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        token = path.read_text(encoding="utf-8").strip()
        if len(token) >= 16:
            return token
        raise StartupError(
            f"{path} holds no token", mend="delete it: a new one is made", code=ExitCode.DATA_FOLDER
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        token = secrets.token_urlsafe(32)
        file.write(f"{token}\n")
    return token
