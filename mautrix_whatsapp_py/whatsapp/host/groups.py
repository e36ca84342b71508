"""Requests that change groups or fetch pictures, carried out on a live session."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import partial
from typing import Any, assert_never

from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.wa_group import (
    WaBlocklist,
    WaMemberOutcome,
    WaMemberOutcomes,
    WaPicture,
    WaPictureSet,
    WaPictureState,
)
from mautrix_whatsapp_py.whatsapp import wire_groups as wire
from mautrix_whatsapp_py.whatsapp.host.download import DownloadFailed, download_picture
from mautrix_whatsapp_py.whatsapp.host.failures import CallFailed, classify_answer
from mautrix_whatsapp_py.whatsapp.host.gate import SessionNotLive
from mautrix_whatsapp_py.whatsapp.host.library import Library
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf, require_jid
from mautrix_whatsapp_py.whatsapp.host.session import Session

_HIDDEN = ("hidden", "not authorized", "not-authorized", "401", "unauthorized")
_ABSENT = ("not set", "404", "item-not-found", "does not have")


class GroupCalls:
    """One session's requests of this kind."""

    def __init__(self, session: Session, library: Library, protobuf: Protobuf) -> None:
        self._session = session
        self._library = library
        self._protobuf = protobuf

    async def run(self, call: wire.GroupCall) -> wire.GroupResult | None:
        """Carry a request out; None when there is nothing to say about it. CallFailed says why not."""
        match call:
            case wire.RenameGroup():
                await self._do("SetGroupName", call.chat, call.name.encode())
            case wire.DescribeGroupAnew():
                new_id = secrets.token_hex(16).upper()
                await self._do(
                    "SetGroupTopic", call.chat, call.previous_id.encode(), new_id.encode(), call.topic.encode()
                )
            case wire.SetAnnouncement():
                await self._do("SetGroupAnnounce", call.chat, call.is_announcement)
            case wire.SetLocked():
                await self._do("SetGroupLocked", call.chat, call.is_locked)
            case wire.SetGroupPicture():
                return await self._set_picture(call)
            case wire.ChangeMembers():
                return await self._change_members(call)
            case wire.FetchPicture():
                return await self._fetch_picture(call)
            case wire.ListBlocked():
                return await self._list_blocked()
            case wire.SetBlocked():
                await self._set_blocked(call)
            case _:
                assert_never(call)
        return None

    async def _set_picture(self, call: wire.SetGroupPicture) -> WaPictureSet:
        jid = self._protobuf.encode_jid(call.chat)
        body = await self._through_gate("SetGroupPhoto", jid, len(jid), call.data or None, len(call.data))
        answer = self._protobuf.messages.SetGroupPhotoReturnFunction.FromString(body)
        if answer.Error:
            raise classify_answer(answer.Error, has_effect=True)
        return WaPictureSet(picture_id=answer.PictureID if call.data else "")

    async def _change_members(self, call: wire.ChangeMembers) -> WaMemberOutcomes:
        messages = self._protobuf.messages
        jid = self._protobuf.encode_jid(call.chat)
        people = messages.JIDArray(
            JIDS=[messages.JID.FromString(self._protobuf.encode_jid(person)) for person in call.people]
        ).SerializeToString()
        word = call.change.value.encode()
        body = await self._through_gate("UpdateGroupParticipants", jid, len(jid), people, len(people), word)
        answer = messages.UpdateGroupParticipantsReturnFunction.FromString(body)
        if answer.Error:
            raise classify_answer(answer.Error, has_effect=True)
        return WaMemberOutcomes(
            items=tuple(WaMemberOutcome(jid=require_jid(one.JID), error=one.Error) for one in answer.participants)
        )

    async def _fetch_picture(self, call: wire.FetchPicture) -> WaPicture:
        messages = self._protobuf.messages
        jid = self._protobuf.encode_jid(call.jid)
        # All three, or the library ignores those that are set.
        wanted = messages.GetProfilePictureParams(
            Preview=False, ExistingID=call.known_id, IsCommunity=call.is_community
        ).SerializeToString()
        body = await self._through_gate("GetProfilePicture", jid, len(jid), wanted, len(wanted))
        answer = messages.GetProfilePictureReturnFunction.FromString(body)
        if answer.Error:
            return _without_picture(answer.Error)
        picture = answer.Picture
        if not picture.URL:
            return WaPicture(state=WaPictureState.UNCHANGED, picture_id=call.known_id)
        try:
            data = await self._session.gate.call(partial(download_picture, picture.URL))
        except SessionNotLive as error:
            raise CallFailed("not-connected") from error
        except DownloadFailed as error:
            raise CallFailed("download") from error
        return WaPicture(state=WaPictureState.FOUND, picture_id=picture.ID, mimetype=data.mimetype, data=data.body)

    async def _list_blocked(self) -> WaBlocklist:
        body = await self._through_gate("GetBlocklist")
        answer = self._protobuf.messages.GetBlocklistReturnFunction.FromString(body)
        if answer.Error:
            raise classify_answer(answer.Error, has_effect=False)
        return WaBlocklist(items=tuple(require_jid(one) for one in answer.Blocklist.JIDs))

    async def _set_blocked(self, call: wire.SetBlocked) -> None:
        jid = self._protobuf.encode_jid(call.person)
        word = b"block" if call.is_blocked else b"unblock"
        body = await self._through_gate("UpdateBlocklist", jid, len(jid), word)
        answer = self._protobuf.messages.GetBlocklistReturnFunction.FromString(body)
        if answer.Error:
            raise classify_answer(answer.Error, has_effect=True)

    async def _do(self, name: str, chat: WaJid, *arguments: Any) -> None:
        """An export that answers with nothing but an error."""
        jid = self._protobuf.encode_jid(chat)
        error = await self._through_gate(name, jid, len(jid), *arguments)
        if error:
            raise classify_answer(error.decode(errors="replace"), has_effect=True)

    async def _through_gate(self, name: str, *arguments: Any) -> bytes:
        try:
            return await self._session.gate.call(lambda: self._library.call(name, self._session.uuid, *arguments))
        except SessionNotLive as error:
            raise CallFailed("not-connected") from error


def _without_picture(error: str) -> WaPicture:
    text = error.lower()
    if any(part in text for part in _HIDDEN):
        return WaPicture(state=WaPictureState.HIDDEN)
    if any(part in text for part in _ABSENT):
        return WaPicture(state=WaPictureState.NONE)
    raise classify_answer(error, has_effect=False)


def group_exports() -> Sequence[str]:
    """Exports of the library these requests rely on."""
    return (
        "SetGroupName",
        "SetGroupTopic",
        "SetGroupAnnounce",
        "SetGroupLocked",
        "SetGroupPhoto",
        "UpdateGroupParticipants",
        "GetProfilePicture",
        "GetBlocklist",
        "UpdateBlocklist",
    )
