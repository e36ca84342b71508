"""Attempts to link an account, step by step."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import LoginId, MxRoomId, MxUserId
from mautrix_whatsapp_py.model.wa_link import WaQrCode
from tests.fakes.whatsapp import FakePairing, device_of
from tests.flow.world import ALICE, DM, World

NUMBER = LoginId("14155550001")
OTHER = LoginId("14155550002")
SUCCESS = "Successfully logged in as +14155550001"


def qr(data: str) -> WaQrCode:
    return WaQrCode(data=data, expires_in_seconds=20)


async def begin(
    world: World, command: str = "login", *, room_id: MxRoomId = DM, user: MxUserId = ALICE
) -> FakePairing:
    """Somebody's attempt."""
    count = len(world.network.pairings) + 1
    await world.say(command, room_id=room_id, sender=user)
    assert len(world.network.pairings) == count, world.matrix.bodies(room_id)
    return world.network.pairings[-1]


async def link(
    world: World, number: LoginId = NUMBER, *, room_id: MxRoomId = DM, user: MxUserId = ALICE
) -> FakePairing:
    """Link an account the short way."""
    pairing = await begin(world, room_id=room_id, user=user)
    said = f"Successfully logged in as +{number}"
    count = sum(said in body for body in world.matrix.bodies(room_id)) + 1
    pairing.give(world.network.link(device_of(number), at=world.clock.now()))
    await world.heard(said, room_id=room_id, count=count)
    return pairing


async def show(world: World, pairing: FakePairing, *codes: str) -> None:
    """Let codes appear."""
    count = len(world.matrix.pictures) + len(codes)
    pairing.give(*(qr(code) for code in codes))
    await world.until(lambda: len(world.matrix.pictures) == count)
