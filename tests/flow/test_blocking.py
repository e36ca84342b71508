"""People who are not let through."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.errors import WhatsAppUnavailable
from mautrix_whatsapp_py.ids import WaJid
from tests.flow.chat import BEN, LOGIN
from tests.flow.desk import Desk
from tests.flow.world import ALICE, BOB, GROUP, World

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""


async def test_somebody_is_blocked_and_let_through_again(world: World) -> None:
    desk = await Desk.open(world)
    groups = world.open_groups(LOGIN)
    assert groups is not None
    desk.directory.add_person(BEN.user, lid="1000002")
    assert await desk.ask("list-blocked") == "There are no blocked people."
    said = await desk.ask("block +1 555 000 2222")
    assert said.startswith("+15550002222 is blocked: their messages and calls do not reach +15550001111 any more")
    assert "unblock +15550002222" in said
    (jid,) = groups.blocked
    assert jid == WaJid(user="1000002", server="lid")
    groups.blocked.append(WaJid(user="77", server="lid"))
    listed = (await desk.ask("list-blocked")).splitlines()
    assert listed[1].endswith("| +15550002222")
    assert listed[2] == "- | `77@lid`"
    groups.blocked.remove(jid)
    await desk.chat.hear("hello")
    assert "is blocked" in await desk.ask("!wa block", room_id=desk.chat.room_id)
    assert len(groups.blocked) == 2
    said = await desk.ask("!wa unblock", room_id=desk.chat.room_id)
    assert said == "+15550002222 can reach +15550001111 again."
    assert len(groups.blocked) == 1


async def test_what_cannot_be(world: World) -> None:
    desk = await Desk.open(world)
    groups = world.open_groups(LOGIN)
    assert groups is not None
    assert "Tell me whose phone number" in await desk.ask("block")
    assert "is not on WhatsApp" in await desk.ask("block +15559999999")
    desk.directory.add_person(BEN.user, lid="1000002")
    groups.fail(WhatsAppUnavailable(code="not-connected"))
    assert "+15550002222 was not blocked: the link to WhatsApp is down" in await desk.ask("block +15550002222")
    desk.world.matrix.add_room(GROUP, ALICE, BOB)
    await desk.world.deliver(desk.world.invite(room_id=GROUP))
    assert "nobody's business" in await desk.ask("!wa list-blocked", room_id=GROUP)
