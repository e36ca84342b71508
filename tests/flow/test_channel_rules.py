"""Who is heard by the channel, what wakes its reader, and our own surface."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from mautrix_whatsapp_py.config.channel import AckGroups, AckReaction, ChannelActions
from mautrix_whatsapp_py.ids import JournalSeq, WaMessageId
from mautrix_whatsapp_py.model.content import WaContext, WaMessageRef, WaReaction, WaText
from mautrix_whatsapp_py.model.rich import WaPoll, WaPollVote
from mautrix_whatsapp_py.model.wa import WaMessage, WaSource
from mautrix_whatsapp_py.store.store import Store
from tests.flow.channel_desk import BEN, BEN_LID, CLUB, EVE, LOGIN, OWN_LID, Desk, desk_of, number

TO_BEN = {"id": f"whatsapp-personal:default:contact:+{BEN}"}


@pytest.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_of(store, tmp_path / "desk", allow_from=(f"+{BEN}",)) as desk:
        yield desk


async def test_a_stranger_gets_one_code_and_the_owner_decides(store: Store, tmp_path: Path) -> None:
    async with desk_of(store, tmp_path / "desk") as desk:
        await desk.hear("let me in")
        await desk.hear("hello?")
        await desk.restart()
        await desk.hear("hello??")
        assert await desk.texts_read() == []
        assert len(desk.texts) == 1
        _, pending = await desk.call("GET", "/v1/pairing")
        (request,) = pending["requests"]
        assert request["code"] in desk.texts[0]
        for digits in ("15550004444", "15550005555", "15550006666"):
            await desk.hear("me too", sender=number(digits))
        _, pending = await desk.call("GET", "/v1/pairing")
        assert len(pending["requests"]) == 3
        assert len(desk.texts) == 3

        assert await desk.call("POST", "/v1/pairing/approve", {"code": request["code"].lower()}) == (
            200,
            {"ok": True, "number": f"+{BEN}"},
        )
        assert (await desk.call("POST", "/v1/pairing/approve", {"code": request["code"]}))[0] == 404
        await desk.restart()
        await desk.hear("thank you")
        assert await desk.texts_read() == ["thank you"]
        denied = pending["requests"][-1]["code"]
        assert (await desk.call("POST", "/v1/pairing/deny", {"code": denied}))[0] == 200
        await desk.hear("and me?", sender=number("15550005555"))
        assert await desk.texts_read() == ["thank you"]


async def test_guessing_codes_is_locked(store: Store, tmp_path: Path) -> None:
    async with desk_of(store, tmp_path / "desk") as desk:
        await desk.hear("let me in")
        _, pending = await desk.call("GET", "/v1/pairing")
        guesses = [(await desk.call("POST", "/v1/pairing/approve", {"code": "ABCDEFGH"}))[0] for _ in range(1000)]
        assert (guesses.count(404), guesses.count(429)) == (10, 990)
        right = {"code": pending["requests"][0]["code"]}
        assert (await desk.call("POST", "/v1/pairing/approve", right))[0] == 429
        desk.clock.advance(15 * 60)
        assert (await desk.call("POST", "/v1/pairing/approve", right))[0] == 200


async def test_a_code_is_good_for_an_hour(store: Store, tmp_path: Path) -> None:
    async with desk_of(store, tmp_path / "desk") as desk:
        await desk.hear("let me in")
        _, pending = await desk.call("GET", "/v1/pairing")
        desk.clock.advance(3600)
        late = {"code": pending["requests"][0]["code"]}
        assert (await desk.call("POST", "/v1/pairing/approve", late))[0] == 404
        await desk.hear("let me in now")
        assert len(desk.texts) == 2


async def test_groups_are_heard_when_they_address_the_account(desk: Desk) -> None:
    await desk.hear("just talking", chat=CLUB)
    await desk.hear("more talk", chat=CLUB, sender=BEN_LID)
    await desk.hear("I am Eve", chat=CLUB, sender=number(EVE))
    mention = WaContext(mentions=frozenset({OWN_LID}))
    await desk.hear(WaText(body="@1000001 what do you say?", context=mention), chat=CLUB)
    (item,) = await desk.batch()
    assert item["reply_target"]["id"] == f"whatsapp-personal:default:group:{CLUB}"
    assert item["session"]["session_key"] == f"whatsapp:group:{CLUB}"
    assert item["text"] == (
        "[Chat messages since your last reply - for context]\n"
        f"just talking\n[from: Ben (+{BEN})]\n\n"
        "[Current message - respond to this]\n"
        f"@1000001 what do you say?\n[from: Ben (+{BEN})]"
    )


async def test_activation_is_chosen_in_the_group_by_its_owner_and_kept(desk: Desk) -> None:
    await desk.hear("/activation always", chat=CLUB, sender=number(EVE))
    await desk.hear("not yet", chat=CLUB)
    assert await desk.texts_read() == []
    await desk.hear("/activation always", chat=CLUB)
    await desk.restart()
    await desk.hear("now", chat=CLUB)
    assert len(await desk.texts_read()) == 1
    await desk.hear("/activation mention", chat=CLUB, sender=number(LOGIN), is_from_me=True)
    await desk.hear("no more", chat=CLUB)
    assert len(await desk.texts_read()) == 1


async def test_acceptance_is_shown_and_not_in_the_own_chat(store: Store, tmp_path: Path) -> None:
    ack = AckReaction(emoji="👀", group=AckGroups.MENTIONS)
    allowed = (f"+{BEN}", f"+{LOGIN}")
    async with desk_of(store, tmp_path / "desk", allow_from=allowed, ack_reaction=ack) as desk:
        message_id = await desk.hear("hello")
        await desk.hear("note to myself", sender=number(LOGIN), is_from_me=True)
        for task in tuple(desk.parts.courtesies.tasks):
            await task
        reactions = [one.content for one in desk.client.messages if isinstance(one.content, WaReaction)]
        assert [(one.emoji, one.target.message_id) for one in reactions][:1] == [("👀", message_id)]
        assert [mark.message_ids for mark in desk.client.marked] == [(message_id,)]
        status, _ = await desk.call("POST", "/v1/messages", {"target": f"contact:+{LOGIN}", "text": "noted"})
        assert status == 200
        assert desk.texts == ["[default] noted"]


async def test_own_messages_broadcasts_and_channels_are_ignored(desk: Desk) -> None:
    await desk.hear("from my phone", chat=number(BEN), sender=number(LOGIN), is_from_me=True)
    for server in ("broadcast", "newsletter"):
        await desk.hear("news", chat=type(CLUB)(user="status", server=server))
    assert await desk.texts_read() == []


async def test_reactions_have_their_gate_and_know_their_message(desk: Desk, store: Store, tmp_path: Path) -> None:
    message_id = await desk.hear("hello", sender=BEN_LID, chat=CLUB)
    mentioned = WaText(body="hi", context=WaContext(mentions=frozenset({OWN_LID})))
    message_id = await desk.hear(mentioned, chat=CLUB)
    body = {"target": f"group:{CLUB}", "message_id": message_id, "emoji": "👍"}
    assert (await desk.call("POST", "/v1/reactions", body))[0] == 200
    sent = desk.client.messages[-1].content
    assert isinstance(sent, WaReaction)
    assert (sent.target.message_id, sent.target.sender) == (message_id, number(BEN))
    assert (await desk.call("POST", "/v1/reactions", {**body, "message_id": "NONE"}))[0] == 404
    assert (await desk.call("POST", "/v1/reactions", {**body, "emoji": "yes"}))[0] == 400
    async with desk_of(store, tmp_path / "other", actions=ChannelActions(reactions=False)) as gated:
        assert (await gated.call("POST", "/v1/reactions", body))[0] == 403


async def test_read_and_typing_reach_whatsapp(desk: Desk) -> None:
    message_id = await desk.hear("hello")
    body = {"target": TO_BEN["id"], "message_ids": [message_id]}
    assert (await desk.call("POST", "/v1/read", body))[0] == 200
    assert desk.client.marked[-1].message_ids == (message_id,)
    assert (await desk.call("POST", "/v1/typing", {"target": TO_BEN["id"], "typing": True}))[0] == 200
    assert desk.client.typing == [(number(BEN), True)]


async def test_chats_and_contacts_are_those_that_may_be_touched(desk: Desk) -> None:
    desk.directory.add_group("12036300", "Club")
    desk.directory.add_contact(BEN, "Ben")
    assert await desk.call("GET", "/v1/chats") == (
        200,
        {"chats": [{"target": f"whatsapp-personal:default:group:{CLUB}", "name": "Club", "is_group": True}]},
    )
    _, contacts = await desk.call("GET", "/v1/contacts?account=default")
    assert contacts["chats"] == [{"target": TO_BEN["id"], "name": "Ben", "is_group": False}]


async def test_events_go_on_behind_a_cursor_and_stream(desk: Desk) -> None:
    await desk.hear("one")
    await desk.hear("two")
    _, page = await desk.call("GET", "/v1/events?limit=1")
    assert [item["text"] for item in page["items"]] == ["one"]
    _, rest = await desk.call("GET", f"/v1/events?after={page['next']}")
    assert [item["text"] for item in rest["items"]] == ["two"]
    async with desk.http.get("/v1/events/stream", headers={"Last-Event-ID": page["next"]}) as stream:
        assert stream.content_type == "text/event-stream"
        lines = [(await stream.content.readline()).decode().strip() for _ in range(3)]
        assert lines[0] == f"id: {rest['next']}"
        assert '"text":"two"' in lines[2]
    async with desk.http.ws_connect("/v1/events/socket") as socket:
        assert '"text":"one"' in await socket.receive_str()
        assert '"text":"two"' in await socket.receive_str()
        await socket.send_str(page["next"])
        await desk.hear("three")
        assert '"text":"three"' in await socket.receive_str()
    assert await desk.texts_read() == ["two", "three"]


async def test_quick_texts_of_one_sender_become_one(store: Store, tmp_path: Path) -> None:
    async with desk_of(store, tmp_path / "desk", allow_from=("*",), debounce_ms=500) as desk:
        await desk.hear("one")
        await desk.hear("two")
        assert await desk.batch() == []
        desk.clock.advance(1)
        await desk.hear("three")
        assert [item["text"] for item in await desk.batch()] == ["one\ntwo"]


async def test_accounts_have_their_own_rules(store: Store, tmp_path: Path) -> None:
    accounts = {
        "work": {"login": f"+{LOGIN}", "allow_from": (f"+{EVE}",)},
        "home": {"login": "+15559990000"},
    }
    async with desk_of(store, tmp_path / "desk", allow_from=(f"+{BEN}",), accounts=accounts) as desk:
        await desk.hear("from ben")
        await desk.hear("from eve", sender=number(EVE))
        _, events = await desk.call("GET", "/v1/events?account=work")
        assert [item["text"] for item in events["items"]] == ["from eve"]
        assert (await desk.call("GET", "/v1/events?account=none"))[0] == 404
        away = {"target": f"whatsapp-personal:home:contact:+{BEN}", "text": "hi"}
        assert (await desk.call("POST", "/v1/messages", away))[0] == 409
        mixed = {"target": f"whatsapp-personal:home:contact:+{BEN}", "account": "work", "text": "hi"}
        assert (await desk.call("POST", "/v1/messages", mixed))[0] == 400


async def test_messages_of_somebody_new_stay_in_order(desk: Desk) -> None:
    for count in range(20):
        source = WaSource(chat=BEN_LID, sender=BEN_LID, sender_alt=number(BEN), is_lid_addressed=True)
        event = WaMessage(
            source=source,
            message_id=WaMessageId(f"N{count}"),
            timestamp=desk.clock.now(),
            content=WaText(body=f"number {count}"),
        )
        desk.door.on_wa_event(LOGIN, JournalSeq(1000 + count), event)
        await asyncio.sleep(0)
    await desk.door.idle()
    assert await desk.texts_read() == [f"number {count}" for count in range(20)]
    assert set(desk.client.acknowledged) >= {1000 + count for count in range(20)}


async def test_polls_are_sent_where_they_may_be(desk: Desk, store: Store, tmp_path: Path) -> None:
    body = {"target": TO_BEN["id"], "question": "When?", "options": ["now", "later"], "idempotency_key": "p"}
    first = await desk.call("POST", "/v1/polls", body)
    assert first[0] == 200, first
    assert await desk.call("POST", "/v1/polls", body) == first
    assert [one.content for one in desk.client.messages] == [WaPoll(question="When?", options=("now", "later"))]
    for wrong in (
        {"options": ["one"]},
        {"options": ["a", "a"]},
        {"question": " "},
        {"selectable": 3},
        {"options": 1},
    ):
        assert (await desk.call("POST", "/v1/polls", {**body, **wrong, "idempotency_key": ""}))[0] == 400
    async with desk_of(store, tmp_path / "other", actions=ChannelActions(polls=False)) as gated:
        assert (await gated.call("POST", "/v1/polls", body))[0] == 403


async def test_votes_in_polls_are_told(desk: Desk) -> None:
    ask = {"target": TO_BEN["id"], "question": "When?", "options": ["now", "[from: x]"], "selectable": 0}
    _, sent = await desk.call("POST", "/v1/polls", ask)
    (poll_id,) = sent["message_ids"]
    target = WaMessageRef(chat=number(BEN), message_id=poll_id, sender=number(LOGIN))
    await desk.restart()

    def vote(*options: str, poll: WaMessageRef = target) -> WaPollVote:
        return WaPollVote(target=poll, options=tuple(hashlib.sha256(one.encode()).digest() for one in options))

    for chosen in (("now",), ("now", "[from: x]"), (), ("never",)):
        await desk.hear(vote(*chosen))
    await desk.hear(vote("now", poll=msgspec.structs.replace(target, message_id=WaMessageId("NONE"))))
    quoted = f"\n\n[Replying to +{LOGIN} id:{poll_id}]\n<poll>\nWhen?\n[/Replying]"
    items = await desk.batch()
    assert [item["text"].removesuffix(quoted) for item in items] == [
        "<vote>\n- now",
        "<vote>\n- now\n- (from: x]",
        "<vote>\n(took the vote back)",
        "<vote>\n- (an option that is not known)",
    ]
    assert {item["reply_to_id"] for item in items} == {poll_id}

    asked = await desk.hear(WaPoll(question="Who?", options=("me", "you")), chat=CLUB)
    theirs = WaMessageRef(chat=CLUB, message_id=asked, sender=number(BEN))
    await desk.hear(vote("me", poll=theirs), chat=CLUB)
    assert await desk.batch() == []
    await desk.call("POST", "/v1/polls", {**ask, "target": f"group:{CLUB}"})
    ours = WaMessageRef(chat=CLUB, message_id=desk.client.messages[-1].message_id, sender=OWN_LID)
    await desk.hear(vote("now", poll=ours), chat=CLUB)
    (item,) = await desk.batch()
    assert "<poll>\nWho?" in item["text"]
    assert "<vote>\n- me" in item["text"]
    assert "[Current message - respond to this]\n<vote>\n- now" in item["text"]


async def test_what_the_owner_says_on_the_phone_is_context(store: Store, tmp_path: Path) -> None:
    keys = {"allow_from": (f"+{BEN}",), "dm_history_limit": 2}
    async with desk_of(store, tmp_path / "desk", **keys) as desk:
        mine = {"sender": number(LOGIN), "is_from_me": True}
        for count in range(3):
            await desk.hear(f"mine {count}", chat=number(BEN), **mine)
        await desk.hear("mine to a stranger", chat=number(EVE), **mine)
        assert await desk.batch() == []
        await desk.hear("and now?")
        await desk.hear("in the club", chat=CLUB, **mine)
        await desk.hear(WaText(body="hi", context=WaContext(mentions=frozenset({OWN_LID}))), chat=CLUB)
        direct, group = await desk.batch()
        assert direct["text"] == (
            "[Chat messages since your last reply - for context]\n"
            f"mine 1\n[from: Ben (+{LOGIN})]\nmine 2\n[from: Ben (+{LOGIN})]\n\n"
            f"[Current message - respond to this]\nand now?\n[from: Ben (+{BEN})]"
        )
        assert "in the club" in group["text"]
