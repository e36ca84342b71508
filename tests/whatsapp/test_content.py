"""Contents end to end: through the host, the real client library and a phone, both ways."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mautrix_whatsapp_py.errors import WhatsAppRefused
from mautrix_whatsapp_py.ids import SendId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import (
    WaContent,
    WaContext,
    WaEdit,
    WaEphemeralTimer,
    WaKind,
    WaMessageRef,
    WaPreview,
    WaQuote,
    WaReaction,
    WaRevoke,
    WaSendable,
    WaSilent,
    WaText,
)
from mautrix_whatsapp_py.model.rich import WaPoll
from mautrix_whatsapp_py.model.wa import WaMessage
from mautrix_whatsapp_py.model.wa_link import WaSendUnknown, WaSent, WaStateKind
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.client import Client
from tests.simulator import groups
from tests.simulator.api import Account, Jid, Outgoing, Received, kinds, simulator
from tests.whatsapp.harness import Bench, bench, to_wa_jid

pytestmark = pytest.mark.neonize
SECRET = bytes(range(32))


@dataclass(slots=True)
class Talk:
    """Alice, who is linked, and Bob, alone and in a group of theirs."""

    it: Bench
    client: Client
    alice: Account
    bob: Account
    group: Jid
    _numbers: Any = field(default_factory=count)

    async def send(self, chat: WaJid, content: WaSendable) -> WaSent:
        send_id = SendId(f"s{next(self._numbers)}")
        sent = await self.client.send_message(chat, content, send_id=send_id, secret=os.urandom(32))
        assert isinstance(sent, WaSent)
        return sent

    async def exchange(self, chat: WaJid, content: WaSendable) -> Any:
        """Send, and what Bob's phone made of it."""
        sent = await self.send(chat, content)
        received = await self.bob.phone.receive_next(60)
        assert received.message_id == sent.message_id
        assert len(received.message.messageContextInfo.messageSecret) == 32
        return received.message

    async def receive(self, to: Jid, outgoing: Outgoing) -> WaContent:
        """Have Bob send, and what came to the bridge."""
        return await self.arrival(await self.bob.phone.send(to, outgoing))

    async def arrival(self, message_id: str) -> WaContent:
        def found() -> list[WaContent]:
            return [
                event.content
                for event in self.it.sink.of_kind(WaMessage)
                if event.message_id == message_id and not isinstance(event.content, WaSilent)
            ]

        await self.it.sink.until(found)
        (content,) = found()
        return content


@asynccontextmanager
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        client, _ = await it.pair(alice)
        group = groups.create_group(wa.world, alice, "Group", [bob])
        yield Talk(it=it, client=client, alice=alice, bob=bob, group=group.jid)


def ref(chat: Jid, message_id: str, sender: Jid) -> WaMessageRef:
    return WaMessageRef(chat=to_wa_jid(chat), message_id=WaMessageId(message_id), sender=to_wa_jid(sender))


def key_of(message: Any) -> dict[str, Any]:
    return {item.name: value for item, value in message.ListFields()}


