"""One change of a group's room on its way to WhatsApp."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mautrix_whatsapp_py.bridge.from_matrix.chooser import choose_login
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.convert.group_words import member_refusal, refusal
from mautrix_whatsapp_py.errors import WhatsAppError, WhatsAppUncertain
from mautrix_whatsapp_py.ids import MxRoomId, WaJid
from mautrix_whatsapp_py.model.group import GroupRecord
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.mx import MxOrigin
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa_group import WaMemberChange
from mautrix_whatsapp_py.ports_groups import WhatsAppGroups


class Stage:
    """One change of a group's room: who made it, by which login, and what the room was before."""

    def __init__(self, origin: MxOrigin, portal: Portal, room_id: MxRoomId, talk: Talk) -> None:
        self.origin = origin
        self.portal = portal
        self.room_id = room_id
        self.talk = talk
        self.chat: WaJid = portal.key.chat

    async def record(self) -> GroupRecord:
        return await self.talk.following.deps.rooms.get(self.room_id)

    async def keep(self, record: GroupRecord) -> None:
        await self.talk.following.deps.rooms.put(self.room_id, record)

    async def explain(self, sentence: str) -> None:
        await self.talk.delivery.explain(self.origin, sentence)

    async def open(self) -> WhatsAppGroups | str:
        """The way to WhatsApp, or why there is none."""
        login = await self.login()
        if login is None:
            return notices.NO_LOGIN
        groups = self.talk.following.deps.open_groups(login.id)
        return groups if groups is not None else refusal("not-connected", "The change")

    async def login(self) -> Login | None:
        return await choose_login(self.origin.sender, self.portal, self.talk)

    async def ask(self, what: str, action: Callable[[WhatsAppGroups], Awaitable[object]]) -> str:
        """Do something on WhatsApp; the sentence that says why not, empty when it was done."""
        groups = await self.open()
        if isinstance(groups, str):
            return groups
        try:
            await action(groups)
        except WhatsAppUncertain:
            self.talk.following.note_own_change(self.portal.id)
            return refusal("uncertain", what)
        except WhatsAppError as error:
            return refusal(error.code, what)
        self.talk.following.note_own_change(self.portal.id)
        return ""


async def change_member(stage: Stage, person: Person, change: WaMemberChange, what: str) -> str:
    """Change somebody's place in a group; the sentence that says why not, empty when it was done."""
    errors: list[int] = []

    async def act(there: WhatsAppGroups) -> None:
        jid = person.jid(is_lid_addressed=True)
        outcomes = await there.change_members(stage.chat, [jid], change)
        errors.extend(outcome.error for outcome in outcomes if outcome.error)

    problem = await stage.ask(what, act)
    return problem or (member_refusal(errors[0], what) if errors else "")
