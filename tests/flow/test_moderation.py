"""Admins of a group delete others' messages; nobody else does."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.convert.notices import Refusal, explain
from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.content import WaMessageRef, WaRevoke, WaText
from mautrix_whatsapp_py.model.wa import WaGroup, WaGroupChanged, WaGroupMember
from tests.fakes.whatsapp import START
from tests.flow.chat import BEN, CLUB, LOGIN, OWN, OWN_LID, Chat
from tests.flow.world import World


def club(*, admin: WaJid | None) -> WaGroup:
    own = WaGroupMember(jid=OWN_LID, phone_number=OWN, is_admin=admin == OWN_LID)
    return WaGroup(jid=CLUB, name="Club", members=(own, WaGroupMember(jid=BEN, is_admin=admin == BEN)))


@pytest.fixture
async def chat(world: World) -> Chat:
    made = await Chat.open(world)
    made.world.directories.require(LOGIN).described[CLUB] = club(admin=BEN)
    await made.receive(made.message(WaText(body="hello"), chat=CLUB, message_id="THEIRS"))
    return made


async def promote(chat: Chat) -> None:
    """Ben makes alice an admin."""
    event = WaGroupChanged(chat=CLUB, timestamp=START, sender=BEN, promoted=(OWN_LID,))
    await chat.receive(event)


async def test_an_admin_deletes_anothers_message(chat: Chat) -> None:
    assert chat.world.chats.rooms[chat.room_id].name == "Club"
    await promote(chat)
    await chat.redact(chat.world.chats.said[0].event_id)
    (sent,) = chat.client.messages
    assert isinstance(sent.content, WaRevoke)
    assert isinstance(sent.content.target, WaMessageRef)
    assert (sent.chat, sent.content.target.message_id, sent.content.target.sender) == (CLUB, "THEIRS", BEN)


@pytest.mark.parametrize("is_member", [True, False])
async def test_others_are_refused(chat: Chat, is_member: bool) -> None:
    if not is_member:
        chat.world.directories.require(LOGIN).described.clear()
        await chat.world.talk.following.deps.rooms.drop(chat.room_id)
    await chat.redact(chat.world.chats.said[0].event_id)
    assert not chat.client.messages
    assert explain(Refusal.REDACTION_NOT_ALLOWED) in chat.texts[-1]


async def test_a_redaction_waits_until_somebody_can_say_who_is_admin(chat: Chat) -> None:
    await promote(chat)
    await chat.world.talk.following.deps.rooms.drop(chat.room_id)
    chat.world.directories.require(LOGIN).described[CLUB] = club(admin=OWN_LID)
    chat.go_offline()
    await chat.redact(chat.world.chats.said[0].event_id)
    assert await chat.world.pending()
    await chat.go_online()
    await chat.world.until(lambda: bool(chat.client.messages))
    assert isinstance(chat.client.messages[0].content, WaRevoke)


async def test_a_group_nobody_can_describe_has_a_room_all_the_same(world: World) -> None:
    made = await Chat.open(world)
    await made.receive(made.message(WaText(body="hello"), chat=CLUB))
    assert made.texts == ["hello"]
    assert world.chats.rooms[made.room_id].name == "WhatsApp group"