async def test_what_is_sent_to_a_person(tmp_path: Path) -> None:
    async with talk(tmp_path) as x:
        chat, me = to_wa_jid(x.bob.lid), to_wa_jid(x.alice.lid)
        theirs = await x.bob.phone.text(x.alice.lid, "a *question*")
        assert await x.arrival(theirs) == WaText(body="a *question*")

        quote = WaQuote(message_id=WaMessageId(theirs), sender=chat, preview=WaPreview(text="a *question*"))
        reply = await x.send(chat, WaText(body="yes", context=WaContext(quote=quote, disappears_after_s=86_400)))
        received: Received = await x.bob.phone.receive_next(60)
        info = received.message.extendedTextMessage.contextInfo
        assert received.text == "yes"
        assert (info.stanzaID, info.participant) == (theirs, str(x.bob.lid))
        assert (info.quotedMessage.conversation, info.expiration) == ("a *question*", 86_400)

        own = WaMessageRef(chat=chat, message_id=reply.message_id, sender=me)
        edit = await x.exchange(chat, WaEdit(target=own, content=WaText(body="no")))
        protocol = edit.editedMessage.message.protocolMessage
        assert protocol.editedMessage.extendedTextMessage.text == "no"
        assert key_of(protocol.key) == {"remoteJID": str(x.bob.lid), "fromMe": True, "ID": reply.message_id}

        reaction = (
            await x.exchange(chat, WaReaction(target=ref(x.bob.lid, theirs, x.bob.lid), emoji="👍"))
        ).reactionMessage
        assert reaction.text == "👍"
        assert key_of(reaction.key) == {"remoteJID": str(x.bob.lid), "fromMe": False, "ID": theirs}

        revoke = (await x.exchange(chat, WaRevoke(target=own))).protocolMessage
        assert key_of(revoke.key) == {"remoteJID": str(x.bob.lid), "fromMe": True, "ID": reply.message_id}
        timer = (await x.exchange(chat, WaEphemeralTimer(timer_s=604_800))).protocolMessage
        assert timer.ephemeralExpiration == 604_800


async def test_what_is_sent_to_a_group(tmp_path: Path) -> None:
    async with talk(tmp_path) as x:
        chat, bob, me = to_wa_jid(x.group), to_wa_jid(x.bob.lid), to_wa_jid(x.alice.lid)
        theirs = await x.bob.phone.text(x.group, "hi all")
        assert await x.arrival(theirs) == WaText(body="hi all")

        mention = WaText(body=f"@{bob.user}", context=WaContext(mentions=frozenset({bob}), mentions_all=True))
        sent = await x.send(chat, mention)
        info = (await x.bob.phone.receive_next(60)).message.extendedTextMessage.contextInfo
        assert (list(info.mentionedJID), info.nonJIDMentions) == ([str(bob)], 1)

        others = {"remoteJID": str(chat), "fromMe": False, "ID": theirs, "participant": str(bob)}
        target = ref(x.group, theirs, x.bob.lid)
        reaction = await x.exchange(chat, WaReaction(target=target, emoji="❤"))
        assert key_of(reaction.reactionMessage.key) == others
        await x.send(chat, WaRevoke(target=target))
        by_admin = await x.bob.phone.receive_next(60)
        assert key_of(by_admin.message.protocolMessage.key) == others
        assert by_admin.stanza.get("edit") == "8"

        await x.send(chat, WaRevoke(target=WaMessageRef(chat=chat, message_id=sent.message_id, sender=me)))
        revoke = await x.bob.phone.receive_next(60)
        assert key_of(revoke.message.protocolMessage.key) == {
            "remoteJID": str(chat),
            "fromMe": True,
            "ID": sent.message_id,
        }
        assert revoke.stanza.get("edit") == "7"
        with pytest.raises(WhatsAppRefused):
            await x.send(chat, WaEphemeralTimer(timer_s=1))


