"""Accounts that tell what people without one say."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mautrix_whatsapp_py.bridge.relays import RelaySettings
from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.errors import MatrixUnreachable
from mautrix_whatsapp_py.ids import LoginId, MxRoomId, MxUserId
from mautrix_whatsapp_py.model.content import (
    MxEdit,
    MxPollEnd,
    MxPollStart,
    MxPollVote,
    MxReply,
    WaEdit,
    WaReaction,
    WaRevoke,
    WaSendable,
    WaText,
)
from mautrix_whatsapp_py.model.polls import MxPollOption
from mautrix_whatsapp_py.model.rich import WaPoll, WaPollVote
from tests.flow.chat import BEN, CLUB, LOGIN, Chat
from tests.flow.desk import Desk
from tests.flow.rich_chat import poll
from tests.flow.world import ALICE, BLOCKED, BOB, NOLOGIN, RELAYED, ROOT, World

OPTIONS = (MxPollOption(id="a", text="Tea"), MxPollOption(id="b", text="Coffee"))


class Party:
    """A room in which alice's account speaks for others."""

    def __init__(self, desk: Desk, room_id: MxRoomId) -> None:
        self.desk = desk
        self.chat: Chat = desk.chat
        self.world = desk.world
        self.room_id = room_id

    @property
    def sent(self) -> Sequence[WaSendable]:
        """What left for WhatsApp."""
        return [message.content for message in self.chat.client.messages]

    @property
    def texts(self) -> list[str]:
        """The texts among it."""
        return [content.body for content in self.sent if isinstance(content, WaText)]


async def open_party(world: World, settings: RelaySettings | None = None) -> Party:
    world.relaying = settings or RelaySettings(is_admin_only=False)
    await world.start_anew()
    desk = await Desk.open(world)
    room_id = await desk.direct_room()
    for user in (RELAYED, NOLOGIN, BLOCKED, BOB, ROOT):
        desk.join(room_id, user)
    world.people.names |= {ALICE: "Alice", RELAYED: "Rey", NOLOGIN: "Nora", BOB: "Bob"}
    return Party(desk, room_id)


@pytest.fixture
async def party(world: World) -> Party:
    party = await open_party(world)
    answer = await party.desk.ask("!wa set-relay", room_id=party.room_id)
    assert "is sent by +15550001111" in answer
    return party


async def test_what_others_write_is_sent_with_their_name(party: Party) -> None:
    await party.chat.say("hello", sender=RELAYED)
    await party.chat.say("mine")
    await party.chat.say("and me", sender=NOLOGIN)
    await party.chat.say("who am I", sender=BLOCKED)
    assert party.texts == ["*Rey*: hello", "mine", "*Nora*: and me"]
    assert any(notices.NO_LOGIN in text for text in party.chat.texts)


async def test_it_goes_on_after_a_restart_and_a_wait(party: Party) -> None:
    party.chat.go_offline()
    await party.chat.say("one", sender=RELAYED)
    await party.chat.restart()
    await party.chat.say("two", sender=RELAYED)
    await party.chat.go_online()
    assert party.texts == ["*Rey*: one", "*Rey*: two"]


async def test_what_waits_is_not_sent_when_nobody_speaks_for_them_any_more(party: Party) -> None:
    party.chat.go_offline()
    await party.chat.say("one", sender=RELAYED)
    await party.desk.ask("!wa unset-relay", room_id=party.room_id)
    await party.chat.go_online()
    assert party.texts == []
    assert not await party.world.pending()


async def test_names_that_others_have_are_told_apart(party: Party) -> None:
    party.world.people.names[RELAYED] = "Nora\u200b"
    await party.chat.say("hello", sender=RELAYED)
    party.world.people.names[RELAYED] = "Ben"
    party.world.chats.names[BEN_GHOST] = "Ben"
    party.desk.join(party.room_id, BEN_GHOST)
    party.world.clock.advance(61)
    await party.chat.say("it is me, Ben", sender=RELAYED)
    party.world.people.names[RELAYED] = "Only Rey"
    party.world.clock.advance(61)
    await party.chat.say("me again", sender=RELAYED)
    assert party.texts == [
        "*Nora (@\u2060relayed:elsewhere)*: hello",
        "*Ben (@\u2060relayed:elsewhere)*: it is me, Ben",
        "*Only Rey*: me again",
    ]


