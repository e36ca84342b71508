"""Places, contacts, polls, events, invitations, pins and albums, on a homeserver and a WhatsApp in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from mautrix_whatsapp_py.bridge.disappearing import redact_due
from mautrix_whatsapp_py.bridge.from_matrix.live_places import ONLY_ONCE
from mautrix_whatsapp_py.bridge.from_whatsapp.live import end_due as end_live
from mautrix_whatsapp_py.bridge.from_whatsapp.pin import end_due as end_pins
from mautrix_whatsapp_py.bridge.from_whatsapp.poll import end_due as end_polls
from mautrix_whatsapp_py.bridge.talk import TalkSettings
from mautrix_whatsapp_py.convert.polls import digest_of
from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, WaMessageId
from mautrix_whatsapp_py.matrix.place_content import LIVE
from mautrix_whatsapp_py.model import rich
from mautrix_whatsapp_py.model.content import (
    MxEdit,
    MxFlag,
    MxLocation,
    MxMessageContent,
    MxMsgType,
    MxPollEnd,
    MxPollStart,
    MxPollVote,
    MxReply,
    WaContent,
    WaContext,
    WaEphemeralTimer,
    WaRevoke,
    WaText,
)
from mautrix_whatsapp_py.model.mx import MxMessage
from mautrix_whatsapp_py.model.polls import MxPollOption
from mautrix_whatsapp_py.model.wa import WaMessage
from tests.fakes.whatsapp import START
from tests.flow import rich_chat
from tests.flow.chat import BEN, BEN_GHOST, CARLA, CLUB, OWN, Chat, ref
from tests.flow.rich_chat import said_as, tally, votes
from tests.flow.world import ALICE, World

POLL = rich.WaPoll(question="Eat?", options=("Lunch", "Dinner"), selectable=1)
LUNCH, DINNER = digest_of("Lunch"), digest_of("Dinner")


@pytest.fixture
async def chat(world: World) -> Chat:
    return await Chat.open(world)


async def get(chat: Chat, content: WaContent) -> MxMessageContent:
    """What Ben's message comes to."""
    await chat.receive(chat.message(content))
    last = chat.world.chats.said[-1].content
    assert isinstance(last, MxMessageContent)
    assert not chat.unacknowledged()
    return last


async def later(chat: Chat, *, hours: int) -> None:
    """Time passes, and the bridge looks at what is due."""
    chat.world.clock.advance(hours * 3_600)
    await end_polls(chat.world.talk)
    await end_live(chat.world.talk)
    await end_pins(chat.world.talk)


async def test_every_told_kind_arrives(chat: Chat) -> None:
    place = await get(chat, rich.WaLocation(latitude=1, longitude=2, name="Zoo"))
    assert place.location == MxLocation(latitude=1, longitude=2)
    invite = await get(chat, rich.WaGroupInvite(group=CLUB, code="C", name="Club"))
    assert invite.invite is not None
    assert invite.invite.inviter == BEN
    assert "Party" in (await get(chat, rich.WaOccasion(name="Party"))).body
    assert "Order" in (await get(chat, rich.WaCard(kind=rich.WaCardKind.ORDER, body="Order"))).body
    head = await get(chat, rich.WaAlbum(images=2))
    assert head.msgtype is MxMsgType.NOTICE


async def test_an_answer_to_an_event_is_a_reply_to_it(chat: Chat) -> None:
    event = chat.message(rich.WaOccasion(name="Party"))
    await chat.receive(event)
    shown = chat.world.chats.said[-1].event_id
    answer = rich.WaOccasionAnswer(target=ref(event.message_id), answer=rich.WaAnswer.NOT_GOING)
    assert (await get(chat, answer)).relation == MxReply(event_id=shown)


# Polls


def vote_of(chat: Chat, poll: WaMessage, *digests: bytes, own: bool = False) -> WaMessage:
    target = ref(poll.message_id, sender=BEN)
    content = rich.WaPollVote(target=target, options=digests)
    return chat.message(content, sender=OWN if own else BEN, chat=BEN, is_from_me=own)


