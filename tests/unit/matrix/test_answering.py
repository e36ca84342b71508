"""What comes before the answer to a transaction."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from mautrix_whatsapp_py.matrix.appservice import AppService
from tests.unit.matrix.conftest import Endpoint
from tests.unit.matrix.test_appservice import PATH, events, put


async def test_what_came_is_begun_before_the_answer_is_made(
    http: aiohttp.ClientSession, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    answer = web.json_response

    def begin(_event: object, _seq: object) -> None:
        asyncio.get_running_loop().call_soon(order.append, "begun")

    def make(*args: Any, **options: Any) -> web.Response:
        order.append("answered")
        return answer(*args, **options)

    monkeypatch.setattr(endpoint.sink, "on_mx_event", begin)
    monkeypatch.setattr(web, "json_response", make)
    assert await put(http, PATH, {"events": events(1)}) == (200, {})
    assert order == ["begun", "answered"]


@pytest.mark.parametrize(("method", "path"), [("PUT", PATH), ("POST", "/_matrix/app/v1/ping")])
async def test_whether_the_homeserver_has_come(
    method: str, path: str, http: aiohttp.ClientSession, appservice: AppService
) -> None:
    async with http.request(
        method, path, json={"events": []}, headers={"Authorization": "Bearer wrong"}
    ) as answer:
        assert answer.status == 403
    assert not appservice.was_reached
    async with http.request(method, path, json={"events": []}):
        assert appservice.was_reached
