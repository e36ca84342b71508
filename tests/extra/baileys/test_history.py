"""History and settings that the phone shares with the second client, and settings it changes itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.extra.baileys.driven import text_of
from tests.extra.baileys.linked import linked
from tests.simulator.api import Jid
from tests.simulator.history import HistoryChunk, HistoryConversation, HistoryMessage
from tests.simulator.protobufs import e2e

BOB = Jid("15550002222", "s.whatsapp.net")
GROUP = Jid("120363000000000001", "g.us")
CAROL = Jid("15550003333", "s.whatsapp.net")


def old(number: int, *, is_from_me: bool = False, participant: Jid | None = None) -> HistoryMessage:
    """An old message."""
    return HistoryMessage(
        message_id=f"OLD{number}",
        message=e2e.Message(conversation=f"old {number}"),
        at_seconds=1_700_000_000 + number,
        is_from_me=is_from_me,
        participant=participant,
    )


@pytest.mark.parametrize("is_inline", [True, False], ids=["inline", "as a file"])
async def test_chats_of_the_first_chunk(tmp_path: Path, is_inline: bool) -> None:
    direct = HistoryConversation(chat=BOB, name="Bob", messages=[old(1), old(2, is_from_me=True)], unread=1)
    group = HistoryConversation(chat=GROUP, name="Friends", messages=[old(3, participant=CAROL)])
    async with linked(tmp_path, HistoryChunk(conversations=[direct, group], is_inline=is_inline)) as x:
        history = x.client.last("messaging-history.set")
        shown = [(m["key"]["remoteJid"], m["key"]["id"], text_of(m)) for m in history["messages"]]
        assert sorted(shown) == [
            (str(GROUP), "OLD3", "old 3"),
            (str(BOB), "OLD1", "old 1"),
            (str(BOB), "OLD2", "old 2"),
        ]
        assert [m["key"]["fromMe"] for m in history["messages"] if m["key"]["id"] == "OLD2"] == [True]
        assert {chat["id"]: chat["name"] for chat in history["chats"]} == {str(BOB): "Bob", str(GROUP): "Friends"}


async def test_later_chunks(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        many = HistoryConversation(chat=BOB, messages=[old(n) for n in range(2000)])
        await x.alice.phone.send_history(x.device, HistoryChunk(sync_type="RECENT", conversations=[many]))
        recent = await x.client.event("messaging-history.set", lambda data: len(data["messages"]) > 0)
        assert {text_of(m) for m in recent["messages"]} == {f"old {n}" for n in range(2000)}
        names = HistoryChunk(sync_type="PUSH_NAME", push_names={BOB: "Bobby"})
        await x.alice.phone.send_history(x.device, names)
        named = await x.client.event("messaging-history.set", lambda data: data["contacts"] != [])
        assert named["contacts"] == [{"id": str(BOB), "notify": "Bobby"}]


async def test_settings_of_the_phone(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        await x.alice.phone.set_contact(x.bob.pn, "Bob from work")
        contact = await x.client.event("contacts.upsert", lambda data: data[0].get("name"))
        assert (contact[0]["id"], contact[0]["name"]) == (str(x.bob.pn), "Bob from work")
        await x.alice.phone.set_archived(x.bob.pn)
        assert (await x.client.event("chats.update", lambda d: d[0].get("archived")))[0]["id"] == str(x.bob.pn)
        await x.alice.phone.set_mute(x.bob.pn)
        assert (await x.client.event("chats.update", lambda d: d[0].get("muteEndTime")))[0]["id"] == str(x.bob.pn)
        await x.alice.phone.set_pin(x.bob.pn)
        assert (await x.client.event("chats.update", lambda d: d[0].get("pinned")))[0]["id"] == str(x.bob.pn)


async def test_settings_of_the_client(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        await x.client.call("chatModify", {"pin": True}, str(x.bob.pn))
        low = x.alice.app_state.read("regular_low")
        assert low[f'["pin_v1","{x.bob.pn}"]'].pinAction.pinned
        await x.client.call("chatModify", {"mute": 1_900_000_000_000}, str(x.bob.pn))
        high = x.alice.app_state.read("regular_high")
        assert high[f'["mute","{x.bob.pn}"]'].muteAction.muteEndTimestamp == 1_900_000_000_000
        await x.client.call("updateProfileName", "Alice the second")
        block = x.alice.app_state.read("critical_block")
        assert block['["setting_pushName"]'].pushNameSetting.name == "Alice the second"
