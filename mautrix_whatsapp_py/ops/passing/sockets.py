"""Web sockets that are passed on: texts both ways, until either end goes."""

from __future__ import annotations

import asyncio

from aiohttp import ClientWebSocketResponse, WSMsgType, hdrs, web

from mautrix_whatsapp_py.ops.passing.letters import BodyPart, Part
from mautrix_whatsapp_py.ops.passing.line import Line, LineBroken
from mautrix_whatsapp_py.tasks import end_all

HEARTBEAT_SECONDS = 20.0
MOST_BYTES = 1 << 16
"""How long a text of a client may be."""
_OF_HANDSHAKES = "sec-websocket-"
_Socket = web.WebSocketResponse | ClientWebSocketResponse


def is_socket(request: web.Request) -> bool:
    """Whether a client wants one."""
    return request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"


def is_of_handshake(name: str) -> bool:
    """Whether a header belongs to the beginning of one connection."""
    return name.lower().startswith(_OF_HANDSHAKES)


async def serve_client(line: Line, request: web.Request) -> web.StreamResponse:
    """On the worker that a client came to."""
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, max_msg_size=MOST_BYTES)
    await socket.prepare(request)
    await _join(line, socket, BodyPart)
    await socket.close()
    return socket


async def serve_leader(line: Line, socket: ClientWebSocketResponse) -> None:
    """On the worker that leads."""
    await _join(line, socket, Part)


async def _join(line: Line, socket: _Socket, kind: type[Part] | type[BodyPart]) -> None:
    """Until one of the two ends."""
    ways = [asyncio.create_task(_read(line, socket, kind)), asyncio.create_task(_write(line, socket))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end_all(ways)


async def _read(line: Line, socket: _Socket, kind: type[Part] | type[BodyPart]) -> None:
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            body = message.data.encode()
            await line.send_part(Part(body=body) if kind is Part else BodyPart(body=body, is_last=False))


async def _write(line: Line, socket: _Socket) -> None:
    try:
        while isinstance(content := await line.receive(), Part | BodyPart):
            await socket.send_str(content.body.decode())
            await line.confirm()
    except (LineBroken, ConnectionError):
        return
