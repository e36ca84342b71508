"""The fake network keeps the promises of the ports, so that flow tests mean something."""

from __future__ import annotations

import asyncio

import pytest

from mautrix_whatsapp_py.errors import WhatsAppRefused, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import JournalSeq, LoginId, SendId, WaJid
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.wa import WaEvent
from mautrix_whatsapp_py.model.wa_link import (
    WaPairingFailed,
    WaPairingFailure,
    WaPhoneCode,
    WaQrCode,
    WaSendUnknown,
    WaState,
    WaStateKind,
)
from tests.fakes.whatsapp import START, FakeNetwork, device_of, replace_state

LOGIN = LoginId("14155550001")
CHAT = WaJid(user="14155550002", server="s.whatsapp.net")
HELLO = WaText(body="x")
QR = WaQrCode(data="one", expires_in_seconds=60)


class _Sink:
    def __init__(self) -> None:
        self.states: list[tuple[LoginId, WaStateKind]] = []

    def on_wa_event(self, login: LoginId, seq: JournalSeq, event: WaEvent) -> None:
        raise AssertionError

    def on_wa_state(self, login: LoginId, state: WaState) -> None:
        self.states.append((login, state.kind))


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork()


async def test_steps_end_with_the_last_one(network: FakeNetwork) -> None:
    pairing = await network.start_pairing()
    paired = network.link(device_of(LOGIN))
    pairing.give(QR, paired, QR)
    assert [step async for step in pairing.steps()] == [QR, paired]


async def test_a_cancelled_attempt_says_so_once(network: FakeNetwork) -> None:
    pairing = await network.start_pairing()
    await pairing.cancel()
    await pairing.cancel()
    cancelled = WaPairingFailed(reason=WaPairingFailure.CANCELLED)
    assert [step async for step in pairing.steps()] == [cancelled]


async def test_cancelling_after_the_end_changes_nothing(network: FakeNetwork) -> None:
    pairing = await network.start_pairing()
    paired = network.link(device_of(LOGIN))
    pairing.give(paired)
    await pairing.cancel()
    assert [step async for step in pairing.steps()] == [paired]


async def test_another_code_only_while_the_attempt_runs(network: FakeNetwork) -> None:
    pairing = await network.start_pairing("14155550001")
    pairing.codes += [WaPhoneCode(code="AAAA-BBBB"), WhatsAppRefused(code="rate-limited"), WaPhoneCode(code="x")]
    assert (await pairing.request_phone_code("14155550001")).code == "AAAA-BBBB"
    with pytest.raises(WhatsAppRefused):
        await pairing.request_phone_code("14155550001")
    await pairing.cancel()
    with pytest.raises(WhatsAppUnavailable):
        await pairing.request_phone_code("14155550001")


async def test_somebody_may_wait_for_an_attempt(network: FakeNetwork) -> None:
    waiting = asyncio.create_task(network.wait_for_pairing())
    pairing = await network.start_pairing("14155550001")
    assert await waiting is pairing
    assert pairing.phone == "14155550001"


async def test_only_changes_of_state_are_told(network: FakeNetwork) -> None:
    sink = network.sink = _Sink()
    network.link(device_of(LOGIN))
    state = network.clients[LOGIN].state
    network.set_state(LOGIN, state)
    network.set_state(LOGIN, replace_state(state, WaStateKind.TRANSIENT_DISCONNECT, "wa-connection-failed"))
    assert sink.states == [(LOGIN, WaStateKind.CONNECTED), (LOGIN, WaStateKind.TRANSIENT_DISCONNECT)]


async def test_linking_again_replaces_the_session(network: FakeNetwork) -> None:
    assert not network.link(device_of(LOGIN)).has_replaced
    assert network.link(device_of(LOGIN)).has_replaced
    assert network.get_logins() == (LOGIN,)


async def test_a_session_that_is_logged_out_or_deleted_is_gone(network: FakeNetwork) -> None:
    network.link(device_of(LOGIN))
    assert await network.logout(LOGIN)
    assert network.get_client(LOGIN) is None
    network.link(device_of(LOGIN))
    await network.delete_session(LOGIN)
    assert network.get_client(LOGIN) is None
    assert not await network.logout(LOGIN)


async def test_disconnecting_keeps_the_session(network: FakeNetwork) -> None:
    network.link(device_of(LOGIN))
    await network.disconnect(LOGIN)
    state = network.clients[LOGIN].state
    assert (state.kind, state.error) == (WaStateKind.TRANSIENT_DISCONNECT, "wa-not-connected")
    await network.connect(LOGIN)
    assert network.clients[LOGIN].state.is_usable


async def test_a_send_id_is_sent_once(network: FakeNetwork) -> None:
    network.link(device_of(LOGIN))
    client = network.clients[LOGIN]
    first = await client.send_message(CHAT, HELLO, send_id=SendId("s"))
    assert await client.send_message(CHAT, HELLO, send_id=SendId("s")) == first
    assert await client.fetch_send_outcome(SendId("s")) == first
    await client.forget_sends([SendId("s")])
    assert await client.fetch_send_outcome(SendId("s")) == WaSendUnknown(send_id=SendId("s"))
    network.set_state(LOGIN, replace_state(client.state, WaStateKind.CONNECTING, at=START))
    with pytest.raises(WhatsAppUnavailable):
        await client.send_message(CHAT, HELLO, send_id=SendId("t"))
