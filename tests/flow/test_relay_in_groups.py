"""People with an account that is not in the group in whose room they write."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mautrix_whatsapp_py.bridge.files import Files
from mautrix_whatsapp_py.bridge.relays import RelaySettings
from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.errors import WhatsAppRefused
from mautrix_whatsapp_py.ids import LoginId, MxRoomId, MxUri, WaJid
from mautrix_whatsapp_py.model.content import (
    MxEdit,
    MxMessageContent,
    MxMsgType,
    MxPollStart,
    MxPollVote,
    MxReply,
    WaEdit,
    WaRevoke,
    WaSendable,
    WaText,
)
from mautrix_whatsapp_py.model.media import MxFile, WaMedia
from mautrix_whatsapp_py.model.polls import MxPollOption
from mautrix_whatsapp_py.model.rich import WaPoll
from mautrix_whatsapp_py.model.wa import WaGroupChanged, WaGroupJoined
from tests.fakes.files import FakeMatrixFiles, FakeTools, FakeWaFiles
from tests.fakes.whatsapp import START
from tests.flow.chat import BEN, CLUB, LOGIN
from tests.flow.desk import Desk
from tests.flow.rich_chat import poll, send
from tests.flow.test_group_rooms import GROUP
from tests.flow.world import ALICE, BOB, World

BOBS = LoginId("15550009999")
BOBS_PN, BOBS_LID = WaJid(user=BOBS, server="s.whatsapp.net"), WaJid(user="1000009", server="lid")
OPTIONS = (MxPollOption(id="a", text="Tea"), MxPollOption(id="b", text="Coffee"))


class Club:
    """The room of a group in which alice's account is; bob was invited by her, and his is not."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.chat = desk.chat
        self.world = desk.world

    @property
    def room_id(self) -> MxRoomId:
        return self.chat.room_id

    def sent(self, login: LoginId = LOGIN) -> Sequence[WaSendable]:
        """What an account has sent to WhatsApp."""
        return [message.content for message in self.world.network.clients[login].messages]

    async def relay(self) -> None:
        answer = await self.desk.ask("!wa set-relay", room_id=self.room_id)
        assert "is sent by +15550001111" in answer

    async def let_in(self) -> None:
        """Bob's account comes into the group."""
        await self.chat.receive(WaGroupChanged(chat=CLUB, timestamp=START, sender=BEN, joined=(BOBS_LID,)))

    async def remove(self) -> None:
        """Somebody removes it; both accounts are told."""
        event = WaGroupChanged(chat=CLUB, timestamp=START, sender=BEN, left=(BOBS_LID,))
        await self.chat.receive(event, login=BOBS)
        await self.chat.receive(event)


@pytest.fixture
async def club(world: World) -> Club:
    world.relaying = RelaySettings(is_admin_only=False)
    await world.start_anew()
    desk = await Desk.open(world)
    await desk.chat.link(BOB, BOBS, BOBS_LID)
    world.directories.require(LOGIN).described[CLUB] = GROUP
    await desk.chat.receive(WaGroupJoined(group=GROUP))
    for user in (ALICE, BOB):
        desk.join(desk.chat.room_id, user)
    world.people.names |= {ALICE: "Alice", BOB: "Bob"}
    return Club(desk)


async def test_another_account_carries_all_they_do(club: Club) -> None:
    await club.relay()
    chat = club.chat
    said = await chat.say("hello", sender=BOB)
    await chat.say("hello all", sender=BOB, relation=MxEdit(event_id=said))
    reaction = await chat.react("👍", said, sender=BOB)
    await chat.redact(reaction, sender=BOB)
    await chat.redact(said, sender=BOB)
    first, edit, reacted, taken_back, revoke = club.sent()
    assert isinstance(first, WaText)
    assert first.body == "*Bob*: hello"
    assert isinstance(edit, WaEdit)
    assert edit.content.body == "*Bob*: hello all"
    assert isinstance(reacted, WaText)
    assert reacted.body == "*Bob* reacted with 👍"
    assert isinstance(taken_back, WaRevoke)
    assert isinstance(revoke, WaRevoke)
    assert revoke.target == edit.target
    assert not club.sent(BOBS)