async def test_what_comes_from_a_person(tmp_path: Path) -> None:
    async with talk(tmp_path) as x:
        chat, bob = x.alice.lid, to_wa_jid(x.bob.lid)
        ours = await x.send(bob, WaText(body="hello"))
        await x.bob.phone.receive_next(60)
        own = kinds.MessageRef(chat=chat, message_id=ours.message_id, sender=chat, is_own=False)

        reply = await x.receive(chat, kinds.reply("hey", own, kinds.text("hello").message))
        assert isinstance(reply, WaText)
        assert reply.context.quote == WaQuote(
            message_id=ours.message_id, sender=to_wa_jid(chat), preview=WaPreview(text="hello")
        )
        reaction = await x.receive(chat, kinds.reaction(own, "🎉"))
        assert isinstance(reaction, WaReaction)
        assert (reaction.emoji, reaction.target.message_id) == ("🎉", ours.message_id)
        assert reaction.target.sender == to_wa_jid(x.alice.pn)

        theirs = await x.bob.phone.send(chat, kinds.with_secret(kinds.text("first"), SECRET))
        assert await x.arrival(theirs) == WaText(body="first")
        there = kinds.MessageRef(chat=chat, message_id=theirs, sender=x.bob.lid, is_own=True, secret=SECRET)
        target = ref(x.bob.lid, theirs, x.bob.lid)
        new = kinds.text("second").message
        edited = WaEdit(target=target, content=WaText(body="second"))
        assert await x.receive(chat, kinds.edit(there, new)) == edited
        assert await x.receive(chat, kinds.secret_edit(there, x.bob.lid, new)) == edited
        assert await x.receive(chat, kinds.revoke(there)) == WaRevoke(target=target)
        timer = await x.receive(chat, kinds.ephemeral_setting(86_400))
        assert timer == WaEphemeralTimer(timer_s=86_400)
        assert await x.receive(chat, kinds.with_timer("soon gone", 86_400)) == WaText(
            body="soon gone", context=WaContext(disappears_after_s=86_400)
        )
        assert await x.receive(chat, kinds.poll("Lunch?", ["a"])) == WaPoll(question="Lunch?", options=("a",))


async def test_what_comes_from_a_group(tmp_path: Path) -> None:
    async with talk(tmp_path) as x:
        chat, alice = to_wa_jid(x.group), to_wa_jid(x.alice.lid)
        mention = await x.receive(x.group, kinds.mention(f"@{alice.user}", [x.alice.lid], is_everyone=True))
        assert mention == WaText(
            body=f"@{alice.user}", context=WaContext(mentions=frozenset({alice}), mentions_all=True)
        )
        ours = await x.send(chat, WaText(body="announcement"))
        secret = (await x.bob.phone.receive_next(60)).message.messageContextInfo.messageSecret
        target = kinds.MessageRef(
            chat=x.group, message_id=ours.message_id, sender=x.alice.lid, is_own=False, secret=secret
        )
        expected = WaReaction(target=ref(x.group, ours.message_id, x.alice.lid), emoji="👏")
        assert await x.receive(x.group, kinds.reaction(target, "👏")) == expected
        assert await x.receive(x.group, kinds.secret_reaction(target, x.bob.lid, "👏")) == expected


async def test_replies_to_files_keep_their_pictures(tmp_path: Path) -> None:
    async with talk(tmp_path) as x:
        chat = to_wa_jid(x.bob.lid)
        preview = WaPreview(kind=WaKind.IMAGE, text="caption", thumbnail=b"\xff\xd8thumb")
        quote = WaQuote(message_id=WaMessageId("ABC"), sender=chat, preview=preview)
        message = await x.exchange(chat, WaText(body="nice", context=WaContext(quote=quote)))
        quoted = message.extendedTextMessage.contextInfo.quotedMessage.imageMessage
        assert (quoted.caption, quoted.JPEGThumbnail) == ("caption", b"\xff\xd8thumb")


async def test_looking_into_the_tables_leaves_them_to_the_library(tmp_path: Path) -> None:
    async with talk(tmp_path) as x:
        chat = to_wa_jid(x.bob.lid)
        for number in range(2):
            await x.send(chat, WaText(body="hello"))
            await x.bob.phone.receive_next(60)
            secret = os.urandom(32)
            outcome = await x.client.fetch_send_outcome(SendId(f"unknown{number}"), secret)
            assert outcome == WaSendUnknown(send_id=SendId(f"unknown{number}"))
            x.it.sink.states.clear()
            await x.client.request(wire.RestartSession(login=x.client.login))
            await x.it.sink.until_state(x.client.login, WaStateKind.CONNECTED)
        names = open_files(x.it.network.berths.slots[0].pid)
        assert [name for name in names if name.endswith("(deleted)") and "session.db" in name] == []
        assert any(name.endswith("session.db-wal") for name in names)


def open_files(pid: int) -> list[str]:
    return [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()]