BEN_GHOST = MxUserId("@whatsapp_15550002222:localhost")


async def test_replies_edits_and_redactions(party: Party) -> None:
    heard = party.world.chats.said[0].event_id
    said = await party.chat.say("hello", sender=RELAYED, relation=MxReply(event_id=heard))
    await party.chat.say("hello all", sender=RELAYED, relation=MxEdit(event_id=said))
    await party.chat.redact(said, sender=RELAYED)
    first, edit, revoke = party.sent
    assert isinstance(first, WaText)
    assert first.context.quote is not None
    assert first.context.quote.preview is not None
    assert first.context.quote.preview.text == "hello"
    assert isinstance(edit, WaEdit)
    assert edit.content.body == "*Rey*: hello all"
    assert isinstance(revoke, WaRevoke)
    assert revoke.target == edit.target


async def test_a_quote_says_who_wrote_it(party: Party) -> None:
    """Phones would show the words as those of the account's owner."""
    others = await party.chat.say("of Rey", sender=RELAYED)
    own = await party.chat.say("of the owner")
    for event_id, quoted in ((others, "*Rey*: of Rey"), (own, "of the owner")):
        for sender in (ALICE, NOLOGIN):
            await party.chat.say("an answer", sender=sender, relation=MxReply(event_id=event_id))
            answer = party.sent[-1]
            assert isinstance(answer, WaText)
            assert answer.context.quote is not None
            assert answer.context.quote.preview is not None
            assert answer.context.quote.preview.text == quoted


async def test_nobody_changes_what_others_wrote_with_the_same_account(party: Party) -> None:
    owners = await party.chat.say("of the owner")
    others = await party.chat.say("of Rey", sender=RELAYED)
    for writer, target in ((RELAYED, owners), (NOLOGIN, others), (ALICE, others)):
        await party.chat.say("forged", sender=writer, relation=MxEdit(event_id=target))
    await party.chat.redact(owners, sender=RELAYED)
    assert not [content for content in party.sent if isinstance(content, WaEdit | WaRevoke)]
    await party.chat.redact(others, sender=NOLOGIN)
    assert isinstance(party.sent[-1], WaRevoke)


async def test_those_for_whom_an_account_speaks_have_not_its_rights(party: Party) -> None:
    heard = party.world.chats.said[0].event_id
    await party.chat.redact(heard, sender=RELAYED)
    reaction = await party.chat.react("👍", heard)
    await party.chat.redact(reaction, sender=RELAYED)
    assert [type(content) for content in party.sent] == [WaReaction]


async def test_reactions_are_answers_that_can_be_taken_back(party: Party) -> None:
    heard = party.world.chats.said[0].event_id
    own = await party.chat.react("👍", heard)
    reaction = await party.chat.react("❤️", heard, sender=RELAYED)
    await party.chat.redact(reaction, sender=RELAYED)
    mine, said, revoke = party.sent
    assert isinstance(mine, WaReaction)
    assert isinstance(said, WaText)
    assert said.body == "*Rey* reacted with ❤️"
    assert said.context.quote is not None
    assert isinstance(revoke, WaRevoke)
    assert not [one for one in party.world.chats.redacted if one.event_id == own]
    await party.chat.redact(own)
    assert isinstance(party.sent[-1], WaReaction)


async def test_polls_and_votes(party: Party) -> None:
    start = await poll(party.chat, MxPollStart(question="Tea?", options=OPTIONS), sender=RELAYED)
    await poll(party.chat, MxPollVote(poll=start, options=("b",)), sender=NOLOGIN)
    await poll(party.chat, MxPollVote(poll=start, options=("a",)))
    await poll(party.chat, MxPollEnd(poll=start), sender=NOLOGIN)
    made, told, voted = party.sent
    assert isinstance(made, WaPoll)
    assert made.question == "Rey: Tea?"
    assert isinstance(told, WaText)
    assert told.body == "*Nora* voted: Coffee"
    assert isinstance(voted, WaPollVote)
    await poll(party.chat, MxPollEnd(poll=start), sender=RELAYED)
    assert isinstance(party.sent[-1], WaText)


