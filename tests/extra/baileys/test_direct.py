"""Direct chats between the second client and a simulated phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.extra.baileys.driven import text_of
from tests.extra.baileys.linked import linked
from tests.simulator.api import kinds
from tests.simulator.kinds import MessageRef
from tests.simulator.protobufs import e2e


async def test_many_texts_arrive_exactly_once(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        expected = [f"number {n}" for n in range(50)]
        for body in expected:
            await x.bob.phone.text(x.alice.pn, body)
        # Baileys decrypts in the order its look-ups of a new sender end, not in that of the messages
        assert sorted([text_of(await x.client.message()) for _ in expected]) == sorted(expected)
        for body in expected:
            await x.client.text(str(x.bob.pn), body)
        assert [(await x.bob.phone.receive_next()).text for _ in expected] == expected
        assert x.bob.phone.inbox.empty()
        assert not x.bob.phone.duplicates


async def test_both_addresses_of_a_person_are_one_chat(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        for address in (x.bob.pn, x.bob.lid):
            await x.client.text(str(address), f"to {address.server}")
            received = await x.bob.phone.receive_next()
            assert received.text == f"to {address.server}"
            assert received.sender == x.device.lid
        own = [await x.alice.phone.receive_next() for _ in range(2)]
        assert [copy.message.deviceSentMessage.message.extendedTextMessage.text for copy in own] == [
            "to s.whatsapp.net",
            "to lid",
        ]


async def test_actions_of_a_phone_on_its_messages(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        sent_id = await x.bob.phone.text(x.alice.pn, "original")
        original = await x.client.message()
        assert original["key"]["id"] == sent_id
        target = MessageRef(chat=x.alice.pn, message_id=sent_id, sender=x.bob.lid, is_own=True)

        await x.bob.phone.send(x.alice.pn, kinds.reply("answer", target, e2e.Message(conversation="original")))
        reply = (await x.client.message())["message"]["extendedTextMessage"]
        assert (reply["text"], reply["contextInfo"]["stanzaId"]) == ("answer", sent_id)
        assert reply["contextInfo"]["quotedMessage"]["conversation"] == "original"

        await x.bob.phone.send(x.alice.pn, kinds.reaction(target, "👍"))
        reaction = (await x.client.message())["message"]["reactionMessage"]
        assert (reaction["text"], reaction["key"]["id"]) == ("👍", sent_id)

        await x.bob.phone.send(x.alice.pn, kinds.edit(target, e2e.Message(conversation="better")))
        edited = await x.client.update_of(sent_id, "message")
        assert edited["message"]["editedMessage"]["message"]["conversation"] == "better"

        await x.bob.phone.send(x.alice.pn, kinds.revoke(target))
        assert (await x.client.update_of(sent_id, "messageStubType"))["message"] is None


async def test_actions_of_the_client_on_its_messages(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        chat = str(x.bob.pn)
        sent_id = await x.client.text(chat, "original")
        assert (await x.bob.phone.receive_next()).message_id == sent_id
        key = {"remoteJid": chat, "fromMe": True, "id": sent_id}

        await x.client.send(chat, {"react": {"text": "👍", "key": key}})
        reaction = await next_message(x.bob)
        assert (reaction.reactionMessage.text, reaction.reactionMessage.key.ID) == ("👍", sent_id)

        await x.client.send(chat, {"text": "better", "edit": key})
        edit = (await next_message(x.bob)).protocolMessage
        assert (edit.type, edit.key.ID) == (e2e.ProtocolMessage.MESSAGE_EDIT, sent_id)
        assert edit.editedMessage.extendedTextMessage.text == "better"

        await x.client.send(chat, {"delete": key})
        revoke = (await next_message(x.bob)).protocolMessage
        assert (revoke.type, revoke.key.ID) == (e2e.ProtocolMessage.REVOKE, sent_id)


async def test_client_replies_to_a_phone(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        sent_id = await x.bob.phone.text(x.alice.pn, "question")
        quoted = await x.client.message()
        await x.client.send(quoted["key"]["remoteJid"], {"text": "answer"}, quoted=quoted)
        reply = (await next_message(x.bob)).extendedTextMessage
        assert (reply.text, reply.contextInfo.stanzaID) == ("answer", sent_id)
        assert reply.contextInfo.quotedMessage.conversation == "question"


async def test_places_contacts_and_polls_both_ways(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        await x.bob.phone.send(x.alice.pn, kinds.location(1.5, 2.5, name="Here"))
        assert (await x.client.message())["message"]["locationMessage"]["name"] == "Here"
        await x.bob.phone.send(x.alice.pn, kinds.contact("Eve", "BEGIN:VCARD\nEND:VCARD"))
        assert (await x.client.message())["message"]["contactMessage"]["displayName"] == "Eve"
        await x.bob.phone.send(x.alice.pn, kinds.poll("Lunch?", ["Yes", "No"]))
        poll = (await x.client.message())["message"]["pollCreationMessageV3"]
        assert [option["optionName"] for option in poll["options"]] == ["Yes", "No"]

        chat = str(x.bob.pn)
        await x.client.send(chat, {"location": {"degreesLatitude": 1.5, "degreesLongitude": 2.5}})
        assert (await next_message(x.bob)).locationMessage.degreesLongitude == 2.5
        card = {"displayName": "Eve", "contacts": [{"vcard": "BEGIN:VCARD\nEND:VCARD"}]}
        await x.client.send(chat, {"contacts": card})
        assert (await next_message(x.bob)).contactMessage.vcard == "BEGIN:VCARD\nEND:VCARD"
        await x.client.send(chat, {"poll": {"name": "Dinner?", "values": ["Now", "Later"], "selectableCount": 1}})
        asked = (await next_message(x.bob)).pollCreationMessageV3
        assert [option.optionName for option in asked.options] == ["Now", "Later"]


async def test_client_asks_again_for_what_it_cannot_decrypt(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        await x.bob.phone.text(x.alice.pn, "first")
        await x.client.message()
        x.bob.phone.corrupt_next = 1
        sent_id = await x.bob.phone.text(x.alice.pn, "garbled at first")
        assert (await x.bob.phone.receipt_next("retry")).get("id") == sent_id
        repeated = await x.client.message()
        assert (repeated["key"]["id"], text_of(repeated)) == (sent_id, "garbled at first")


async def test_client_sends_again_when_asked(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        sent_id = await x.client.text(str(x.bob.pn), "once more")
        received = await x.bob.phone.receive_next()
        await x.bob.phone.ask_retry(received)
        again = await x.bob.phone.receive_next()
        assert (again.message_id, again.text) == (sent_id, "once more")


async def test_receipts_both_ways(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        sent_id = await x.client.text(str(x.bob.pn), "seen?")
        await x.bob.phone.receive_next()
        assert (await x.client.update_of(sent_id, "status"))["status"] == DELIVERED
        await x.bob.phone.mark(x.alice.lid, [sent_id], "read")
        await x.client.event(
            "messages.update",
            lambda updates: any(u["key"]["id"] == sent_id and u["update"].get("status") == READ for u in updates),
        )
        incoming = await x.bob.phone.text(x.alice.pn, "and this?")
        message = await x.client.message()
        await x.client.call("readMessages", [message["key"]])
        assert (await x.bob.phone.receipt_next("read")).get("id") == incoming


DELIVERED, READ = 3, 4


async def next_message(account: Any) -> Any:
    """The content of the next message on somebody's phone."""
    return (await account.phone.receive_next()).message