async def test_a_poll_from_whatsapp_shows_its_votes(chat: Chat) -> None:
    poll = chat.message(POLL)
    await chat.receive(poll)
    (shown,) = said_as(chat, MxPollStart)
    assert shown.sender == BEN_GHOST
    assert chat.texts == ["📊 Eat?\n1. Lunch\n2. Dinner"]
    await chat.receive(vote_of(chat, poll, LUNCH), vote_of(chat, poll, DINNER, own=True))
    ballots = [one.content for one in said_as(chat, MxPollVote)]
    assert ballots == [
        MxPollVote(poll=shown.event_id, options=(LUNCH.hex(),)),
        MxPollVote(poll=shown.event_id, options=(DINNER.hex(),)),
    ]
    assert tally(chat) == "📊 Eat?\n1. Lunch – 1 vote\n2. Dinner – 1 vote\n2 people voted."
    await chat.receive(vote_of(chat, poll, DINNER))
    assert tally(chat) == "📊 Eat?\n1. Lunch – 0 votes\n2. Dinner – 2 votes\n2 people voted."
    await chat.receive(vote_of(chat, poll))
    assert tally(chat).endswith("1 person voted.")
    edits = [one.content for one in chat.world.chats.said if isinstance(one.content, MxMessageContent)][1:]
    (text_id,) = {one.relation.event_id for one in edits if isinstance(one.relation, MxEdit)}
    assert text_id != shown.event_id
    await chat.reply("I like that", shown.event_id)
    quoted = chat.client.messages[-1].content
    assert isinstance(quoted, WaText)
    assert quoted.context.quote is not None
    assert not chat.unacknowledged()


async def test_polls_as_text_alone(world: World) -> None:
    world.talk_settings = TalkSettings(with_poll_events=False)
    await world.restart()
    chat = await Chat.open(world)
    poll = chat.message(POLL)
    await chat.receive(poll, vote_of(chat, poll, LUNCH))
    assert not said_as(chat, MxPollStart)
    assert not said_as(chat, MxPollVote)
    assert tally(chat).endswith("1. Lunch – 1 vote\n2. Dinner – 0 votes\n1 person voted.")
    contents = [one.content for one in said_as(chat, MxMessageContent)]
    assert all(isinstance(one, MxMessageContent) and one.msgtype is MxMsgType.TEXT for one in contents)


@pytest.mark.parametrize("ends_at", [START - timedelta(days=3650), START + timedelta(days=3650)])
async def test_polls_and_votes_of_clocks_ten_years_off(chat: Chat, ends_at: datetime) -> None:
    poll = chat.message(rich.WaPoll(question="?", options=("Lunch",), ends_at=ends_at), at=ends_at)
    await chat.receive(poll, vote_of(chat, poll, LUNCH))
    await later(chat, hours=1)
    assert len(said_as(chat, MxPollEnd)) == (ends_at < START)
    await chat.receive(vote_of(chat, poll))
    assert tally(chat).endswith("0 people voted.")
    assert not chat.unacknowledged()


async def test_votes_are_not_counted_twice(chat: Chat) -> None:
    poll = chat.message(POLL)
    vote = vote_of(chat, poll, LUNCH)
    await chat.receive(poll, vote)
    count = len(chat.world.chats.said)
    await chat.receive(poll, vote)
    assert len(chat.world.chats.said) == count


async def test_a_vote_waits_for_its_poll(chat: Chat) -> None:
    await chat.hear("hello")
    poll = chat.message(POLL)
    await chat.receive(vote_of(chat, poll, LUNCH))
    assert len(chat.unacknowledged()) == 1
    await chat.receive(poll)
    assert "1. Lunch – 1 vote" in tally(chat)
    assert not chat.unacknowledged()


async def test_votes_from_matrix(chat: Chat) -> None:
    poll = chat.message(POLL)
    await chat.receive(poll)
    (shown,) = said_as(chat, MxPollStart)
    await rich_chat.poll(chat, MxPollVote(poll=shown.event_id, options=(LUNCH.hex(),)))
    await rich_chat.poll(chat, MxPollVote(poll=shown.event_id, options=(DINNER.hex(), LUNCH.hex())))
    assert votes(chat) == [(LUNCH,), (DINNER,)]
    assert tally(chat).endswith("1. Lunch – 0 votes\n2. Dinner – 1 vote\n1 person voted.")
    await rich_chat.poll(chat, MxPollVote(poll=shown.event_id, options=("nonsense",)))
    assert "is not on WhatsApp" in chat.texts[-1]
    assert not await chat.world.pending()


