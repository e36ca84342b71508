"""Composition of everything about WhatsApp links."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from aiohttp import ClientSession

from mautrix_whatsapp_py.app.hosting import network_options
from mautrix_whatsapp_py.app.sharing import Share
from mautrix_whatsapp_py.bridge.attempts import AttemptDeps, Attempts
from mautrix_whatsapp_py.bridge.herald import LinkHerald
from mautrix_whatsapp_py.bridge.linking import Linking, LinkingDeps
from mautrix_whatsapp_py.bridge.login_links import LoginLinks
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.bridge.management import ManagementRooms
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.showcase import Showcase
from mautrix_whatsapp_py.bridge.welcoming import Welcoming
from mautrix_whatsapp_py.commands.links import link_commands
from mautrix_whatsapp_py.commands.login import login_commands
from mautrix_whatsapp_py.commands.spec import Command
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.ids import JournalSeq, LoginId, MxUserId
from mautrix_whatsapp_py.matrix.state_reporter import EndpointReporter, SilentReporter
from mautrix_whatsapp_py.media.qr import QrDrawer
from mautrix_whatsapp_py.model.wa import WaEvent
from mautrix_whatsapp_py.model.wa_link import WaState
from mautrix_whatsapp_py.ports import Clock, MatrixApi, StateReporter
from mautrix_whatsapp_py.ports_chats import MatrixRooms
from mautrix_whatsapp_py.store.logins import LoginBook
from mautrix_whatsapp_py.store.sessions import SessionRecords
from mautrix_whatsapp_py.store.shown_codes import ShownCodes
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.whatsapp.network import Network

OnWaEvent = Callable[[LoginId, JournalSeq, WaEvent], None]


class _Sink:
    """Stands between the network and the bridge, which need each other."""

    logins: Logins
    on_event: OnWaEvent

    def on_wa_event(self, login: LoginId, seq: JournalSeq, event: WaEvent) -> None:
        """See WaEventSink."""
        self.on_event(login, seq, event)

    def on_wa_state(self, login: LoginId, state: WaState) -> None:
        """See WaEventSink."""
        self.logins.on_wa_state(login, state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The parts of the program that deal with links."""

    network: Network
    logins: Logins
    linking: Linking
    attempts: Attempts
    page_links: LoginLinks | None
    herald: LinkHerald
    sink: _Sink

    def deliver_to(self, on_event: OnWaEvent) -> None:
        """Say who takes the events; before any link is up."""
        self.sink.on_event = on_event

    def commands(self, clock: Clock) -> tuple[Command, ...]:
        """What people can say about links."""
        about = link_commands(logins=self.logins, network=self.network, clock=clock)
        return (*login_commands(linking=self.linking, logins=self.logins, links=self.page_links), *about)


@asynccontextmanager
async def opened_links(
    config: Config,
    *,
    store: Store,
    matrix: MatrixApi,
    rooms: MatrixRooms,
    users: Users,
    clock: Clock,
    share: Share | None = None,
) -> AsyncIterator[Links]:
    """Links that can be used; `start_links` brings them up."""
    async with _opened_reporter(config, clock) as reporter:
        management = ManagementRooms(users=users, matrix=matrix, rooms=rooms)
        links = _make_links(
            config,
            store=store,
            matrix=matrix,
            users=users,
            management=management,
            clock=clock,
            reporter=reporter,
            network=_make_network(config, sink := _Sink(), store, share),
            sink=sink,
        )
        async with AsyncExitStack() as stack:
            if share is not None:
                stack.enter_context(share.telling(links.network.hold))
            stack.push_async_callback(links.network.stop)
            stack.push_async_callback(links.herald.stop)
            stack.push_async_callback(links.linking.stop)
            stack.push_async_callback(links.attempts.stop)
            yield links


async def start_links(links: Links) -> None:
    """Resume what was linked and tidy up after an earlier run."""
    await links.logins.load()
    await links.network.start()
    links.logins.check_sessions()
    await links.linking.recover()


def _make_links(
    config: Config,
    *,
    store: Store,
    matrix: MatrixApi,
    users: Users,
    management: ManagementRooms,
    clock: Clock,
    reporter: StateReporter,
    network: Network,
    sink: _Sink,
) -> Links:
    address = config.appservice.public_address or config.appservice.address
    page_links = LoginLinks(address=address, clock=clock) if config.provisioning.login_page else None
    logins = sink.logins = Logins(book=LoginBook(store), network=network, clock=clock, reporter=reporter)
    herald = LinkHerald(
        logins=logins,
        network=network,
        management=management,
        matrix=matrix,
        clock=clock,
        level=config.bridge.bridge_status_notices,
    )
    logins.add_listener(herald.on_state)

    def max_logins(user: MxUserId) -> int | None:
        return config.bridge.permissions.get_permission(user).max_logins

    showcase = Showcase(matrix=matrix, artist=QrDrawer(), shown=ShownCodes(store))
    welcoming = Welcoming(network=network, logins=logins, max_logins=max_logins)
    linking = Linking(
        LinkingDeps(
            matrix=matrix,
            network=network,
            logins=logins,
            users=users,
            showcase=showcase,
            clock=clock,
            welcoming=welcoming,
        )
    )
    attempts = Attempts(
        AttemptDeps(network=network, logins=logins, users=users, matrix=matrix, clock=clock, welcoming=welcoming)
    )
    return Links(
        network=network,
        logins=logins,
        linking=linking,
        attempts=attempts,
        page_links=page_links,
        herald=herald,
        sink=sink,
    )


def _make_network(config: Config, sink: _Sink, store: Store, share: Share | None) -> Network:
    if share is None:
        return Network(network_options(config), sink)
    options = replace(network_options(config), keeping=share.keeping)
    return Network(options, sink, SessionRecords(store), share.make_berths)


@asynccontextmanager
async def _opened_reporter(config: Config, clock: Clock) -> AsyncIterator[StateReporter]:
    endpoint = config.homeserver.status_endpoint
    if not endpoint:
        yield SilentReporter()
        return
    async with ClientSession() as session:
        reporter = EndpointReporter(
            session=session, endpoint=endpoint, token=config.appservice.as_token, clock=clock
        )
        try:
            yield reporter
        finally:
            await reporter.stop()
