"""Sends of others than Matrix users: in their chat's order, and shown in its room as the account's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mautrix_whatsapp_py.bridge.from_whatsapp import message
from mautrix_whatsapp_py.bridge.from_whatsapp.audience import is_let_in
from mautrix_whatsapp_py.bridge.from_whatsapp.scene import TargetUnknown
from mautrix_whatsapp_py.bridge.persons import is_person
from mautrix_whatsapp_py.bridge.rooms import chat_address
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.ids import LID_SERVER, LoginId, PortalKey, WaJid
from mautrix_whatsapp_py.model.content import WaSendable
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal, PortalId, direct_chat
from mautrix_whatsapp_py.model.wa import WaMessage, WaSource
from mautrix_whatsapp_py.model.wa_link import WaSendUncertain, WaSent

Put = Callable[[PortalId, Callable[[], Awaitable[bool]]], None]


class SideDoor:
    """The way into the queues of chats and into their rooms."""

    def __init__(self, talk: Talk, put: Put) -> None:
        self._talk = talk
        self._put = put

    async def put(self, login_id: LoginId, chat: WaJid, work: Callable[[], Awaitable[bool]]) -> None:
        """Queue work behind all that a chat still has to do; it is tried again until it is settled."""
        portal = await self._ensure_portal(login_id, chat)
        self._put(portal.id, work)

    async def find_address(self, login_id: LoginId, chat: WaJid) -> WaJid:
        """How WhatsApp is told which chat is meant."""
        portal = await self._ensure_portal(login_id, chat)
        person_id = portal.person_id
        partner = None if person_id is None else await self._talk.persons.get(person_id)
        return chat_address(portal, partner)

    async def show(
        self, login_id: LoginId, chat: WaJid, sent: WaSent | WaSendUncertain, content: WaSendable
    ) -> None:
        """Show in its room what was sent; from within the chat's turn. Doing it twice is doing it once.

        Raises MatrixError and StoreError.
        """
        talk, login = self._talk, self._talk.logins.get(login_id)
        if login is None:
            return
        portal = await self._ensure_portal(login_id, chat)
        event = await self._make_event(login, portal, sent, content)
        if not await is_let_in(portal.key, event.source, login, talk):
            return
        await talk.recorded(portal.id)
        try:
            handled = await message.handle(event, portal, login, talk)
        except TargetUnknown:
            return
        if handled.write is not None:
            await handled.write()

    async def _ensure_portal(self, login_id: LoginId, chat: WaJid) -> Portal:
        if not is_person(chat):
            return await self._talk.portals.ensure(PortalKey(chat=chat.bare))
        person = await self._talk.persons.resolve(chat)
        return await self._talk.portals.ensure(PortalKey(chat=direct_chat(person.id), receiver=login_id))

    async def _make_event(
        self, login: Login, portal: Portal, sent: WaSent | WaSendUncertain, content: WaSendable
    ) -> WaMessage:
        talk = self._talk
        own = await talk.rooms.own_person(login)
        partner = None if portal.person_id is None else await talk.persons.get(portal.person_id)
        address = chat_address(portal, partner)
        named = sent.sender if isinstance(sent, WaSent) else None
        source = WaSource(
            chat=address,
            sender=named or own.jid(is_lid_addressed=portal.is_lid_addressed),
            is_from_me=True,
            is_group=address.is_group,
            is_lid_addressed=portal.is_lid_addressed or address.server == LID_SERVER,
        )
        at = sent.timestamp if isinstance(sent, WaSent) else talk.clock.now()
        return WaMessage(source=source, message_id=sent.message_id, timestamp=at, content=content)
