"""Changes of groups and questions about pictures, put to whatever host holds the session now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from mautrix_whatsapp_py.errors import WhatsAppUncertain
from mautrix_whatsapp_py.ids import LoginId, WaJid
from mautrix_whatsapp_py.model.wa_group import (
    WaBlocklist,
    WaMemberChange,
    WaMemberOutcome,
    WaMemberOutcomes,
    WaPicture,
    WaPictureSet,
)
from mautrix_whatsapp_py.whatsapp import wire_groups as wire
from mautrix_whatsapp_py.whatsapp.client import Client
from mautrix_whatsapp_py.whatsapp.network import Network

_Answer = TypeVar("_Answer")
_SECONDS = 60.0


class ClientGroups:
    """Implements WhatsAppGroups."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._login = client.login

    async def set_name(self, chat: WaJid, name: str) -> None:
        """See WhatsAppGroups."""
        await self._do(wire.RenameGroup(login=self._login, chat=chat, name=name))

    async def set_topic(self, chat: WaJid, topic: str, *, previous_id: str) -> None:
        """See WhatsAppGroups."""
        call = wire.DescribeGroupAnew(login=self._login, chat=chat, topic=topic, previous_id=previous_id)
        await self._do(call)

    async def set_picture(self, chat: WaJid, jpeg: bytes) -> str:
        """See WhatsAppGroups."""
        call = wire.SetGroupPicture(login=self._login, chat=chat, data=jpeg)
        return (await self._ask(call, WaPictureSet)).picture_id

    async def set_announcement(self, chat: WaJid, *, is_announcement: bool) -> None:
        """See WhatsAppGroups."""
        await self._do(wire.SetAnnouncement(login=self._login, chat=chat, is_announcement=is_announcement))

    async def set_locked(self, chat: WaJid, *, is_locked: bool) -> None:
        """See WhatsAppGroups."""
        await self._do(wire.SetLocked(login=self._login, chat=chat, is_locked=is_locked))

    async def change_members(
        self, chat: WaJid, people: Sequence[WaJid], change: WaMemberChange
    ) -> Sequence[WaMemberOutcome]:
        """See WhatsAppGroups."""
        call = wire.ChangeMembers(login=self._login, chat=chat, people=tuple(people), change=change)
        return (await self._ask(call, WaMemberOutcomes)).items

    async def fetch_picture(self, jid: WaJid, *, known_id: str = "", is_community: bool = False) -> WaPicture:
        """See WhatsAppGroups."""
        call = wire.FetchPicture(login=self._login, jid=jid, known_id=known_id, is_community=is_community)
        return await self._ask(call, WaPicture)

    async def fetch_blocked(self) -> Sequence[WaJid]:
        """See WhatsAppGroups."""
        return (await self._ask(wire.ListBlocked(login=self._login), WaBlocklist)).items

    async def set_blocked(self, person: WaJid, *, is_blocked: bool) -> None:
        """See WhatsAppGroups."""
        await self._do(wire.SetBlocked(login=self._login, person=person, is_blocked=is_blocked))

    async def _ask(self, call: wire.GroupCall, kind: type[_Answer]) -> _Answer:
        answer = await self._client.request(call, deadline_seconds=_SECONDS)
        if not isinstance(answer, kind):
            raise WhatsAppUncertain(code="strange-answer")
        return answer

    async def _do(self, call: wire.GroupCall) -> None:
        await self._client.request(call, deadline_seconds=_SECONDS)


def open_groups(network: Network, login: LoginId) -> ClientGroups | None:
    """The group changes of a login."""
    client = network.get_client(login)
    return None if client is None else ClientGroups(client)
