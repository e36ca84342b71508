"""Questions about people, groups, channels and links, put to whatever host holds the session now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from mautrix_whatsapp_py.errors import WhatsAppUncertain
from mautrix_whatsapp_py.ids import LoginId, WaJid
from mautrix_whatsapp_py.model.wa import WaGroup
from mautrix_whatsapp_py.model.wa_directory import (
    WaChatSetting,
    WaChatSettings,
    WaContact,
    WaContacts,
    WaGroupBrief,
    WaGroupBriefs,
    WaInviteLink,
    WaJoinOutcome,
    WaLinkTarget,
    WaLookup,
    WaLookups,
    WaNewsletter,
    WaNewsletters,
)
from mautrix_whatsapp_py.whatsapp import wire_directory as wire
from mautrix_whatsapp_py.whatsapp.client import Client
from mautrix_whatsapp_py.whatsapp.network import Network

_Answer = TypeVar("_Answer")
_SECONDS = 60.0
"""Creating a group or listing many takes the library a while."""


class ClientDirectory:
    """Implements WhatsAppDirectory."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._login = client.login

    async def find_numbers(self, numbers: Sequence[str]) -> Sequence[WaLookup]:
        """See WhatsAppDirectory."""
        call = wire.FindNumbers(login=self._login, numbers=tuple(numbers))
        return (await self._ask(call, WaLookups)).items

    async def fetch_contacts(self) -> Sequence[WaContact]:
        """See WhatsAppDirectory."""
        found: list[WaContact] = []
        row = 0
        while True:
            page = await self._ask(wire.ListContacts(login=self._login, first_row=row), WaContacts)
            found.extend(page.items)
            if page.next_row <= row:
                return found
            row = page.next_row

    async def fetch_chat_settings(self) -> Sequence[WaChatSetting]:
        """See WhatsAppDirectory."""
        return (await self.look_at_chat_settings()).items

    async def look_at_chat_settings(self, since: str = "") -> WaChatSettings:
        """See WhatsAppDirectory."""
        return await self._ask(wire.ListChatSettings(login=self._login, since=since), WaChatSettings)

    async def fetch_groups(self) -> Sequence[WaGroupBrief]:
        """See WhatsAppDirectory."""
        return (await self._ask(wire.ListGroups(login=self._login), WaGroupBriefs)).items

    async def fetch_group(self, chat: WaJid) -> WaGroup:
        """See WhatsAppDirectory."""
        return await self._ask(wire.DescribeGroup(login=self._login, chat=chat), WaGroup)

    async def create_group(self, name: str, people: Sequence[WaJid], *, community: WaJid | None = None) -> WaGroup:
        """See WhatsAppDirectory."""
        call = wire.CreateGroup(login=self._login, name=name, people=tuple(people), community=community)
        return await self._ask(call, WaGroup)

    async def leave_group(self, chat: WaJid) -> None:
        """See WhatsAppDirectory."""
        await self._do(wire.LeaveGroup(login=self._login, chat=chat))

    async def fetch_invite_link(self, chat: WaJid, *, is_reset: bool = False) -> str:
        """See WhatsAppDirectory."""
        call = wire.FetchInviteLink(login=self._login, chat=chat, is_reset=is_reset)
        return (await self._ask(call, WaInviteLink)).url

    async def resolve_link(self, url: str) -> WaLinkTarget:
        """See WhatsAppDirectory."""
        return await self._ask(wire.ResolveLink(login=self._login, url=url), WaLinkTarget)

    async def join_link(self, url: str) -> WaJoinOutcome:
        """See WhatsAppDirectory."""
        return await self._ask(wire.JoinLink(login=self._login, url=url), WaJoinOutcome)

    async def accept_invite(self, chat: WaJid, *, inviter: WaJid, code: str, expires: datetime) -> WaJoinOutcome:
        """See WhatsAppDirectory."""
        call = wire.AcceptInvite(
            login=self._login,
            chat=chat,
            inviter=inviter,
            code=code,
            expires_at_seconds=int(expires.timestamp()),
        )
        return await self._ask(call, WaJoinOutcome)

    async def set_disappearing(self, chat: WaJid, seconds: int) -> None:
        """See WhatsAppDirectory."""
        await self._do(wire.SetDisappearing(login=self._login, chat=chat, seconds=seconds))

    async def fetch_newsletters(self) -> Sequence[WaNewsletter]:
        """See WhatsAppDirectory."""
        return (await self._ask(wire.ListNewsletters(login=self._login), WaNewsletters)).items

    async def follow_newsletter(self, chat: WaJid, *, is_wanted: bool) -> None:
        """See WhatsAppDirectory."""
        await self._do(wire.FollowNewsletter(login=self._login, chat=chat, is_wanted=is_wanted))

    async def mute_newsletter(self, chat: WaJid, *, is_muted: bool) -> None:
        """See WhatsAppDirectory."""
        await self._do(wire.MuteNewsletter(login=self._login, chat=chat, is_muted=is_muted))

    async def react_to_post(self, chat: WaJid, server_id: int, emoji: str) -> None:
        """See WhatsAppDirectory."""
        await self._do(wire.ReactToPost(login=self._login, chat=chat, server_id=server_id, emoji=emoji))

    async def reject_call(self, caller: WaJid, call_id: str) -> None:
        """See WhatsAppDirectory."""
        await self._do(wire.RejectCall(login=self._login, caller=caller, call_id=call_id))

    async def _ask(self, call: wire.DirectoryCall, kind: type[_Answer]) -> _Answer:
        answer = await self._client.request(call, deadline_seconds=_SECONDS)
        if not isinstance(answer, kind):
            raise WhatsAppUncertain(code="strange-answer")
        return answer

    async def _do(self, call: wire.DirectoryCall) -> None:
        await self._client.request(call, deadline_seconds=_SECONDS)


def open_directory(network: Network, login: LoginId) -> ClientDirectory | None:
    """The directory of a login."""
    client = network.get_client(login)
    return None if client is None else ClientDirectory(client)