async def test_a_poll_from_matrix(chat: Chat) -> None:
    await chat.hear("hello")
    options = (MxPollOption(id="x", text="Lunch"), MxPollOption(id="y", text="Dinner"))
    event_id = await rich_chat.poll(chat, MxPollStart(question="Eat?", options=options))
    sent = chat.client.messages[-1]
    assert sent.content == POLL
    target = ref(sent.message_id, sender=OWN)
    await chat.receive(chat.message(rich.WaPollVote(target=target, options=(DINNER,))))
    (ballot,) = said_as(chat, MxPollVote)
    assert ballot.content == MxPollVote(poll=event_id, options=("y",))
    assert chat.texts[-1] == "📊 Eat?\n1. Lunch – 0 votes\n2. Dinner – 1 vote\n1 person voted."
    await rich_chat.poll(chat, MxPollVote(poll=event_id, options=("x",)))
    assert votes(chat) == [(LUNCH,)]
    await rich_chat.poll(chat, MxPollEnd(poll=event_id))
    said = chat.client.messages[-1].content
    assert isinstance(said, WaText)
    assert said.body.startswith("The poll is over.")
    assert "Dinner – 1 vote" in said.body
    await rich_chat.poll(chat, MxPollStart(question="?", options=options[:1]))
    assert "2 to 12 options" in chat.texts[-1]


async def test_a_poll_ends_when_its_time_has_come(chat: Chat) -> None:
    poll = rich.WaPoll(question="Eat?", options=("Lunch",), ends_at=START + timedelta(hours=1))
    await chat.receive(chat.message(poll))
    await later(chat, hours=2)
    assert len(said_as(chat, MxPollEnd)) == 1
    assert tally(chat).endswith("0 people voted. The poll is over.")
    await later(chat, hours=2)
    assert len(said_as(chat, MxPollEnd)) == 1


# Live locations


def live(sequence: int, latitude: float) -> rich.WaLiveLocation:
    return rich.WaLiveLocation(latitude=latitude, longitude=0, sequence=sequence)


async def test_a_live_location_moves(chat: Chat) -> None:
    first = await get(chat, live(1, 1.0))
    assert first.relation is None
    event_id = chat.world.chats.said[-1].event_id
    moved = await get(chat, live(2, 2.0))
    assert moved.relation == MxEdit(event_id=event_id)
    assert moved.location == MxLocation(latitude=2, longitude=0)
    count = len(chat.world.chats.said)
    await chat.receive(chat.message(live(2, 2.0)))
    assert len(chat.world.chats.said) == count
    await later(chat, hours=9)
    ended = chat.world.chats.said[-1].content
    assert isinstance(ended, MxMessageContent)
    assert ended.relation == MxEdit(event_id=event_id)
    assert "ended" in ended.body
    assert (await get(chat, live(3, 3.0))).relation is None


# Pins


async def test_pins_both_ways(chat: Chat) -> None:
    message_id = await chat.hear("hello")
    event_id = chat.world.chats.said[-1].event_id
    await chat.receive(chat.message(rich.WaPin(target=ref(message_id), is_pinned=True)))
    assert chat.world.chats.pins[chat.room_id] == [event_id]
    await chat.receive(chat.message(rich.WaPin(target=ref(message_id), is_pinned=False)))
    assert chat.world.chats.pins[chat.room_id] == []
    await rich_chat.pin(chat, event_id, MxEventId("$other"))
    await rich_chat.pin(chat, before=(event_id,))
    pins = [sent.content for sent in chat.client.messages]
    assert pins == [
        rich.WaPin(target=ref(message_id), is_pinned=True, seconds=2_592_000),
        rich.WaPin(target=ref(message_id), is_pinned=False),
    ]
    chat.go_offline()
    await rich_chat.pin(chat, event_id)
    assert "link is down" in chat.texts[-1]
    assert not await chat.world.pending()


async def test_a_pin_ends_when_its_time_has_come(chat: Chat) -> None:
    message_id = await chat.hear("hello")
    event_id = chat.world.chats.said[-1].event_id
    await chat.receive(chat.message(rich.WaPin(target=ref(message_id), is_pinned=True, seconds=86_400)))
    await later(chat, hours=20)
    assert chat.world.chats.pins[chat.room_id] == [event_id]
    await later(chat, hours=5)
    assert chat.world.chats.pins[chat.room_id] == []
    await chat.receive(chat.message(rich.WaPin(target=ref(message_id), is_pinned=True, seconds=2**32 - 1)))
    await later(chat, hours=500)
    assert chat.world.chats.pins[chat.room_id] == [event_id]


# Places and contacts from Matrix


