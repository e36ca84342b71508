"""Requests about people, groups, channels and links, carried out on a live session."""

from __future__ import annotations

import ctypes
import secrets
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mautrix_whatsapp_py.ids import NEWSLETTER_SERVER, WaJid
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa import WaGroup
from mautrix_whatsapp_py.model.wa_directory import (
    WaChatSettings,
    WaContacts,
    WaGroupBriefs,
    WaInviteLink,
    WaJoinOutcome,
    WaLinkTarget,
    WaLookups,
    WaNewsletter,
    WaNewsletters,
)
from mautrix_whatsapp_py.whatsapp import wire_directory as wire
from mautrix_whatsapp_py.whatsapp.host import decode_directory as decode
from mautrix_whatsapp_py.whatsapp.host.decode_group import decode_group
from mautrix_whatsapp_py.whatsapp.host.failures import CallFailed, classify_answer
from mautrix_whatsapp_py.whatsapp.host.gate import SessionNotLive
from mautrix_whatsapp_py.whatsapp.host.library import Library
from mautrix_whatsapp_py.whatsapp.host.links import LinkParts, LinkType, decode_link
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf, require_jid
from mautrix_whatsapp_py.whatsapp.host.session import Session
from mautrix_whatsapp_py.whatsapp.tables import Query, Rows, mark_of, read_apart

_NANOSECONDS = 1_000_000_000


