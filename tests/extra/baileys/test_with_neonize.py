"""Two independent clients on two accounts, talking to each other through the simulator."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from neonize.aioze.events import MessageEv, ReceiptEv
from neonize.utils.jid import build_jid

from tests.extra.baileys.driven import blob, text_of
from tests.extra.baileys.linked import mixed
from tests.simulator import groups
from tests.simulator.api import Account, Jid, kinds


def native(jid: Jid) -> Any:
    """An address as neonize takes it."""
    return build_jid(jid.user, jid.server)


async def test_direct_messages(tmp_path: Path) -> None:
    async with mixed(tmp_path) as x:
        expected = []
        for n in range(10):
            await x.alices.text(str(x.bob.pn), f"from alice {n}")
            event = await x.bobs.message()
            assert event.Message.extendedTextMessage.text == f"from alice {n}"
            assert event.Info.MessageSource.Sender.User == x.alice.lid.user
            await x.bobs.api.send_message(event.Info.MessageSource.Chat, f"from bob {n}")
            answer = await x.alices.message()
            assert text_of(answer) == f"from bob {n}"
            assert answer["key"]["remoteJid"] == str(x.bob.lid)
            expected += [f"from alice {n}", f"from bob {n}"]
        for account in (x.alice, x.bob):
            assert [await next_text(account) for _ in expected] == expected
            assert account.phone.inbox.empty()


async def next_text(account: Account) -> str:
    """The next text on somebody's phone, written by others or by an own companion."""
    message = (await account.phone.receive_next()).message
    inner = message.deviceSentMessage.message if message.HasField("deviceSentMessage") else message
    return str(inner.conversation or inner.extendedTextMessage.text)


async def test_first_message_from_neonize(tmp_path: Path) -> None:
    async with mixed(tmp_path) as x:
        await x.bobs.api.send_message(native(x.alice.pn), "bob begins")
        assert text_of(await x.alices.message()) == "bob begins"


async def test_group_messages(tmp_path: Path) -> None:
    async with mixed(tmp_path) as x:
        group = groups.create_group(x.wa.world, x.alice, "Friends", [x.bob])
        for n in range(10):
            await x.alices.text(str(group.jid), f"from alice {n}")
            event = await x.bobs.message()
            assert event.Message.extendedTextMessage.text == f"from alice {n}"
            assert event.Info.MessageSource.Chat.User == group.jid.user
            await x.bobs.api.send_message(native(group.jid), f"from bob {n}")
            received = await x.alices.message()
            assert text_of(received) == f"from bob {n}"
            assert received["key"]["participant"] == str(x.bob.lid)


async def test_group_made_by_either_client(tmp_path: Path) -> None:
    async with mixed(tmp_path) as x:
        made = await x.alices.call("groupCreate", "Of Alice", [str(x.bob.lid)])
        await x.bobs.api.send_message(native(Jid(*made["id"].split("@"))), "hello Alice")
        assert text_of(await x.alices.message()) == "hello Alice"
        info = await x.bobs.api.create_group("Of Bob", [native(x.alice.pn)])
        await x.alices.text(f"{info.JID.User}@g.us", "hello Bob")
        event = await x.bobs.message()
        assert event.Message.extendedTextMessage.text == "hello Bob"


async def test_files(tmp_path: Path) -> None:
    async with mixed(tmp_path) as x:
        picture = os.urandom(200_000)
        content = {"image": blob(picture), "caption": "look", "jpegThumbnail": "AAAA"}
        await x.alices.send(str(x.bob.pn), content)
        event = await x.bobs.message()
        assert event.Message.imageMessage.caption == "look"
        assert await x.bobs.api.download_any(event.Message) == picture

        file = kinds.upload(x.wa.media, picture[::-1], "document")
        sent = await x.bobs.api.send_message(native(x.alice.pn), kinds.document(file, "a.pdf").message)
        assert (await x.alices.message())["message"]["documentMessage"]["fileName"] == "a.pdf"
        assert await x.alices.download(sent.ID) == picture[::-1]


async def test_actions(tmp_path: Path) -> None:
    async with mixed(tmp_path) as x:
        sent_id = await x.alices.text(str(x.bob.pn), "original")
        event = await x.bobs.message()
        assert sent_id == event.Info.ID
        await x.bobs.api.send_message(
            event.Info.MessageSource.Chat,
            await x.bobs.api.build_reaction(
                event.Info.MessageSource.Chat, event.Info.MessageSource.Sender, sent_id, "👍"
            ),
        )
        reaction = (await x.alices.message())["message"]["reactionMessage"]
        assert (reaction["text"], reaction["key"]["id"]) == ("👍", sent_id)
        key = {"remoteJid": str(x.bob.pn), "fromMe": True, "id": sent_id}
        await x.alices.send(str(x.bob.pn), {"text": "better", "edit": key})
        edit = await x.bobs.wait(MessageEv, lambda e: e.Message.protocolMessage.type == EDIT)
        assert edit.Message.protocolMessage.editedMessage.extendedTextMessage.text == "better"
        await x.alices.send(str(x.bob.pn), {"delete": key})
        revoke = await x.bobs.wait(MessageEv, lambda e: sent_id == e.Message.protocolMessage.key.ID)
        assert revoke.Message.protocolMessage.type == 0


async def test_read_receipts(tmp_path: Path) -> None:
    async with mixed(tmp_path) as x:
        sent = await x.bobs.api.send_message(native(x.alice.pn), "seen?")
        message = await x.alices.message()
        await x.alices.call("readMessages", [message["key"]])
        receipt = await x.bobs.wait(ReceiptEv, lambda e: e.Type == READ and sent.ID in e.MessageIDs)
        assert receipt.MessageSource.Sender.User == x.alice.lid.user


READ, EDIT = 4, 14
