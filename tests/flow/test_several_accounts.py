"""What a user with several accounts writes in a group leaves by the account that is in it."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.ids import LoginId, WaJid
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.wa import WaGroup, WaGroupJoined, WaGroupMember
from tests.flow.chat import BEN, CLUB, LOGIN
from tests.flow.desk import Desk
from tests.flow.world import ALICE, World

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""

OTHER = LoginId("15550009999")
OTHER_PN, OTHER_LID = WaJid(user=OTHER, server="s.whatsapp.net"), WaJid(user="1000009", server="lid")
MEMBERS = (WaGroupMember(jid=OTHER_LID, phone_number=OTHER_PN), WaGroupMember(jid=BEN, is_admin=True))


async def test_it_leaves_by_the_account_that_is_in_the_group(world: World) -> None:
    desk = await Desk.open(world)
    await desk.chat.link(ALICE, OTHER, OTHER_LID)
    group = WaGroup(jid=CLUB, name="Club", members=MEMBERS)
    desk.directory.add_group(CLUB.user, "Club")
    desk.directory.described[CLUB] = group
    await desk.chat.receive(WaGroupJoined(group=group), login=OTHER)
    desk.join(desk.chat.room_id)
    await desk.chat.say("hello")
    sent = {login: [one.content for one in world.network.clients[login].messages] for login in (LOGIN, OTHER)}
    assert sent == {LOGIN: [], OTHER: [WaText(body="hello")]}