class Directory:
    """One session's requests of this kind."""

    def __init__(self, session: Session, library: Library, protobuf: Protobuf) -> None:
        self._session = session
        self._library = library
        self._protobuf = protobuf

    async def run(self, call: wire.DirectoryCall) -> wire.DirectoryResult | None:
        """Carry a request out; None when there is nothing to say about it. CallFailed says why not."""
        action: Callable[[Any], Awaitable[wire.DirectoryResult | None]] | None = self._actions().get(type(call))
        if action is None:
            raise CallFailed("unknown-call", is_final=True)
        return await action(call)

    def _actions(self) -> dict[type[WaStruct], Callable[[Any], Awaitable[wire.DirectoryResult | None]]]:
        return {
            wire.FindNumbers: self._find_numbers,
            wire.ListContacts: self._list_contacts,
            wire.ListChatSettings: self._list_chat_settings,
            wire.ListGroups: self._list_groups,
            wire.DescribeGroup: self._describe_group,
            wire.CreateGroup: self._create_group,
            wire.LeaveGroup: self._leave_group,
            wire.FetchInviteLink: self._fetch_invite_link,
            wire.ResolveLink: self._resolve_link,
            wire.JoinLink: self._join_link,
            wire.AcceptInvite: self._accept_invite,
            wire.SetDisappearing: self._set_disappearing,
            wire.ListNewsletters: self._list_newsletters,
            wire.FollowNewsletter: self._follow_newsletter,
            wire.MuteNewsletter: self._mute_newsletter,
            wire.ReactToPost: self._react_to_post,
            wire.RejectCall: self._reject_call,
        }

    # People

    async def _find_numbers(self, call: wire.FindNumbers) -> WaLookups:
        numbers = " ".join(f"+{number}" for number in call.numbers).encode()
        answer = await self._ask("IsOnWhatsApp", "IsOnWhatsAppReturnFunction", numbers)
        return WaLookups(items=tuple(decode.decode_lookup(item) for item in answer.IsOnWhatsAppResponse))

    async def _list_contacts(self, call: wire.ListContacts) -> WaContacts:
        (rows,) = await self._read([decode.contacts_query(call.first_row, call.limit)])
        return decode.decode_contacts(rows, call.limit)

    async def _list_chat_settings(self, call: wire.ListChatSettings) -> WaChatSettings:
        # Before the reading: what is written meanwhile belongs to the next one.
        mark = mark_of(self._session.database)
        if mark and mark == call.since:
            return WaChatSettings(mark=mark, is_unchanged=True)
        (rows,) = await self._read([decode.SETTINGS_QUERY])
        return WaChatSettings(items=decode.decode_settings(rows), mark=mark)

    # Groups

    async def _list_groups(self, _call: wire.ListGroups) -> WaGroupBriefs:
        answer = await self._ask("GetJoinedGroups", "GetJoinedGroupsReturnFunction")
        return WaGroupBriefs(items=tuple(decode.decode_brief(group) for group in answer.Group))

    async def _describe_group(self, call: wire.DescribeGroup) -> WaGroup:
        jid = self._protobuf.encode_jid(call.chat)
        answer = await self._ask("GetGroupInfo", "GetGroupInfoReturnFunction", jid, len(jid))
        return decode_group(answer.GroupInfo)

    async def _create_group(self, call: wire.CreateGroup) -> WaGroup:
        messages = self._protobuf.messages
        request = messages.ReqCreateGroup(
            name=call.name,
            Participants=[self._jid(person) for person in call.people],
            CreateKey=secrets.token_hex(16).upper(),
        )
        if call.community is not None:
            request.GroupLinkedParent.LinkedParentJID.MergeFrom(self._jid(call.community))
        body = request.SerializeToString()
        answer = await self._ask("CreateGroup", "GetGroupInfoReturnFunction", body, len(body), has_effect=True)
        return decode_group(answer.GroupInfo)

    async def _leave_group(self, call: wire.LeaveGroup) -> None:
        jid = self._protobuf.encode_jid(call.chat)
        await self._do("LeaveGroup", jid, len(jid))

    async def _fetch_invite_link(self, call: wire.FetchInviteLink) -> WaInviteLink:
        jid = self._protobuf.encode_jid(call.chat)
        answer = await self._ask(
            "GetGroupInviteLink",
            "GetGroupInviteLinkReturnFunction",
            jid,
            len(jid),
            call.is_reset,
            has_effect=call.is_reset,
        )
        return WaInviteLink(url=answer.InviteLink)

    async def _accept_invite(self, call: wire.AcceptInvite) -> WaJoinOutcome:
        chat, inviter = self._protobuf.encode_jid(call.chat), self._protobuf.encode_jid(call.inviter)
        expires = ctypes.c_int(call.expires_at_seconds).value
        await self._do("JoinGroupWithInvite", chat, len(chat), inviter, len(inviter), call.code.encode(), expires)
        return WaJoinOutcome(jid=call.chat)

    async def _set_disappearing(self, call: wire.SetDisappearing) -> None:
        jid = self._protobuf.encode_jid(call.chat)
        # Of the two times the library takes one in nanoseconds and one in milliseconds.
        await self._do(
            "SetDisappearingTimer", jid, len(jid), call.seconds * _NANOSECONDS, time.time_ns() // 1_000_000
        )

    # Links

    async def _resolve_link(self, call: wire.ResolveLink) -> WaLinkTarget:
        link = _require_link(call.url)
        code = link.code.encode()
        match link.type:
            case LinkType.GROUP:
                answer = await self._ask("GetGroupInfoFromLink", "GetGroupInfoReturnFunction", code)
                return decode.decode_group_target(decode_group(answer.GroupInfo))
            case LinkType.NEWSLETTER:
                return decode.newsletter_target(await self._newsletter(link))
            case LinkType.CONTACT:
                name = "ResolveContactQRLinkReturnFunction"
                answer = await self._ask("ResolveContactQRLink", name, code)
                return decode.decode_contact_target(answer.ContactQrLink)
            case LinkType.BUSINESS:
                name = "ResolveBusinessMessageLinkReturnFunction"
                answer = await self._ask("ResolveBusinessMessageLink", name, code)
                return decode.decode_business_target(answer.MessageLinkTarget)

    async def _join_link(self, call: wire.JoinLink) -> WaJoinOutcome:
        link = _require_link(call.url)
        code = link.code.encode()
        if link.type is LinkType.NEWSLETTER:
            newsletter = await self._newsletter(link)
            await self._follow(newsletter.jid, is_wanted=True)
            return WaJoinOutcome(jid=newsletter.jid)
        if link.type is not LinkType.GROUP:
            raise CallFailed("not-joinable", is_final=True)
        answer = await self._ask("JoinGroupWithLink", "JoinGroupWithLinkReturnFunction", code, has_effect=True)
        jid = require_jid(answer.Jid)
        groups = await self._ask("GetJoinedGroups", "GetJoinedGroupsReturnFunction")
        is_in = any(require_jid(group.JID) == jid for group in groups.Group)
        return WaJoinOutcome(jid=jid, is_pending=not is_in)

    # Channels

    async def _newsletter(self, link: LinkParts) -> WaNewsletter:
        key = link.code.encode()
        answer = await self._ask("GetNewsletterInfoWithInvite", "CreateNewsLetterReturnFunction", key)
        return decode.decode_newsletter(answer.NewsletterMetadata, self._protobuf)

    async def _list_newsletters(self, _call: wire.ListNewsletters) -> WaNewsletters:
        answer = await self._ask("GetSubscribedNewsletters", "GetSubscribedNewslettersReturnFunction")
        found = (decode.decode_newsletter(item, self._protobuf) for item in answer.Newsletter)
        return WaNewsletters(items=tuple(found))

    async def _follow_newsletter(self, call: wire.FollowNewsletter) -> None:
        await self._follow(call.chat, is_wanted=call.is_wanted)

    async def _follow(self, chat: WaJid, *, is_wanted: bool) -> None:
        jid = self._protobuf.encode_jid(chat)
        await self._do("FollowNewsletter" if is_wanted else "UnfollowNewsletter", jid, len(jid))

    async def _mute_newsletter(self, call: wire.MuteNewsletter) -> None:
        if call.chat.server != NEWSLETTER_SERVER:
            raise CallFailed("not-a-newsletter", is_final=True)
        jid = self._protobuf.encode_jid(call.chat)
        await self._do("NewsletterToggleMute", jid, len(jid), call.is_muted)

    async def _react_to_post(self, call: wire.ReactToPost) -> None:
        jid = self._protobuf.encode_jid(call.chat)
        message_id = f"3EB0{secrets.token_hex(9).upper()}".encode()
        await self._do("NewsletterSendReaction", jid, len(jid), call.server_id, call.emoji.encode(), message_id)

    async def _reject_call(self, call: wire.RejectCall) -> None:
        jid = self._protobuf.encode_jid(call.caller)
        await self._do("RejectCall", jid, len(jid), call.call_id.encode())

    # The library

    def _jid(self, jid: WaJid) -> Any:
        return self._protobuf.messages.JID.FromString(self._protobuf.encode_jid(jid))

    async def _ask(self, name: str, answer_type: str, *arguments: Any, has_effect: bool = False) -> Any:
        """An export that answers with a message, which may hold an error."""
        body = await self._through_gate(name, arguments)
        answer = getattr(self._protobuf.messages, answer_type).FromString(body)
        if answer.Error:
            raise classify_answer(answer.Error, has_effect=has_effect)
        return answer

    async def _do(self, name: str, *arguments: Any) -> None:
        """An export that answers with nothing but an error."""
        error = await self._through_gate(name, arguments)
        if error:
            raise classify_answer(error.decode(errors="replace"), has_effect=True)

    async def _through_gate(self, name: str, arguments: tuple[Any, ...]) -> bytes:
        try:
            return await self._session.gate.call(lambda: self._library.call(name, self._session.uuid, *arguments))
        except SessionNotLive as error:
            raise CallFailed("not-connected") from error

    async def _read(self, queries: Sequence[Query]) -> list[Rows]:
        database = self._session.database
        try:
            found = await self._session.in_journal_thread(lambda: read_apart(database, queries))
        except sqlite3.Error as error:
            raise CallFailed("tables") from error
        assert isinstance(found, list)
        return found


def _require_link(url: str) -> LinkParts:
    link = decode_link(url)
    if link is None:
        raise CallFailed("not-a-link", is_final=True)
    return link


def directory_exports() -> Sequence[str]:
    """Exports of the library these requests rely on."""
    return (
        "IsOnWhatsApp",
        "GetJoinedGroups",
        "GetGroupInfo",
        "CreateGroup",
        "LeaveGroup",
        "GetGroupInviteLink",
        "JoinGroupWithInvite",
        "JoinGroupWithLink",
        "SetDisappearingTimer",
        "GetGroupInfoFromLink",
        "GetNewsletterInfoWithInvite",
        "ResolveContactQRLink",
        "ResolveBusinessMessageLink",
        "GetSubscribedNewsletters",
        "FollowNewsletter",
        "UnfollowNewsletter",
        "NewsletterToggleMute",
        "NewsletterSendReaction",
        "RejectCall",
    )
