"""Requests of the bridge that ask the library for something."""

from __future__ import annotations

from pathlib import Path

import pytest

from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.wa_link import WaLinkKind
from mautrix_whatsapp_py.whatsapp.host.calls import CallFailed, Calls
from mautrix_whatsapp_py.whatsapp.wire_directory import DescribeGroup
from tests.unit.whatsapp.host.test_session import LOGIN, Stand, stand

CLUB = WaJid(user="12036300", server="g.us")
ASK = DescribeGroup(login=LOGIN, chat=CLUB)


def calls_of(made: Stand) -> Calls:
    return Calls(made.session, made.library, made.protobuf)


async def test_a_group_is_asked_for(tmp_path: Path) -> None:
    async with stand(tmp_path) as made:
        await made.until_fact(WaLinkKind.CONNECTED)
        answer = made.protobuf.messages.GetGroupInfoReturnFunction()
        answer.GroupInfo.GroupName.Name = "Club"
        jid = made.protobuf.encode_jid(CLUB)
        answer.GroupInfo.JID.ParseFromString(jid)
        member = answer.GroupInfo.Participants.add(IsAdmin=True)
        member.JID.ParseFromString(made.protobuf.encode_jid(WaJid(user="1000002", server="lid")))
        made.library.answer = lambda name: answer.SerializePartialToString() if name == "GetGroupInfo" else b""
        group = await calls_of(made).run(ASK)
        assert group.jid == CLUB
        assert group.name == "Club"
        assert [(one.jid.user, one.is_admin) for one in group.members] == [("1000002", True)]
        assert ("GetGroupInfo", (jid, len(jid))) in made.library.calls


@pytest.mark.parametrize(
    ("error", "code", "is_final"),
    [
        ("you're not participating in that group", "not-a-member", True),
        ("info query returned status 404: item-not-found", "not-found", True),
        ("websocket not connected", "not-connected", False),
        ("info query timed out", "not-connected", False),
        ("something else", "refused", True),
    ],
)
async def test_a_question_that_fails_leaves_nothing_open(
    tmp_path: Path, error: str, code: str, is_final: bool
) -> None:
    async with stand(tmp_path) as made:
        await made.until_fact(WaLinkKind.CONNECTED)
        answer = made.protobuf.messages.GetGroupInfoReturnFunction(Error=error)
        made.library.answer = lambda name: answer.SerializePartialToString() if name == "GetGroupInfo" else b""
        with pytest.raises(CallFailed) as failed:
            await calls_of(made).run(ASK)
        assert (failed.value.code, failed.value.is_final, failed.value.is_certain) == (code, is_final, True)
