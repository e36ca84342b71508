"""What WhatsApp knows of people, groups and channels, in memory: the port WhatsAppDirectory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime

from mautrix_whatsapp_py.errors import WhatsAppError, WhatsAppRefused
from mautrix_whatsapp_py.ids import LoginId, WaJid
from mautrix_whatsapp_py.model.wa import WaGroup, WaGroupMember
from mautrix_whatsapp_py.model.wa_directory import (
    WaChatSetting,
    WaChatSettings,
    WaContact,
    WaGroupBrief,
    WaJoinOutcome,
    WaLinkTarget,
    WaLookup,
    WaNewsletter,
    WaTargetKind,
)
from mautrix_whatsapp_py.ports_chats import WhatsAppDirectory


class FakeDirectory:
    """One account's; `fail` makes the next calls raise."""

    def __init__(self, login: LoginId) -> None:
        self.login = login
        self.people: dict[str, WaLookup] = {}
        self.contacts: list[WaContact] = []
        self.settings: list[WaChatSetting] = []
        self.groups: dict[WaJid, WaGroupBrief] = {}
        self.described: dict[WaJid, WaGroup] = {}
        """Groups with all there is to know of them."""
        self.newsletters: dict[WaJid, WaNewsletter] = {}
        self.links: dict[str, WaLinkTarget] = {}
        self.is_approval_needed = False
        self.calls: list[str] = []
        self.created: list[tuple[str, tuple[WaJid, ...]]] = []
        self.left: list[WaJid] = []
        self.timers: list[tuple[WaJid, int]] = []
        self.muted: list[tuple[WaJid, bool]] = []
        self.reactions: list[tuple[WaJid, int, str]] = []
        self.rejected: list[tuple[WaJid, str]] = []
        self.accepted: list[tuple[WaJid, str]] = []
        self._faults: deque[WhatsAppError] = deque()

    def fail(self, error: WhatsAppError, *, times: int = 1) -> None:
        """Make the next calls raise."""
        self._faults.extend([error] * times)

    def add_person(self, number: str, *, lid: str | None = None, business: str = "") -> None:
        """Somebody on WhatsApp."""
        self.people[number] = WaLookup(
            number=number,
            jid=WaJid(user=number, server="s.whatsapp.net"),
            lid=WaJid(user=lid, server="lid") if lid else None,
            is_registered=True,
            business_name=business,
        )

    def add_group(self, user: str, name: str, *, members: int = 2, is_community: bool = False) -> WaJid:
        """A group the account is in."""
        jid = WaJid(user=user, server="g.us")
        self.groups[jid] = WaGroupBrief(jid=jid, name=name, member_count=members, is_community=is_community)
        return jid

    def add_newsletter(self, user: str, name: str) -> WaJid:
        """A channel the account follows."""
        jid = WaJid(user=user, server="newsletter")
        self.newsletters[jid] = WaNewsletter(jid=jid, name=name, is_subscribed=True)
        return jid

    def add_contact(self, number: str, name: str = "", *, push_name: str = "") -> None:
        """Somebody in the contact book."""
        jid = WaJid(user=number, server="s.whatsapp.net")
        self.contacts.append(WaContact(jid=jid, full_name=name, push_name=push_name))

    async def find_numbers(self, numbers: Sequence[str]) -> Sequence[WaLookup]:
        self._begin("find_numbers")
        return [self.people.get(number, WaLookup(number=number)) for number in numbers]

    async def fetch_contacts(self) -> Sequence[WaContact]:
        self._begin("fetch_contacts")
        return tuple(self.contacts)

    async def fetch_chat_settings(self) -> Sequence[WaChatSetting]:
        self._begin("fetch_chat_settings")
        return tuple(self.settings)

    async def look_at_chat_settings(self, since: str = "") -> WaChatSettings:
        mark = str(hash(tuple(self.settings)))
        if since == mark:
            return WaChatSettings(mark=mark, is_unchanged=True)
        return WaChatSettings(items=tuple(await self.fetch_chat_settings()), mark=mark)

    async def fetch_groups(self) -> Sequence[WaGroupBrief]:
        self._begin("fetch_groups")
        return tuple(self.groups.values())

    async def fetch_group(self, chat: WaJid) -> WaGroup:
        self._begin("fetch_group")
        if chat in self.described:
            return self.described[chat]
        if chat not in self.groups:
            raise WhatsAppRefused(code="not-a-member")
        return WaGroup(jid=chat, name=self.groups[chat].name)

    async def create_group(self, name: str, people: Sequence[WaJid], *, community: WaJid | None = None) -> WaGroup:
        self._begin("create_group")
        self.created.append((name, tuple(people)))
        jid = self.add_group(f"9{len(self.created):05}", name, members=len(people) + 1)
        return WaGroup(jid=jid, name=name, members=tuple(WaGroupMember(jid=person) for person in people))

    async def leave_group(self, chat: WaJid) -> None:
        self._begin("leave_group")
        self.left.append(chat)
        self.groups.pop(chat, None)

    async def fetch_invite_link(self, chat: WaJid, *, is_reset: bool = False) -> str:
        self._begin("fetch_invite_link")
        return f"https://chat.whatsapp.com/{'NewCode' if is_reset else 'OldCode'}{chat.user}"

    async def resolve_link(self, url: str) -> WaLinkTarget:
        self._begin("resolve_link")
        if url not in self.links:
            raise WhatsAppRefused(code="not-a-link")
        return self.links[url]

    async def join_link(self, url: str) -> WaJoinOutcome:
        self._begin("join_link")
        target = self.links[url]
        if not self.is_approval_needed and target.kind is WaTargetKind.GROUP:
            self.add_group(target.jid.user, target.name)
        return WaJoinOutcome(jid=target.jid, is_pending=self.is_approval_needed)

    async def accept_invite(self, chat: WaJid, *, inviter: WaJid, code: str, expires: datetime) -> WaJoinOutcome:
        self._begin("accept_invite")
        self.accepted.append((chat, code))
        return WaJoinOutcome(jid=chat)

    async def set_disappearing(self, chat: WaJid, seconds: int) -> None:
        self._begin("set_disappearing")
        self.timers.append((chat, seconds))

    async def fetch_newsletters(self) -> Sequence[WaNewsletter]:
        self._begin("fetch_newsletters")
        return tuple(self.newsletters.values())

    async def follow_newsletter(self, chat: WaJid, *, is_wanted: bool) -> None:
        self._begin("follow_newsletter")
        if not is_wanted:
            self.left.append(chat)
            self.newsletters.pop(chat, None)

    async def mute_newsletter(self, chat: WaJid, *, is_muted: bool) -> None:
        self._begin("mute_newsletter")
        self.muted.append((chat, is_muted))

    async def react_to_post(self, chat: WaJid, server_id: int, emoji: str) -> None:
        self._begin("react_to_post")
        self.reactions.append((chat, server_id, emoji))

    async def reject_call(self, caller: WaJid, call_id: str) -> None:
        self._begin("reject_call")
        self.rejected.append((caller, call_id))

    def _begin(self, call: str) -> None:
        self.calls.append(call)
        if self._faults:
            raise self._faults.popleft()


def _fits_the_port(directory: FakeDirectory) -> WhatsAppDirectory:
    return directory
