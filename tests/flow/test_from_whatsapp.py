"""Messages from WhatsApp reach their room once, in order, and as who they are from."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from mautrix_whatsapp_py.bridge.talk import TalkSettings
from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.convert.context import DeletedPolicy
from mautrix_whatsapp_py.convert.emoji import to_matrix_emoji
from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable
from mautrix_whatsapp_py.ids import JournalSeq, LoginId, MxUserId, WaJid
from mautrix_whatsapp_py.model.content import (
    MxEdit,
    MxMessageContent,
    MxMsgType,
    MxReactionContent,
    MxReply,
    WaContext,
    WaEdit,
    WaPreview,
    WaQuote,
    WaReaction,
    WaRevoke,
    WaSilent,
    WaText,
    WaUnsupported,
)
from mautrix_whatsapp_py.model.wa import WaHistorySync, WaUndecryptable
from tests.flow.chat import (
    BEN,
    BEN_GHOST,
    BEN_LID,
    CARLA,
    CLUB,
    LOGIN,
    OWN,
    OWN_GHOST,
    OWN_LID,
    Chat,
    ref,
)
from tests.flow.world import ALICE, BOB, BOT, World

STEPS = [
    (call, is_late)
    for call in ("ensure_ghost", "set_name", "create_room", "ensure_joined", "invite", "send_message")
    for is_late in (False, True)
]


@pytest.fixture
async def chat(world: World) -> Chat:
    return await Chat.open(world)


async def test_a_first_message_makes_the_room(chat: Chat) -> None:
    await chat.hear("*hello*")
    room = chat.world.chats.rooms[chat.room_id]
    assert room.is_direct
    assert room.login == LOGIN
    assert room.invites == (ALICE,)
    assert chat.world.chats.names[BEN_GHOST] == "Ben (WA)"
    (said,) = chat.world.chats.said
    assert isinstance(said.content, MxMessageContent)
    assert said.sender == BEN_GHOST
    assert said.content.html == "<strong>hello</strong>"
    assert said.sent_at is not None
    assert not chat.unacknowledged()


async def test_a_message_that_comes_again_is_known(chat: Chat) -> None:
    message = chat.message(WaText(body="once"))
    await chat.receive(message, message)
    await chat.restart()
    assert chat.texts == ["once"]
    assert not chat.unacknowledged()


@pytest.mark.parametrize(("call", "is_late"), STEPS)
async def test_a_crash_neither_loses_nor_doubles(chat: Chat, call: str, is_late: bool) -> None:
    chat.world.matrix.crash(call, is_answer_lost=is_late)
    await chat.hear("one")
    await chat.hear("two")
    await chat.restart()
    assert sorted(chat.texts) == ["one", "two"]
    assert len(chat.world.chats.rooms) == 1
    assert not chat.unacknowledged()


async def test_an_outage_of_the_homeserver_is_waited_out(chat: Chat) -> None:
    await chat.hear("zero")
    chat.world.matrix.fail("send_message", MatrixUnreachable(), times=4)
    for body in ("one", "two"):
        event = chat.message(WaText(body=body))
        chat.world.bridge.on_wa_event(LOGIN, JournalSeq(100 + len(chat.journal)), event)
    await chat.let_time_pass()
    assert chat.texts[0] == "zero"
    assert sorted(chat.texts) == ["one", "two", "zero"]


async def test_a_stuck_chat_holds_up_no_other(chat: Chat) -> None:
    await chat.hear("hello")
    chat.world.matrix.fail("send_message", MatrixUnreachable())
    stuck, other = chat.message(WaText(body="stuck")), chat.message(WaText(body="other"), sender=CARLA)
    chat.world.bridge.on_wa_event(LOGIN, JournalSeq(101), stuck)
    await chat.world.until(lambda: chat.world.clock.sleeping > 0)
    chat.world.bridge.on_wa_event(LOGIN, JournalSeq(102), other)
    await chat.world.until(lambda: JournalSeq(102) in chat.client.acknowledged)
    assert JournalSeq(101) not in chat.client.acknowledged
    await chat.let_time_pass()
    assert JournalSeq(101) in chat.client.acknowledged


async def test_a_message_of_the_phone_is_the_users(chat: Chat) -> None:
    await chat.hear("hello")
    await chat.receive(chat.message(WaText(body="from my phone"), sender=OWN, chat=BEN, is_from_me=True))
    assert chat.texts == ["hello", "from my phone"]
    assert chat.world.chats.said[-1].sender == OWN_GHOST


async def test_a_note_to_oneself_has_a_room(chat: Chat) -> None:
    await chat.receive(chat.message(WaText(body="milk"), sender=OWN, chat=OWN, is_from_me=True))
    assert chat.texts == ["milk"]
    assert chat.world.chats.rooms[chat.room_id].name == "Note to yourself (WA)"


async def test_a_reply_points_at_the_event(chat: Chat) -> None:
    first = await chat.hear("question")
    context = WaContext(quote=WaQuote(message_id=first, sender=BEN, preview=WaPreview(text="question")))
    await chat.receive(chat.message(WaText(body="answer", context=context)))
    said = chat.world.chats.said[-1].content
    assert isinstance(said, MxMessageContent)
    assert said.relation == MxReply(event_id=chat.world.chats.said[0].event_id)


async def test_edits_apply_to_their_own_messages_only(chat: Chat) -> None:
    first = await chat.hear("one")
    for body in ("two", "three"):
        await chat.receive(chat.message(WaEdit(target=ref(first), content=WaText(body=body))))
    edits = [said.content for said in chat.world.chats.said[1:]]
    assert [(edit.body, edit.relation) for edit in edits if isinstance(edit, MxMessageContent)] == [
        (body, MxEdit(event_id=chat.world.chats.said[0].event_id)) for body in ("two", "three")
    ]


async def test_reactions_replace_one_another_and_go(chat: Chat) -> None:
    first = await chat.hear("hello")
    for emoji in ("👍", "❤", ""):
        await chat.receive(chat.message(WaReaction(target=ref(first), emoji=emoji)))
    reactions = [said for said in chat.world.chats.said if isinstance(said.content, MxReactionContent)]
    assert [said.content.key for said in reactions if isinstance(said.content, MxReactionContent)] == [
        to_matrix_emoji(emoji) for emoji in ("👍", "❤")
    ]
    assert [one.event_id for one in chat.world.chats.redacted] == [said.event_id for said in reactions]
    assert not chat.unacknowledged()


@pytest.mark.parametrize("policy", DeletedPolicy)
async def test_deleted_messages_go_as_the_option_says(world: World, policy: DeletedPolicy) -> None:
    world.talk_settings = TalkSettings(deleted=policy)
    await world.start_anew()
    chat = await Chat.open(world)
    first = await chat.hear("oops")
    await chat.receive(chat.message(WaRevoke(target=ref(first))))
    assert len(world.chats.redacted) == (policy is DeletedPolicy.REDACT)
    assert (notices.DELETED in chat.texts) == (policy is DeletedPolicy.MARK)
    assert not chat.unacknowledged()


async def test_the_bot_deletes_what_the_deleters_ghost_may_not(chat: Chat) -> None:
    message = chat.message(WaText(body="spam"), sender=CARLA, chat=CLUB)
    await chat.receive(message)
    revoke = WaRevoke(target=ref(message.message_id, CARLA, CLUB))
    await chat.receive(chat.message(revoke, sender=BEN, chat=CLUB))
    assert [(one.sender, one.reason) for one in chat.world.chats.redacted] == [
        (BOT, "Deleted by an admin of the group")
    ]


async def test_a_reaction_before_its_message_waits_for_it(chat: Chat) -> None:
    target = chat.message(WaText(body="late"), message_id="LATE")
    await chat.receive(chat.message(WaReaction(target=ref(target.message_id), emoji="👍")))
    assert len(chat.unacknowledged()) == 1
    await chat.receive(target)
    assert [type(said.content) for said in chat.world.chats.said] == [MxMessageContent, MxReactionContent]
    assert not chat.unacknowledged()


async def test_an_edit_of_the_unknown_is_dropped_after_minutes(chat: Chat) -> None:
    await chat.receive(
        chat.message(WaEdit(target=ref(chat.message(WaText(body="")).message_id), content=WaText(body="x")))
    )
    assert len(chat.unacknowledged()) == 1
    chat.world.clock.advance(301)
    chat.world.bridge._arrivals.drop_late()
    assert not chat.unacknowledged()
    assert not chat.world.chats.said


async def test_an_undecryptable_message_is_completed_in_place(chat: Chat) -> None:
    message = chat.message(WaText(body="now readable"))
    blind = WaUndecryptable(source=message.source, message_id=message.message_id, timestamp=message.timestamp)
    await chat.receive(blind, blind)
    assert chat.texts == [notices.UNDECRYPTABLE]
    await chat.receive(message, message, blind)
    assert len(chat.world.chats.said) == 2
    said = chat.world.chats.said[1].content
    assert isinstance(said, MxMessageContent)
    assert said.relation is not None
    assert (said.body, said.relation.event_id if isinstance(said.relation, MxEdit) else "") == (
        "now readable",
        chat.world.chats.said[0].event_id,
    )
    assert not chat.unacknowledged()


async def test_what_is_sent_again_later_completes_its_placeholder(chat: Chat) -> None:
    before, message = chat.message(WaText(body="before")), chat.message(WaText(body="now readable"))
    blind = WaUndecryptable(source=message.source, message_id=message.message_id, timestamp=message.timestamp)
    still_blind = msgspec.structs.replace(blind, timestamp=blind.timestamp + timedelta(seconds=3))
    again = msgspec.structs.replace(message, timestamp=message.timestamp + timedelta(seconds=5), retry_count=1)
    await chat.receive(before, blind, still_blind)
    assert chat.texts == ["before", notices.UNDECRYPTABLE]
    await chat.receive(again)
    assert len(chat.world.chats.said) == 3
    said = chat.world.chats.said[2].content
    assert isinstance(said, MxMessageContent)
    assert said.body == "now readable"
    assert isinstance(said.relation, MxEdit)
    assert said.relation.event_id == chat.world.chats.said[1].event_id


async def test_what_cannot_be_shown_is_named(chat: Chat) -> None:
    await chat.receive(chat.message(WaUnsupported(kind="pollCreationMessage")))
    said = chat.world.chats.said[0].content
    assert isinstance(said, MxMessageContent)
    assert said.msgtype is MxMsgType.NOTICE
    assert "poll creation" in said.body


async def test_what_nobody_handles_is_acknowledged(chat: Chat) -> None:
    history = WaHistorySync(size=1)
    await chat.receive(history, chat.message(WaSilent(kind="call")))
    status = WaJid(user="status", server="broadcast")
    await chat.receive(chat.message(WaText(body="status"), chat=status))
    assert not chat.unacknowledged()
    assert not chat.world.chats.rooms


async def test_a_number_that_becomes_a_lid_stays_one_person(chat: Chat) -> None:
    await chat.hear("by number")
    await chat.receive(chat.message(WaText(body="by both"), sender=BEN_LID, alternate=BEN))
    await chat.receive(chat.message(WaText(body="by lid"), sender=BEN_LID))
    assert chat.texts == ["by number", "by both", "by lid"]
    assert {said.sender for said in chat.world.chats.said} == {BEN_GHOST}


async def test_two_people_who_are_one_share_the_older_ghost(chat: Chat) -> None:
    await chat.hear("by number")
    await chat.receive(chat.message(WaText(body="by lid"), sender=BEN_LID, push_name=""))
    assert len(chat.world.chats.rooms) == 2
    await chat.receive(chat.message(WaText(body="by both"), sender=BEN_LID, alternate=BEN))
    assert chat.world.chats.said[-1].sender == BEN_GHOST
    assert chat.world.chats.said[-1].room_id == chat.world.chats.said[0].room_id


async def test_two_logins_see_one_group_message_once(chat: Chat) -> None:
    other = LoginId("15550009999")
    await chat.link(BOB, other)
    by_number = chat.message(WaText(body="hi all"), sender=CARLA, chat=CLUB, message_id="G1")
    await chat.receive(by_number)
    lid = WaJid(user="1000003", server="lid")
    await chat.receive(
        chat.message(WaText(body="hi all"), sender=lid, chat=CLUB, message_id="G1", at=by_number.timestamp),
        login=other,
    )
    assert chat.texts == ["hi all"]
    assert not chat.unacknowledged(other)


async def test_a_better_name_is_kept(chat: Chat) -> None:
    await chat.hear("hello")
    message = chat.message(WaText(body="from the shop"))
    await chat.receive(msgspec.structs.replace(message, business_name="Ben's Shop"))
    await chat.hear("again")
    assert chat.world.chats.names[BEN_GHOST] == "Ben's Shop (WA)"


async def test_a_mention_of_the_user_notifies_them(chat: Chat) -> None:
    context = WaContext(mentions=frozenset({OWN_LID}))
    await chat.receive(chat.message(WaText(body=f"hi @{OWN_LID.user}", context=context)))
    said = chat.world.chats.said[0].content
    assert isinstance(said, MxMessageContent)
    assert said.mentions is not None
    assert said.mentions.users == {MxUserId(ALICE)}


async def test_receipts_and_typing_are_shown(chat: Chat) -> None:
    first = await chat.hear("hello")
    await chat.receive(chat.receipt(first), chat.typing(is_typing=True), chat.typing(is_typing=False))
    assert chat.world.chats.receipts == [(chat.room_id, chat.world.chats.said[0].event_id, BEN_GHOST)]
    assert [seconds for _, _, seconds in chat.world.chats.typing] == [15.0, 0.0]
    assert not chat.unacknowledged()


async def test_a_message_the_homeserver_refuses_for_good_is_told_of_in_its_place(chat: Chat) -> None:
    await chat.hear("first")
    too_large = MatrixRefused(errcode="M_TOO_LARGE", status=413)
    chat.world.matrix.fail("send_message", too_large)
    await chat.hear("secret")
    assert chat.texts == ["first", f"⚠️ {notices.NOT_SHOWN}"]
    assert not chat.unacknowledged()
    chat.world.matrix.fail("send_message", too_large, times=2)
    await chat.hear("secret again")
    await chat.hear("last")
    assert chat.texts[2:] == ["last"]
    assert not chat.unacknowledged()
