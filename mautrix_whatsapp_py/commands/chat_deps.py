"""What commands about chats work with, and what they have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mautrix_whatsapp_py.bridge.closings import Closings
from mautrix_whatsapp_py.bridge.filters import Filters
from mautrix_whatsapp_py.bridge.from_matrix.chooser import choose_login
from mautrix_whatsapp_py.bridge.openings import Openings
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.privacy import Privacy
from mautrix_whatsapp_py.bridge.rooms import chat_address
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.commands.results import Result
from mautrix_whatsapp_py.commands.spec import Call
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.convert.bot_text import quoted
from mautrix_whatsapp_py.errors import (
    CommandError,
    MatrixRefused,
    WhatsAppError,
    WhatsAppRefused,
    WhatsAppUncertain,
)
from mautrix_whatsapp_py.ids import LoginId, MxRoomId, MxUserId, WaJid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.ports import MatrixApi
from mautrix_whatsapp_py.ports_chats import MatrixRooms, WhatsAppDirectory

Answer = Result | tuple[Result, ...]
ANOTHERS = "This chat belongs to another WhatsApp account than yours."
_REASONS = {
    "forbidden": "WhatsApp does not allow you to: only admins of the group may.",
    "not-found": "WhatsApp knows nothing of that.",
    "not-a-member": "You are not in that group any more.",
    "invalid": "WhatsApp says that this is not valid, or not any more.",
    "not-a-link": "That is no link of WhatsApp. Links begin like `https://chat.whatsapp.com/`, "
    "`https://whatsapp.com/channel/`, `https://wa.me/message/` or `https://wa.me/qr/`.",
    "not-joinable": "That link leads to a person. Send `resolve-link` with it to see who it is.",
    "revoked": "That link was revoked. Ask whoever gave it to you for a new one.",
    "conflict": "WhatsApp says that it is so already.",
    "full": "The group is full.",
    "too-often": "WhatsApp says that this was done too often. Try again in an hour.",
}


RefreshChat = Callable[[Portal, Login], Awaitable[Sequence[str]]]
"""Brings one chat up to date; what of it changed, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatDeps:
    """The surroundings."""

    talk: Talk
    matrix: MatrixApi
    rooms: MatrixRooms
    users: Users
    openings: Openings
    closings: Closings
    filters: Filters
    privacy: Privacy
    refresh: RefreshChat
    is_ours: Callable[[MxUserId], bool]
    domain: str

    def link(self, room_id: MxRoomId) -> str:
        """What a client opens a room by."""
        return f"https://matrix.to/#/{room_id}?via={self.domain}"

    def directory(self, login: Login) -> WhatsAppDirectory:
        """Where to ask on behalf of a login."""
        return self.openings.require_directory(login)

    async def get_portal(self, room_id: MxRoomId) -> Portal | None:
        """The chat of a room."""
        portal_id = self.talk.portals.get_id(room_id)
        return None if portal_id is None else await self.talk.portals.get(portal_id)

    async def is_private(self, call: Call) -> bool:
        """Whether nobody but the caller reads the answer."""
        request = call.request
        if request.is_management and request.answered_in is None:
            return True
        members = await self.matrix.fetch_members(request.answered_in or request.room_id)
        return all(user == request.sender or self.is_ours(user) for user in members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The chat a command was sent in: its portal, the login of the caller that is in it, its address."""

    portal: Portal
    login: Login
    chat: WaJid
    name: str


async def require_portal(deps: ChatDeps, call: Call) -> Portal:
    """The chat of the room; CommandError elsewhere."""
    portal = await deps.get_portal(call.request.room_id)
    if portal is None:
        raise CommandError(
            "This room is not a WhatsApp chat. Send this in the room of the chat you mean, "
            f"or `{call.prefix}doin <room> {call.command.name}` from here."
        )
    return portal


async def require_presence(deps: ChatDeps, call: Call, room_id: MxRoomId) -> None:
    """CommandError unless both the caller and the bot are in a room; admins need not be."""
    try:
        members = await deps.matrix.fetch_members(room_id)
    except MatrixRefused as error:
        raise CommandError(f"I am not in `{quoted(room_id)}`. Invite me there first.") from error
    if call.request.sender not in members and call.request.level < PermissionLevel.ADMIN:
        raise CommandError("You are not in that room. Join it first.")


async def require_here(deps: ChatDeps, call: Call) -> Here:
    """The chat of the room and the caller's login in it; CommandError when there is none."""
    portal = await require_portal(deps, call)
    login = await choose_login(call.request.sender, portal, deps.talk)
    if login is None:
        is_others = portal.key.receiver is not None
        raise CommandError(ANOTHERS if is_others else "None of your WhatsApp accounts is in this chat.")
    partner = None if portal.person_id is None else await deps.talk.persons.get(portal.person_id)
    name = portal.name if partner is None else partner.name or f"+{partner.pn}"
    return Here(portal=portal, login=login, chat=chat_address(portal, partner), name=name or "this chat")


async def take_login(deps: ChatDeps, call: Call, *, min_rest: int = 0) -> tuple[Login, tuple[str, ...]]:
    """The login a call means, and its other arguments; its first one may be a login's number."""
    logins, args = deps.talk.logins, call.args
    own = {login.id: login for login in logins.of_user(call.request.sender)}
    named = LoginId("".join(character for character in args[0] if character.isdigit())) if args else None
    if named in own and len(args) > min_rest:
        return own[named], args[1:]
    here = await deps.get_portal(call.request.room_id)
    login = None if here is None else await choose_login(call.request.sender, here, deps.talk)
    return login or await logins.require(call.request.sender, None), args


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Say in plain words why WhatsApp did not do what was asked; `what` begins the sentence."""
    try:
        yield
    except WhatsAppRefused as error:
        reason = _REASONS.get(error.code, "WhatsApp refused it.")
        raise CommandError(f"{what}: {reason}") from error
    except WhatsAppUncertain as error:
        raise CommandError(
            f"{what}: WhatsApp did not answer in time, so it may have happened. "
            "Look on the phone before you try again."
        ) from error
    except WhatsAppError as error:
        raise CommandError(
            f"{what}: the link to WhatsApp is down. Send `ping` to see how it is doing, then try again."
        ) from error