async def test_places_and_contacts_from_matrix(chat: Chat) -> None:
    card = rich.WaVcard(name="Jane", text="BEGIN:VCARD\nFN:Jane\nTEL:+1 555\nEND:VCARD")
    shared = await get(chat, rich.WaContactCards(cards=(card,)))
    assert (shared.msgtype, shared.file_name) == (MxMsgType.FILE, "Jane.vcf")
    assert "📞 +1 555" in shared.body
    assert shared.file is not None
    sent = MxMessageContent(msgtype=MxMsgType.FILE, body="Jane.vcf", file_name="Jane.vcf", file=shared.file)
    await rich_chat.send(chat, sent)
    assert chat.client.messages[-1].content == rich.WaContactCards(cards=(card,))
    at = MxLocation(latitude=1, longitude=2)
    await rich_chat.send(chat, MxMessageContent(msgtype=MxMsgType.LOCATION, body="Zoo", location=at))
    assert chat.client.messages[-1].content == rich.WaLocation(latitude=1, longitude=2, name="Zoo")


async def test_of_a_live_location_whatsapp_gets_the_beginning(chat: Chat) -> None:
    await chat.hear("hello")

    def beacon(latitude: float) -> MxMessage:
        at = MxLocation(latitude=latitude, longitude=2)
        live = frozenset({MxFlag.LIVE})
        content = MxMessageContent(msgtype=MxMsgType.LOCATION, body=LIVE, location=at, flags=live)
        origin = replace(chat.world.origin(chat.room_id, ALICE), event_id=MxEventId("$began"))
        return MxMessage(origin=origin, content=content)

    await chat.world.deliver(beacon(1))
    # The events of further positions have ids of their own, of which nothing is left by then.
    chat.world.bridge.on_mx_event(beacon(3), InboxSeq(1_000))
    await chat.world.settled()
    await chat.restart()
    chat.world.bridge.on_mx_event(beacon(4), InboxSeq(1_001))
    await chat.world.settled()
    sent = [one.content for one in chat.client.messages]
    assert sent == [rich.WaLocation(latitude=1, longitude=2, name=LIVE)]
    assert [one for one in said_words(chat) if ONLY_ONCE in one] == [ONLY_ONCE]
    await chat.redact(MxEventId("$began"))
    assert isinstance(chat.client.messages[-1].content, WaRevoke)


def said_words(chat: Chat) -> list[str]:
    """All that was said in words."""
    return [one.content.body for one in chat.world.chats.said if isinstance(one.content, MxMessageContent)]


# Comments, and what only groups have


async def test_a_comment_belongs_to_its_announcement(chat: Chat) -> None:
    root = chat.message(WaText(body="news"), sender=CARLA, chat=CLUB)
    await chat.receive(root)
    target = ref(root.message_id, sender=CARLA, chat=CLUB)
    await chat.receive(chat.message(rich.WaComment(target=target, body="nice"), sender=BEN, chat=CLUB))
    said = chat.world.chats.said[-1].content
    assert isinstance(said, MxMessageContent)
    assert said.body == "nice"
    assert said.relation is not None


async def test_a_disappearing_poll_goes(chat: Chat) -> None:
    poll = rich.WaPoll(question="?", options=("a",), context=WaContext(disappears_after_s=60))
    await chat.receive(chat.message(poll))
    shown = {one.event_id for one in chat.world.chats.said}
    chat.world.clock.advance(3_600)
    await redact_due(chat.world.talk)
    assert {one.event_id for one in chat.world.chats.redacted} >= shown
    options = (MxPollOption(id="x", text="Lunch"), MxPollOption(id="y", text="Dinner"))
    await chat.receive(chat.message(WaEphemeralTimer(timer_s=60)))
    own = await rich_chat.poll(chat, MxPollStart(question="?", options=options))
    chat.world.clock.advance(3_600)
    await redact_due(chat.world.talk)
    assert own in {one.event_id for one in chat.world.chats.redacted}


async def test_what_is_about_the_unknown_stalls_nobody(chat: Chat) -> None:
    await chat.hear("hello")
    never = ref(WaMessageId("NEVER"))
    await chat.receive(
        chat.message(rich.WaPin(target=never, is_pinned=True)),
        chat.message(rich.WaPollVote(target=never, options=())),
        chat.message(rich.WaOccasionAnswer(target=never, answer=rich.WaAnswer.MAYBE)),
        chat.message(rich.WaComment(target=never, body="to nothing")),
    )
    assert "to nothing" in chat.texts
    assert "❔ Maybe" in chat.texts
    await chat.hear("still here")
    assert "still here" in chat.texts
    chat.world.clock.advance(60)
    event_id = MxEventId("$never")
    await rich_chat.poll(chat, MxPollVote(poll=event_id, options=("a",)))
    await rich_chat.poll(chat, MxPollEnd(poll=event_id))
    await rich_chat.pin(chat, event_id)
    assert not chat.client.messages
    await chat.say("me too")
    assert isinstance(chat.client.messages[-1].content, WaText)
