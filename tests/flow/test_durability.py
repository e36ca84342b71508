"""Nothing is lost and nothing is said twice, whatever fails in between."""

from __future__ import annotations

import asyncio

import pytest

from mautrix_whatsapp_py.bridge.from_matrix.member import HELLO
from mautrix_whatsapp_py.errors import MatrixUnreachable, StoreUnavailable
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from tests.fakes.matrix import BOT
from tests.flow.world import ALICE, DEADLINE_SECONDS, DM, World

INVITE_STEPS = [
    (call, is_late) for call in ("join_room", "fetch_members", "send_notice", "mark") for is_late in (False, True)
]


def crash_at(world: World, call: str, *, is_late: bool) -> None:
    if call == "mark":
        world.fail_mark(is_too_late=is_late, is_crash=True)
    else:
        world.matrix.crash(call, is_answer_lost=is_late)


@pytest.mark.parametrize(("call", "is_late"), INVITE_STEPS)
async def test_an_invitation_is_answered_once_across_a_crash(world: World, call: str, is_late: bool) -> None:
    world.matrix.add_room(DM, ALICE)
    crash_at(world, call, is_late=is_late)
    await world.deliver(world.invite())
    await world.settled()
    await world.restart()
    await world.settled()
    assert world.matrix.bodies(DM) == [HELLO]
    assert world.matrix.rooms[DM].joined == {ALICE, BOT}
    assert await world.users.get_management_room(ALICE) == DM
    assert not await world.pending()


@pytest.mark.parametrize(("call", "is_late"), INVITE_STEPS[4:])
async def test_a_command_is_answered_once_across_a_crash(world: World, call: str, is_late: bool) -> None:
    await world.open_dm()
    crash_at(world, call, is_late=is_late)
    await world.deliver(world.text("cancel"))
    await world.settled()
    await world.restart()
    await world.settled()
    assert world.matrix.bodies(DM) == [HELLO, "There is nothing to cancel."]
    assert len({one.txn_id for one in world.matrix.sent}) == 2
    assert not await world.pending()


async def test_what_waited_comes_before_what_is_new(world: World) -> None:
    await world.open_dm()
    await world.bridge.stop()
    await world.deliver(*(world.text(f"old{number}") for number in range(20)))
    assert len(await world.pending()) == 20
    await world.restart()
    await world.deliver(*(world.text(f"new{number}") for number in range(20)))
    await world.settled()
    wanted = [f"old{number}" for number in range(20)] + [f"new{number}" for number in range(20)]
    assert [body.split("`")[1] for body in world.matrix.bodies(DM)[1:]] == wanted
    assert not await world.pending()


async def let_time_pass(world: World) -> None:
    """Run the bridge until it has nothing to do, waking whoever rests."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        idle = asyncio.ensure_future(world.bridge.idle())
        while not idle.done():
            world.clock.advance(60)
            await asyncio.wait({idle}, timeout=0.01)


async def test_an_outage_is_waited_out_in_order(world: World) -> None:
    await world.open_dm()
    world.matrix.fail("send_notice", MatrixUnreachable(), times=7)
    await world.deliver(world.text("first"), world.text("second"), world.text("third"))
    await let_time_pass(world)
    assert [body.split("`")[1] for body in world.matrix.bodies(DM)[1:]] == ["first", "second", "third"]
    assert not await world.pending()


async def test_a_lost_answer_of_the_homeserver_doubles_nothing(world: World) -> None:
    await world.open_dm()
    world.matrix.fail("send_notice", MatrixUnreachable(), times=3, is_answer_lost=True)
    await world.deliver(world.text("cancel"))
    await let_time_pass(world)
    assert world.matrix.bodies(DM) == [HELLO, "There is nothing to cancel."]


@pytest.mark.parametrize("is_too_late", [False, True])
async def test_an_outage_of_the_database_doubles_nothing(world: World, is_too_late: bool) -> None:
    await world.open_dm()
    for _ in range(3):
        world.fail_mark(is_too_late=is_too_late, is_crash=False)
    await world.deliver(world.text("cancel"), world.text("version"))
    await let_time_pass(world)
    assert len(world.matrix.bodies(DM)) == 3
    assert world.matrix.bodies(DM)[1] == "There is nothing to cancel."
    assert not await world.pending()


async def test_a_stuck_room_delays_no_other(world: World) -> None:
    bob, other = MxUserId("@bob:localhost"), MxRoomId("!bob:localhost")
    world.matrix.add_room(DM, ALICE)
    world.matrix.add_room(other, bob)
    world.matrix.fail("join_room", MatrixUnreachable(), times=1)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await world.deliver(world.invite())
        await world.matrix.wait_for_calls("join_room", 1)
        await world.deliver(world.invite(room_id=other, sender=bob))
        await world.matrix.wait_for_calls("send_notice", 1)
    assert len(world.matrix.bodies(other)) == 1
    assert world.matrix.bodies(DM) == []
    assert world.bridge.inbox_depth == 1
    await let_time_pass(world)
    assert world.matrix.bodies(DM) == [HELLO]


async def test_stopping_does_not_wait_for_a_resting_room(world: World) -> None:
    await world.open_dm()
    world.matrix.fail("send_notice", MatrixUnreachable(), times=1)
    await world.deliver(world.text("cancel"), world.text("version"))
    async with asyncio.timeout(DEADLINE_SECONDS):
        await world.matrix.wait_for_calls("send_notice", 2)
        await world.bridge.stop(seconds=DEADLINE_SECONDS * 2)
    assert len(await world.pending()) == 2
    await world.restart()
    await world.settled()
    assert len(world.matrix.bodies(DM)) == 3


async def test_a_fault_of_ours_gives_one_event_up_and_goes_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.open_dm()
    broken = ZeroDivisionError()
    world.matrix.fail("send_notice", broken)  # type: ignore[arg-type]
    await world.deliver(world.text("cancel"), world.text("version"))
    await world.settled()
    assert len(world.matrix.bodies(DM)) == 2
    assert "could not be handled" in caplog.text
    assert not await world.pending()


async def test_a_database_that_is_away_when_asked_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.open_dm()
    real, failures = world.users.get_management_room, [StoreUnavailable(), StoreUnavailable()]

    async def get(user: MxUserId) -> MxRoomId | None:
        if failures:
            raise failures.pop()
        return await real(user)

    monkeypatch.setattr(world.users, "get_management_room", get)
    await world.deliver(world.text("cancel"))
    await let_time_pass(world)
    assert world.matrix.bodies(DM) == [HELLO, "There is nothing to cancel."]
