"""What the adapter takes for granted of a real homeserver."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from mautrix_whatsapp_py.bridge.clock import SystemClock
from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxRoomId, MxTxnId, MxUri, MxUserId
from mautrix_whatsapp_py.matrix import missed
from mautrix_whatsapp_py.matrix.api import BotProfile, HttpMatrixApi
from mautrix_whatsapp_py.matrix.decode import decode_event
from mautrix_whatsapp_py.matrix.http import Patience, RetryingHttp
from mautrix_whatsapp_py.model.mx import MxMember, MxMembership, MxNotice
from tests.conftest import MakeSynapse
from tests.homeserver import Registration

pytestmark = pytest.mark.synapse

BOT = MxUserId("@whatsappbot:localhost")


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


def make_http(session: ClientSession, url: str) -> RetryingHttp:
    token = Registration(url=None).as_token
    return RetryingHttp(url, token, session=session, clock=SystemClock(), patience=Patience())


def make_api(session: ClientSession, url: str) -> HttpMatrixApi:
    return HttpMatrixApi(make_http(session, url), bot=BOT, appservice_id="whatsapp")


@pytest.mark.parametrize("msc4190", [True, False])
async def test_a_repeated_notice_is_one_event_also_after_both_sides_restarted(
    make_synapse: MakeSynapse, session: ClientSession, msc4190: bool
) -> None:
    synapse = await make_synapse(Registration(url=None, msc4190=msc4190))
    alice = await synapse.create_client("alice")
    api = make_api(session, synapse.url)
    await api.ensure_bot()
    room = MxRoomId(await alice.create_room(invite=[BOT]))
    await api.join_room(room, user=BOT)
    notice, txn_id = MxNotice(body="once"), MxTxnId("answer-$x-0")
    first = await api.send_notice(room, notice, sender=BOT, txn_id=txn_id)
    await api.send_redaction(room, first, sender=BOT, txn_id=MxTxnId("redact-1"))
    await synapse.kill()
    await synapse.start()
    again = make_api(session, synapse.url)
    assert await again.send_notice(room, notice, sender=BOT, txn_id=txn_id) == first
    await again.send_redaction(room, first, sender=BOT, txn_id=MxTxnId("redact-1"))
    events = await alice.messages(room)
    assert [event.type for event in events if event.sender == BOT] == [
        "m.room.member",
        "m.room.message",
        "m.room.redaction",
    ]


async def test_the_bot_and_its_rooms(make_synapse: MakeSynapse, session: ClientSession) -> None:
    synapse = await make_synapse(Registration(url=None))
    alice = await synapse.create_client("alice")
    api = make_api(session, synapse.url)
    await api.ensure_bot()
    await api.ensure_bot()
    assert await api.fetch_whoami() == BOT
    profile = BotProfile(display_name="Bridge", avatar=MxUri("mxc://localhost/abc"))
    await api.ensure_profile(profile)
    await api.ensure_profile(profile)
    shown = await alice.request("GET", f"/profile/{BOT}")
    assert (shown["displayname"], shown["avatar_url"]) == ("Bridge", "mxc://localhost/abc")
    room = MxRoomId(await alice.create_room(invite=[BOT]))
    await api.join_room(room, user=BOT)
    await api.join_room(room, user=BOT)
    assert await api.fetch_members(room) == {BOT, alice.user_id}
    await api.leave_room(room, user=BOT, reason="enough")
    await api.leave_room(room, user=BOT)
    assert await alice.joined_members(room) == [alice.user_id]
    with pytest.raises(MatrixRefused):
        await api.join_room(room, user=BOT)
    with pytest.raises(MatrixRefused):
        await api.send_notice(room, MxNotice(body="x"), sender=BOT, txn_id=MxTxnId("t"))


async def test_what_the_server_tells_of_itself(make_synapse: MakeSynapse, session: ClientSession) -> None:
    synapse = await make_synapse(Registration(url=None))
    info = await make_api(session, synapse.url).fetch_server_info()
    assert "v1.11" in info.versions
    assert info.software is not None
    assert info.software.startswith("Synapse 1.")


async def test_what_rooms_say_since_a_moment_can_be_asked_for(
    make_synapse: MakeSynapse, session: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missed, "PAGE_EVENTS", 7)
    synapse = await make_synapse(Registration(url=None))
    alice = await synapse.create_client("alice")
    http = make_http(session, synapse.url)
    api, asked = HttpMatrixApi(http, bot=BOT, appservice_id="whatsapp"), missed.MissedEvents(http, bot=BOT)
    await api.ensure_bot()
    await asked.fetch_reachable()
    known, crowded = [MxRoomId(await alice.create_room(invite=[BOT])) for _ in range(2)]
    for room in known, crowded:
        await api.join_room(room, user=BOT)
    await alice.send_text(known, "before the mark")
    token = await asked.fetch_token()
    said = [await alice.send_text(known, str(number)) for number in range(missed.SYNC_EVENTS + 20)]
    late = MxRoomId(await alice.create_room(invite=[BOT]))
    await alice.send_text(late, "before the bot")
    await api.join_room(late, user=BOT)
    said_late = await alice.send_text(late, "after the bot")
    inviting = await alice.create_room(invite=[BOT])

    found = (await asked.fetch_since(token)).events
    assert [event.event_id for event in found if event.room_id == known] == said
    assert [event.event_id for event in found if event.room_id == late and event.sender != BOT] == [said_late]
    (invite,) = [event for event in found if event.room_id == inviting]
    assert decode_event(invite) == MxMember(
        origin=decode_event(invite).origin, user=BOT, membership=MxMembership.INVITE, is_direct=False
    )
    assert [event for event in found if event.room_id == crowded] == []

    monkeypatch.setattr(missed, "MAX_PAGES", 2)
    found = (await asked.fetch_since(token)).events
    assert [event for event in found if event.room_id == known] == []
    assert {event.room_id for event in found} == {late, inviting}
