"""Work on whole chats for flow tests: the commands about them, with fakes behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from mautrix_whatsapp_py.bridge.closings import ClosingDeps, Closings
from mautrix_whatsapp_py.bridge.door import CommandRequest
from mautrix_whatsapp_py.bridge.openings import Openings
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.room_parts import room_parts
from mautrix_whatsapp_py.bridge.sync_deps import PartDeps
from mautrix_whatsapp_py.bridge.sync_parts import refresh_chat, usual_parts
from mautrix_whatsapp_py.bridge.syncing import Syncing
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.commands.chat_deps import Answer, ChatDeps
from mautrix_whatsapp_py.commands.every import every_chat_command
from mautrix_whatsapp_py.commands.spec import Command
from mautrix_whatsapp_py.config.permissions import Permissions
from mautrix_whatsapp_py.ids import LoginId, MxUserId
from tests.fakes.directory import FakeDirectory
from tests.fakes.matrix import BOT, FakeMatrixApi
from tests.fakes.rooms import FakeMatrixRooms
from tests.fakes.whatsapp import FakeNetwork
from tests.flow.no_history import without_history


class Directories:
    """What WhatsApp tells accounts that have a session."""

    def __init__(self, network: FakeNetwork) -> None:
        self._network = network
        self._known: dict[LoginId, FakeDirectory] = {}

    def open(self, login: LoginId) -> FakeDirectory | None:
        """One account's."""
        if login not in self._network.clients:
            return None
        return self._known.setdefault(login, FakeDirectory(login))

    def require(self, login: LoginId) -> FakeDirectory:
        """The same of an account that is linked."""
        directory = self.open(login)
        assert directory is not None
        return directory


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatWork:
    """The commands and what is behind them."""

    deps: ChatDeps
    syncing: Syncing
    commands: tuple[Command, ...]


def make_chat_work(
    talk: Talk,
    *,
    matrix: FakeMatrixApi,
    rooms: FakeMatrixRooms,
    users: Users,
    permissions: Permissions,
    answer: Callable[[CommandRequest], Awaitable[Answer]],
) -> ChatWork:
    """Everything put together."""
    openings = Openings(talk, talk.open_directory)
    ending = ClosingDeps(
        portals=talk.portals,
        matrix=matrix,
        rooms=rooms,
        is_ours=is_ours,
        settled=lambda portal_id: talk.records.settled(portal_id, talk.store),
    )
    part_deps = PartDeps(talk=talk, openings=openings, filters=talk.filters)
    deps = ChatDeps(
        talk=talk,
        matrix=matrix,
        rooms=rooms,
        users=users,
        openings=openings,
        closings=Closings(ending),
        filters=talk.filters,
        privacy=talk.privacy,
        refresh=partial(refresh_chat, deps=part_deps),
        is_ours=is_ours,
        domain="localhost",
    )
    parts = {**usual_parts(part_deps), **room_parts(talk)}
    syncing = Syncing(parts=parts, matrix=matrix, clock=talk.clock, store=talk.store)
    commands = every_chat_command(
        deps,
        syncing,
        run_request=answer,
        level_of=lambda user: permissions.get_permission(user).level,
    )
    return ChatWork(deps=deps, syncing=syncing, commands=(*commands, *without_history(deps)))


def is_ours(user: MxUserId) -> bool:
    """Whether somebody is the bot or a ghost."""
    return user == BOT or user.startswith("@whatsapp_")