async def test_what_is_not_switched_on_cannot_be_used(world: World) -> None:
    desk = await Desk.open(world)
    room_id = await desk.direct_room()
    assert "Relaying is switched off." in await desk.ask("!wa set-relay", room_id=room_id)


async def test_who_may_have_an_account_speak(world: World) -> None:
    party = await open_party(world, RelaySettings())
    ask = party.desk.ask
    assert "Only admins" in await ask("!wa set-relay", room_id=party.room_id)
    assert "no WhatsApp account in this chat" in await ask("!wa set-relay", room_id=party.room_id, sender=NOLOGIN)
    assert "no such account" in await ask("!wa set-relay +1", room_id=party.room_id)
    assert "no such account" in await ask("!wa set-relay 15550001111", room_id=party.room_id, sender=NOLOGIN)
    assert "not a WhatsApp chat" in await ask("set-relay")
    answer = await ask("!wa set-relay 15550001111", room_id=party.room_id, sender=ROOT)
    assert "is sent by +15550001111" in answer
    assert "Only its owner" in await ask("!wa unset-relay", room_id=party.room_id, sender=NOLOGIN)
    assert "is not sent any more" in await ask("!wa unset-relay", room_id=party.room_id)
    assert "No account speaks" in await ask("!wa unset-relay", room_id=party.room_id)


async def test_everybody_may_use_the_accounts_of_the_configuration(world: World) -> None:
    party = await open_party(world, RelaySettings(default_relays=(LoginId("1"), LOGIN)))
    answer = await party.desk.ask("!wa set-relay", room_id=party.room_id, sender=NOLOGIN)
    assert "is sent by +15550001111" in answer
    party.world.matrix.rooms[party.room_id].joined.discard(ALICE)
    answer = await party.desk.ask("!wa set-relay", room_id=party.room_id, sender=NOLOGIN)
    assert "not in this room" in answer


async def test_a_chat_of_one_account_is_carried_by_no_other(world: World) -> None:
    party = await open_party(world)
    other = LoginId("15550009999")
    await party.chat.link(BOB, other)
    answer = await party.desk.ask("!wa set-relay 15550009999", room_id=party.room_id, sender=BOB)
    assert "belongs to another WhatsApp account" in answer


async def test_a_group_may_be_carried_by_any_account_in_it(party: Party) -> None:
    await party.chat.receive(party.chat.message(WaText(body="in the club"), chat=CLUB, sender=BEN))
    club = next(room_id for room_id in party.world.chats.rooms if room_id != party.room_id)
    for user in (ALICE, RELAYED):
        party.desk.join(club, user)
    await party.desk.ask("!wa set-relay", room_id=club)
    event = party.world.text("hello club", room_id=club, sender=RELAYED)
    await party.world.deliver(event)
    await party.world.settled()
    assert party.texts == ["*Rey*: hello club"]


async def test_a_room_that_is_let_go_of_forgets_who_spoke(party: Party) -> None:
    await party.desk.ask("!wa unbridge", room_id=party.room_id)
    async with party.world.store.reading() as tx:
        assert not await party.world.talk.rows.facts.get_prefixed(tx, "relay:")


async def test_the_homeserver_may_be_away(party: Party) -> None:
    party.world.matrix.fail("fetch_names", MatrixUnreachable(), times=2)
    await party.world.deliver(party.world.text("hello", room_id=party.room_id, sender=RELAYED))
    await party.chat.let_time_pass()
    assert party.texts == ["*Rey*: hello"]


async def test_a_name_like_a_phone_number_is_told_apart(party: Party) -> None:
    party.world.people.names[RELAYED] = "+1 555 000 2222"
    await party.chat.say("hello", sender=RELAYED)
    assert party.texts == ["*1 555 000 2222 (@\u2060relayed:elsewhere)*: hello"]
