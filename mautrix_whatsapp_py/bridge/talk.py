"""What the handlers of conversation work with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from mautrix_whatsapp_py.bridge.cards import NoCards
from mautrix_whatsapp_py.bridge.delivery import Delivery
from mautrix_whatsapp_py.bridge.doubles import Doubles, NoDoubles
from mautrix_whatsapp_py.bridge.files import FileBearer, NoFiles
from mautrix_whatsapp_py.bridge.files_ahead import FilesAhead
from mautrix_whatsapp_py.bridge.filters import Filters
from mautrix_whatsapp_py.bridge.following import Following
from mautrix_whatsapp_py.bridge.ghosts import Ghosts
from mautrix_whatsapp_py.bridge.history_gate import HistoryGate
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.bridge.meter import Meter, NoMeter
from mautrix_whatsapp_py.bridge.open_sends import OpenSends
from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.bridge.portals import Portals
from mautrix_whatsapp_py.bridge.privacy import Privacy
from mautrix_whatsapp_py.bridge.records import Records
from mautrix_whatsapp_py.bridge.relays import Relays
from mautrix_whatsapp_py.bridge.rooms import Rooms
from mautrix_whatsapp_py.bridge.small_files import SmallFiles
from mautrix_whatsapp_py.bridge.tap import Tap
from mautrix_whatsapp_py.bridge.uploads import Uploads
from mautrix_whatsapp_py.convert.context import DeletedPolicy
from mautrix_whatsapp_py.ids import LoginId, MxUserId
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.people import MxPerson, Person
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.ports import Clock, MatrixChats, WhatsAppNetwork
from mautrix_whatsapp_py.ports_chats import LinkCards, OpenDirectory
from mautrix_whatsapp_py.store.backfills import BackfillRows
from mautrix_whatsapp_py.store.disappearing import DisappearingRows
from mautrix_whatsapp_py.store.inbox import InboxRows
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.messages import MessageRows, ReactionRows
from mautrix_whatsapp_py.store.missing_files import MissingFileRows
from mautrix_whatsapp_py.store.outbox import OutboxRows
from mautrix_whatsapp_py.store.polls import PollRows
from mautrix_whatsapp_py.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkSettings:
    """The part of the configuration that conversation looks at."""

    with_notices: bool = False
    deleted: DeletedPolicy = DeletedPolicy.REDACT
    is_disappearing_honoured: bool = True
    with_private_receipts: bool = False
    outbox_expiry: timedelta = timedelta(hours=24)
    with_call_notices: bool = True
    rejects_calls: bool = False
    rejection_text: str = ""
    with_status_broadcast: bool = False
    is_status_quiet: bool = True
    with_poll_events: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The tables of conversation."""

    messages: MessageRows = field(default_factory=MessageRows)
    reactions: ReactionRows = field(default_factory=ReactionRows)
    outbox: OutboxRows = field(default_factory=OutboxRows)
    inbox: InboxRows = field(default_factory=InboxRows)
    disappearing: DisappearingRows = field(default_factory=DisappearingRows)
    polls: PollRows = field(default_factory=PollRows)
    facts: KvRows = field(default_factory=KvRows)
    backfills: BackfillRows = field(default_factory=BackfillRows)
    missing: MissingFileRows = field(default_factory=MissingFileRows)


IsEncrypted: TypeAlias = Callable[[Portal], Awaitable[bool]]


async def _is_plain(_portal: Portal) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """The surroundings of a conversation."""

    store: Store
    rows: Rows
    chats: MatrixChats
    persons: Persons
    portals: Portals
    ghosts: Ghosts
    rooms: Rooms
    logins: Logins
    network: WhatsAppNetwork
    delivery: Delivery
    filters: Filters
    privacy: Privacy
    open_directory: OpenDirectory
    following: Following
    clock: Clock
    new_secret: Callable[[], bytes]
    settings: TalkSettings
    files: FileBearer = field(default_factory=NoFiles)
    cards: LinkCards = field(default_factory=NoCards)
    small_files: SmallFiles = field(default_factory=SmallFiles)
    doubles: Doubles = field(default_factory=NoDoubles)
    records: Records = field(default_factory=Records)
    ahead: FilesAhead = field(default_factory=FilesAhead)
    uploads: Uploads = field(init=False)
    files_called: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when somebody asks for a file that is missing."""
    is_encrypted: IsEncrypted = _is_plain
    """Whether what is sent to a chat's room has to be encrypted, files included."""
    open_sends: OpenSends = field(default_factory=OpenSends)
    meter: Meter = field(default_factory=NoMeter)
    gate: HistoryGate = field(default_factory=HistoryGate)
    tap: Tap = field(default_factory=Tap)
    relays: Relays | None = None
    """None where nobody speaks for others."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "uploads", Uploads(self.files))

    async def recorded(self, portal_id: PortalId) -> None:
        """Wait until the rows of a chat are all there; whoever reads them asks for it first."""
        await self.records.settled(portal_id, self.store)

    def login_of(self, person: Person) -> Login | None:
        """The login of somebody who has one."""
        if person.pn is not None and (login := self.logins.get(LoginId(person.pn))) is not None:
            return login
        return None

    def user_of(self, person: Person) -> MxUserId:
        """Who stands for somebody on Matrix: their own user, else their ghost."""
        login = self.login_of(person)
        return person.ghost if login is None else login.user

    def on_matrix(self, person: Person) -> MxPerson:
        """Somebody as conversions know them."""
        return MxPerson(user_id=self.user_of(person), name=person.name or (f"+{person.pn}" if person.pn else ""))
