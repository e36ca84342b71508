"""The contract of the channel, operation by operation and rule by rule."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mautrix_whatsapp_py.config.channel import AckGroups, AckReaction, ChannelActions, GroupPolicy
from mautrix_whatsapp_py.errors import WhatsAppRefused, WhatsAppUncertain
from mautrix_whatsapp_py.ids import WaMessageId
from mautrix_whatsapp_py.model.content import WaContext, WaPreview, WaQuote, WaReaction, WaText
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind
from mautrix_whatsapp_py.store.store import Store
from tests.fakes.whatsapp import START
from tests.flow.channel_desk import BEN, BEN_LID, CLUB, EVE, LOGIN, OWN_LID, Desk, desk_of, number

TO_BEN = {"id": f"whatsapp-personal:default:contact:+{BEN}"}


@pytest.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_of(store, tmp_path / "desk", allow_from=(f"+{BEN}",)) as desk:
        yield desk


async def test_the_envelope_carries_method_and_id_back(desk: Desk) -> None:
    body = {"method": "loong_channel_bridge_v1", "id": 3, "operation": "complete_batch", "payload": {}}
    assert await desk.call("POST", "/bridge", body) == (
        200,
        {"method": "loong_channel_bridge_v1", "id": 3, "payload": {"ok": True}},
    )


async def test_an_item_has_every_field_of_the_contract(desk: Desk) -> None:
    quote = WaQuote(message_id=WaMessageId("Q1"), sender=number(BEN), preview=WaPreview(text="before"))
    message_id = await desk.hear(WaText(body="hello", context=WaContext(quote=quote)))
    (item,) = await desk.batch()
    assert item["session"] == {
        "platform": "whatsapp",
        "configured_account_id": "default",
        "account_id": "default",
        "conversation_id": f"+{BEN}",
        "participant_id": f"+{BEN}",
        "thread_id": None,
        "session_key": "main",
    }
    assert item["reply_target"] == {
        "platform": "whatsapp",
        "kind": "conversation",
        **TO_BEN,
        "options": {"reply_to": message_id},
    }
    assert item["text"] == f"hello\n\n[Replying to +{BEN} id:Q1]\nbefore\n[/Replying]"
    assert item["delivery"] == {
        "ack_cursor": item["delivery"]["ack_cursor"],
        "source_message_id": message_id,
        "sender_principal_key": f"+{BEN}",
        "thread_root_id": None,
        "parent_message_id": "Q1",
        "resources": [],
    }
    assert (item["reply_to_id"], item["reply_to_body"], item["reply_to_sender"]) == ("Q1", "before", f"+{BEN}")


async def test_an_item_is_delivered_until_it_is_acknowledged_and_never_after(desk: Desk) -> None:
    message_id = await desk.hear("once")
    (item,) = await desk.batch()
    assert await desk.batch() == []
    await desk.operate("complete_batch", {})
    assert [one["delivery"] for one in await desk.batch()] == [item["delivery"]]
    await desk.restart()
    assert [one["delivery"] for one in await desk.batch()] == [item["delivery"]]
    await desk.ack(item)
    await desk.ack(item)
    await desk.operate("complete_batch", {})
    await desk.hear("once", message_id=message_id)
    assert await desk.batch() == []
    await desk.restart()
    await desk.hear("once", message_id=message_id)
    assert await desk.batch() == []


async def test_a_dead_reader_is_not_waited_for_for_ever(desk: Desk) -> None:
    await desk.hear("hello")
    (item,) = await desk.batch()
    desk.clock.advance(61)
    assert [one["delivery"] for one in await desk.batch()] == [item["delivery"]]


async def test_batches_are_in_order_and_as_large_as_asked(desk: Desk) -> None:
    for count in range(5):
        await desk.hear(f"number {count}")
    assert [item["text"] for item in await desk.batch(max=2)] == ["number 0", "number 1"]
    assert [item["text"] for item in await desk.batch(max=2)] == ["number 2", "number 3"]


async def test_a_reader_sees_only_the_chats_of_its_context(desk: Desk) -> None:
    await desk.hear("hello")

    def context(*chats: str) -> dict[str, object]:
        return {"runtime_context": {"account": {"account_id": "default", "config": {"allowed_chat_ids": chats}}}}

    assert await desk.batch(**context()) == []
    assert await desk.batch(**context(f"+{EVE}")) == []
    assert [item["text"] for item in await desk.batch(**context(f"+{BEN}"))] == ["hello"]


@pytest.mark.parametrize("message", [{"Text": "hi"}, {"text": "hi"}])
async def test_send_message_takes_both_spellings(desk: Desk, message: dict[str, str]) -> None:
    assert await desk.operate("send_message", {"target": TO_BEN, "message": message}) == (
        200,
        {"ok": True, "message_ids": ["FAKE0"], "uncertain": False},
    )
    assert desk.texts == ["hi"]


async def test_a_key_sends_once_whatever_happens(desk: Desk) -> None:
    send = {"target": TO_BEN, "message": {"text": "hi"}, "idempotency_key": "k"}
    desk.client.late_faults.append(WhatsAppUncertain())
    status, answer = await desk.operate("send_message", send)
    assert (status, answer["error"].partition(".")[0]) == (503, "It is under way and not known to be sent")
    desk.clock.advance(60)
    await desk.door._lanes.idle()
    assert await desk.operate("send_message", send) == (
        200,
        {"ok": True, "message_ids": ["FAKE0"], "uncertain": False},
    )
    await desk.restart()
    assert (await desk.operate("send_message", send))[1]["message_ids"] == ["FAKE0"]
    assert desk.texts == ["hi"]
    status, answer = await desk.operate("send_message", {**send, "message": {"text": "other"}})
    assert status == 400
    assert "idempotency_key" in answer["error"]


async def test_long_texts_are_cut_and_the_first_part_answers(store: Store, tmp_path: Path) -> None:
    async with desk_of(store, tmp_path / "desk", allow_from=("*",), text_chunk_limit=100) as desk:
        asked = await desk.hear("question")
        text = " ".join(f"word{count}" for count in range(40))
        body = {"target": TO_BEN["id"], "text": text, "reply_to": asked}
        status, answer = await desk.call("POST", "/v1/messages", body)
        assert status == 200, answer
        assert len(answer["message_ids"]) == len(desk.texts) > 2
        assert " ".join(desk.texts) == text
        quotes = [one.content.context.quote for one in desk.client.messages if isinstance(one.content, WaText)]
        assert quotes[0] is not None
        assert (quotes[0].message_id, quotes[0].sender) == (asked, number(BEN))
        assert quotes[1:] == [None] * (len(quotes) - 1)


async def test_nothing_is_queued_without_a_connection(desk: Desk) -> None:
    desk.network.set_state(LOGIN, WaState(kind=WaStateKind.TRANSIENT_DISCONNECT, since=START))
    status, _ = await desk.operate("send_message", {"target": TO_BEN, "message": {"text": "hi"}})
    assert status == 503
    desk.network.set_state(LOGIN, WaState(kind=WaStateKind.CONNECTED, since=START))
    await desk.restart()
    assert desk.texts == []


async def test_without_a_link_it_is_409(desk: Desk) -> None:
    await desk.network.logout(LOGIN)
    status, answer = await desk.operate("send_message", {"target": TO_BEN, "message": {"text": "hi"}})
    assert (status, "not linked" in answer["error"]) == (409, True)
    _, view = await desk.call("GET", "/v1/accounts/default")
    assert view["state"] == "UNLINKED"


async def test_what_whatsapp_refuses_is_403_and_may_be_tried_again(desk: Desk) -> None:
    send = {"target": TO_BEN, "message": {"text": "hi"}, "idempotency_key": "k"}
    desk.client.faults.append(WhatsAppRefused())
    assert (await desk.operate("send_message", send))[0] == 403
    assert (await desk.operate("send_message", send))[0] == 200


async def test_a_crash_before_the_end_of_a_send_is_made_good(desk: Desk) -> None:
    desk.client.late_faults.append(WhatsAppUncertain())
    await desk.operate("send_message", {"target": TO_BEN, "message": {"text": "hi"}})
    await desk.restart()
    await desk.door._lanes.idle()
    assert desk.texts == ["hi"]
    open_sends = desk.parts.channel.deps.sender._rows.get_open
    assert await desk.store.read(open_sends) == []


async def test_chats_that_are_not_allowed_are_neither_read_nor_written(store: Store, tmp_path: Path) -> None:
    async with desk_of(
        store, tmp_path / "desk", allow_from=("*",), allowed_chat_ids=(f"+{EVE}",), group_policy=GroupPolicy.OPEN
    ) as desk:
        await desk.hear("hello")
        await desk.hear("hello", sender=number(EVE))
        assert await desk.texts_read() == ["hello"]
        assert (await desk.operate("send_message", {"target": TO_BEN, "message": {"text": "hi"}}))[0] == 403
        club = {"id": f"group:{CLUB}"}
        assert (await desk.operate("send_message", {"target": club, "message": {"text": "hi"}}))[0] == 403


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
