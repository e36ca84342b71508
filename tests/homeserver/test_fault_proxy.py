"""The faulty network, one fault at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.conftest import MakeFaultProxy
from tests.homeserver import Fault, FaultProxy

SILENCE_SECONDS = 0.1


@pytest.fixture
async def echo_port() -> AsyncIterator[int]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def ask(proxy: FaultProxy, text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(text)
        return await reader.readexactly(len(text))
    finally:
        writer.close()


async def test_without_a_fault_it_forwards(echo_port: int, make_fault_proxy: MakeFaultProxy) -> None:
    proxy = await make_fault_proxy(echo_port)
    proxy.delay_seconds = 0.001
    assert await ask(proxy, b"hello") == b"hello"
    assert proxy.connections == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.REFUSE, ConnectionRefusedError), (Fault.RESET, (ConnectionResetError, asyncio.IncompleteReadError))],
)
async def test_a_fault_hits_new_connections_and_heals(
    fault: Fault, error: type[Exception], echo_port: int, make_fault_proxy: MakeFaultProxy
) -> None:
    proxy = await make_fault_proxy(echo_port)
    await proxy.set_fault(fault)
    with pytest.raises(error):
        await ask(proxy, b"hello")
    await proxy.set_fault(None)
    assert await ask(proxy, b"hello") == b"hello"


async def test_a_reset_hits_the_connections_there_are(echo_port: int, make_fault_proxy: MakeFaultProxy) -> None:
    proxy = await make_fault_proxy(echo_port)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    await proxy.set_fault(Fault.RESET)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_a_black_hole_answers_nothing_until_it_heals(
    echo_port: int, make_fault_proxy: MakeFaultProxy
) -> None:
    proxy = await make_fault_proxy(echo_port)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    await proxy.set_fault(Fault.BLACKHOLE)
    writer.write(b"hello")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask(proxy, b"hello"), SILENCE_SECONDS)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(), SILENCE_SECONDS)
    await proxy.set_fault(None)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    assert await ask(proxy, b"hello") == b"hello"


async def test_a_response_is_cut_after_so_many_bytes(echo_port: int, make_fault_proxy: MakeFaultProxy) -> None:
    proxy = await make_fault_proxy(echo_port)
    proxy.cut_response_after_bytes = 3
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await ask(proxy, b"hello")
    proxy.cut_response_after_bytes = None
    assert await ask(proxy, b"hello") == b"hello"
