"""Several users in one room."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.content import WaText
from tests.flow.chat import BEN, CLUB, Chat
from tests.flow.world import BOB, World


async def test_whose_login_is_always_second_is_invited_too(world: World) -> None:
    chat = await Chat.open(world)
    await chat.link(BOB, LoginId("15550004444"))
    message = chat.message(WaText(body="hello"), sender=BEN, chat=CLUB)
    await chat.receive(message)
    await chat.receive(message, login=LoginId("15550004444"))
    assert chat.texts == ["hello"]
    assert BOB in world.matrix.rooms[chat.room_id].invited
    assert not chat.unacknowledged(LoginId("15550004444"))
