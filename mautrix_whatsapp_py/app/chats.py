"""Composition of the work on whole chats: opening, ending, synchronising them, and the commands for it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from mautrix_whatsapp_py.bridge.closings import ClosingDeps, Closings
from mautrix_whatsapp_py.bridge.forgetting import Forgetting, ForgettingDeps
from mautrix_whatsapp_py.bridge.openings import Openings
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.sync_deps import PartDeps, SyncGroup
from mautrix_whatsapp_py.bridge.sync_parts import refresh_chat, usual_parts
from mautrix_whatsapp_py.bridge.syncing import Syncing, SyncPart
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.commands.chat_deps import ChatDeps
from mautrix_whatsapp_py.commands.every import every_chat_command
from mautrix_whatsapp_py.commands.powers import RunRequest
from mautrix_whatsapp_py.commands.spec import Command
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.registration import user_patterns
from mautrix_whatsapp_py.ports import MatrixApi
from mautrix_whatsapp_py.ports_chats import MatrixRooms

NO_PARTS: Mapping[str, SyncPart] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatWork:
    """The parts of the program that deal with whole chats."""

    deps: ChatDeps
    syncing: Syncing
    ghost_pattern: re.Pattern[str]
    config: Config

    def commands(self, *, run_request: RunRequest) -> tuple[Command, ...]:
        """What people can say about chats."""
        return every_chat_command(self.deps, self.syncing, run_request=run_request, level_of=self._level_of)

    def _level_of(self, user: MxUserId) -> PermissionLevel:
        try:
            return self.config.bridge.permissions.get_permission(user).level
        except ValueError:
            return PermissionLevel.BLOCK


def make_chat_work(
    config: Config,
    *,
    talk: Talk,
    matrix: MatrixApi,
    rooms: MatrixRooms,
    users: Users,
    sync_group: SyncGroup | None = None,
    more_parts: Mapping[str, SyncPart] = NO_PARTS,
) -> ChatWork:
    """Everything put together; `more_parts` are what else `sync` can do, by the words it is asked for with."""
    _, pattern = user_patterns(config)
    ghosts = re.compile(pattern)

    def is_ours(user: MxUserId) -> bool:
        return user == matrix.bot or ghosts.fullmatch(user) is not None

    openings = Openings(talk, talk.open_directory)
    ending = ClosingDeps(
        portals=talk.portals,
        matrix=matrix,
        rooms=rooms,
        is_ours=is_ours,
        settled=lambda portal_id: talk.records.settled(portal_id, talk.store),
    )
    closings = Closings(ending)
    part_deps = PartDeps(talk=talk, openings=openings, filters=talk.filters, sync_group=sync_group)
    deps = ChatDeps(
        talk=talk,
        matrix=matrix,
        rooms=rooms,
        users=users,
        openings=openings,
        closings=closings,
        filters=talk.filters,
        privacy=talk.privacy,
        refresh=partial(refresh_chat, deps=part_deps),
        is_ours=is_ours,
        domain=config.homeserver.domain,
    )
    parts = {**usual_parts(part_deps), **more_parts}
    syncing = Syncing(parts=parts, matrix=matrix, clock=talk.clock, store=talk.store)
    return ChatWork(deps=deps, syncing=syncing, ghost_pattern=ghosts, config=config)


def make_forgetting(work: ChatWork, *, users_end: Callable[[MxUserId], Awaitable[object]]) -> Forgetting:
    """What removes a user; `users_end` stops acting as them."""
    talk = work.deps.talk
    return Forgetting(
        ForgettingDeps(
            store=talk.store,
            logins=talk.logins,
            portals=talk.portals,
            chat_rooms=talk.rooms,
            closings=work.deps.closings,
            rooms=work.deps.rooms,
            stop_acting_as=users_end,
        )
    )
