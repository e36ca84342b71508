"""Several companions of one account."""

from __future__ import annotations

from pathlib import Path

from neonize.utils.jid import build_jid

from tests.extra.baileys.driven import baileys, text_of
from tests.extra.baileys.linked import linked
from tests.simulator import groups


async def test_two_of_a_kind_share_an_account(tmp_path: Path) -> None:
    async with linked(tmp_path) as x, baileys(x.wa, tmp_path / "second") as second:
        await second.pair(x.alice)
        await x.bob.phone.text(x.alice.pn, "for both")
        assert text_of(await x.client.message()) == "for both"
        assert text_of(await second.message()) == "for both"
        await x.client.text(str(x.bob.pn), "from the first")
        echo = await second.message(is_from_me=True)
        assert (text_of(echo), echo["key"]["remoteJid"]) == ("from the first", str(x.bob.lid))
        await second.text(str(x.bob.lid), "from the second")
        echo = await x.client.message(lambda m: text_of(m) == "from the second", is_from_me=True)
        assert echo["key"]["remoteJid"] == str(x.bob.lid)
        assert [(await x.bob.phone.receive_next()).text for _ in range(2)] == ["from the first", "from the second"]


async def test_unlinked_companion_gets_nothing_more(tmp_path: Path) -> None:
    async with linked(tmp_path) as x, baileys(x.wa, tmp_path / "second") as second:
        device = await second.pair(x.alice)
        x.alice.phone.unlink(device)
        await second.event("closed", lambda data: data["status"] == 401)
        await x.client.text(str(x.bob.pn), "still here")
        assert (await x.bob.phone.receive_next()).text == "still here"
        await x.bob.phone.text(x.alice.pn, "only one reads this")
        assert text_of(await x.client.message()) == "only one reads this"
        assert x.alice.devices == {1: x.device}


async def test_it_shares_an_account_with_neonize(tmp_path: Path) -> None:
    async with linked(tmp_path) as x:
        other = x.wa.client("alice")
        await other.pair(x.alice)
        group = groups.create_group(x.wa.world, x.bob, "Friends", [x.alice])
        for chat in (x.bob.pn, group.jid):
            await x.client.text(str(chat), "from Baileys")
            event = await other.message()
            assert event.Info.MessageSource.IsFromMe
            assert event.Message.extendedTextMessage.text == "from Baileys"
            await other.api.send_message(build_jid(chat.user, chat.server), "from neonize")
            echo = await x.client.message(lambda m: text_of(m) == "from neonize", is_from_me=True)
            assert echo["key"]["remoteJid"].split("@")[0] in (chat.user, x.bob.lid.user)
            assert [(await x.bob.phone.receive_next()).text for _ in range(2)] == ["from Baileys", "from neonize"]