async def test_polls_votes_and_quotes(club: Club) -> None:
    await club.relay()
    asked = await poll(club.chat, MxPollStart(question="Tea?", options=OPTIONS), sender=BOB)
    await poll(club.chat, MxPollVote(poll=asked, options=("b",)), sender=BOB)
    said = await club.chat.say("hello", sender=BOB)
    await club.chat.say("an answer", relation=MxReply(event_id=said))
    made, voted, _, answer = club.sent()
    assert isinstance(made, WaPoll)
    assert made.question == "Bob: Tea?"
    assert isinstance(voted, WaText)
    assert voted.body == "*Bob* voted: Coffee"
    assert isinstance(answer, WaText)
    assert answer.body == "an answer"
    assert answer.context.quote is not None
    assert answer.context.quote.preview is not None
    assert answer.context.quote.preview.text == "*Bob*: hello"


async def test_files(club: Club, tmp_path_factory: pytest.TempPathFactory) -> None:
    world, store = club.world, FakeMatrixFiles()
    folder = tmp_path_factory.mktemp("media")
    world.files = Files(folder=folder, source=FakeWaFiles(), store=store, tools=FakeTools(), clock=world.clock)
    await world.restart()
    await club.relay()
    uri = MxUri("mxc://localhost/photo")
    store.files[uri] = b"photo"
    file = MxFile(uri=uri, mime_type="image/jpeg")
    content = MxMessageContent(msgtype=MxMsgType.IMAGE, body="look", file_name="a.jpg", file=file)
    await send(club.chat, content, sender=BOB)
    (photo,) = club.sent()
    assert isinstance(photo, WaMedia)
    assert photo.caption == "*Bob* sent an image: look"


async def test_they_write_as_themselves_as_soon_as_they_are_in_the_group_and_as_long(club: Club) -> None:
    await club.relay()
    await club.chat.say("before", sender=BOB)
    await club.let_in()
    await club.chat.say("inside", sender=BOB)
    await club.remove()
    club.desk.join(club.room_id, BOB)
    await club.chat.say("after", sender=BOB)
    bodies = [[one.body for one in club.sent(login) if isinstance(one, WaText)] for login in (LOGIN, BOBS)]
    assert bodies == [["*Bob*: before", "*Bob*: after"], ["inside"]]


async def test_whoever_a_group_came_to_is_in_it_whatever_its_list_of_members_says(club: Club) -> None:
    """Lists may name people by addresses that are not known to be theirs."""
    await club.relay()
    await club.chat.receive(club.chat.message(WaText(body="to all"), chat=CLUB, sender=BEN), login=BOBS)
    await club.chat.say("hello", sender=BOB)
    assert [type(one) for one in club.sent(BOBS)] == [WaText]
    assert not club.sent()


async def test_who_turns_out_not_to_be_there_is_told_and_relayed_from_then_on(club: Club) -> None:
    await club.relay()
    await club.chat.receive(club.chat.message(WaText(body="to all"), chat=CLUB, sender=BEN), login=BOBS)
    club.world.network.clients[BOBS].faults.append(WhatsAppRefused(code="not-a-member"))
    await club.chat.say("lost", sender=BOB)
    assert notices.NOT_IN_GROUP.format(number="+15550009999") in club.chat.texts[-1]
    await club.chat.say("again", sender=BOB)
    (again,) = club.sent()
    assert isinstance(again, WaText)
    assert again.body == "*Bob*: again"
    assert not club.sent(BOBS)


async def test_without_a_relay_they_are_told_that_they_are_not_in_the_group(club: Club) -> None:
    await club.chat.say("hello", sender=BOB)
    assert notices.NO_LOGIN in club.chat.texts[-1]
    assert not club.sent()
    assert not club.sent(BOBS)
    assert not await club.world.pending()


async def test_an_account_that_is_not_there_speaks_for_nobody(club: Club) -> None:
    assert "no WhatsApp account in this chat" in await club.desk.ask(
        "!wa set-relay", room_id=club.room_id, sender=BOB
    )
    answer = await club.desk.ask(f"!wa set-relay {BOBS}", room_id=club.room_id, sender=BOB)
    assert "+15550009999 is not in this group" in answer


async def test_of_two_accounts_the_one_that_is_there_writes(club: Club) -> None:
    other = LoginId("15550008888")
    await club.chat.link(BOB, other)
    await club.relay()
    joined = (WaJid(user=other, server="s.whatsapp.net"),)
    await club.chat.receive(WaGroupChanged(chat=CLUB, timestamp=START, sender=BEN, joined=joined))
    await club.chat.say("hello", sender=BOB)
    assert [type(one) for one in club.sent(other)] == [WaText]
    assert not club.sent()
