"""Whatever a program sends, the API answers as its OpenAPI document says."""

from __future__ import annotations

import asyncio
import importlib
import re
import warnings
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from mautrix_whatsapp_py.config.document import parse_yaml
from mautrix_whatsapp_py.provisioning.api import SERVED, description_text
from mautrix_whatsapp_py.provisioning.steps import DISPLAY, USER_INPUT
from tests.fakes.whatsapp import FakePairing, device_of
from tests.flow.attempts import NUMBER, qr
from tests.flow.desk_of_programs import PREFIX, SECRET, Desk, opened_desk
from tests.flow.world import ALICE, World

EXAMPLES_EACH = 3
CHECKS = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")


@pytest.fixture
async def desk(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """Alice has an account; attempts show a code at once and are over with the next one."""
    start = world.network.start_pairing

    async def start_at_once(phone: str = "") -> FakePairing:
        pairing = await start(phone)
        pairing.give(qr("code"))
        await_end = asyncio.get_running_loop().call_later(0.01, lambda: asyncio.ensure_future(pairing.cancel()))
        assert await_end is not None
        return pairing

    world.network.link(device_of(NUMBER))
    await world.logins.add(ALICE, device_of(NUMBER))
    monkeypatch.setattr(world.network, "start_pairing", start_at_once)
    async with opened_desk(world) as desk:
        yield desk


def load_schemathesis() -> Any:
    """The checker; it warns of its own libraries while it loads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("schemathesis")


def check_everything(base_url: str) -> int:
    """Send what is allowed and what is not to every path; how many requests there were."""
    schemathesis = load_schemathesis()
    schema = schemathesis.openapi.from_dict(parse_yaml(description_text()))
    named = importlib.import_module("schemathesis.specs.openapi.checks")
    checks = [getattr(named, name) for name in CHECKS]
    headers = {"Authorization": f"Bearer {SECRET}"}
    count = 0

    def check(operation: Any) -> None:
        nonlocal count

        @settings(
            max_examples=EXAMPLES_EACH, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def run(case: Any) -> None:
            nonlocal count
            count += 1
            case.query = {**(case.query or {}), "user_id": ALICE}
            response = case.call(base_url=base_url, headers=headers)
            assert response.status_code < 500 or response.status_code in (501, 503), response.text
            case.validate_response(response, checks=checks)

        run()

    for result in schema.get_all_operations():
        check(result.ok())
    return count


@pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
async def test_every_path_answers_as_described(desk: Desk) -> None:
    base_url = str(desk.client.make_url(PREFIX))
    count = await asyncio.to_thread(partial(check_everything, base_url))
    assert count > len(SERVED)


def test_every_path_is_described() -> None:
    described = {
        f"{method.upper()} {re.sub('{[^}]*}', '{}', path)}"
        for path, methods in parse_yaml(description_text())["paths"].items()
        for method in methods
    }
    served = {f"{method} {re.sub('{[^}]*}', '{}', path)}" for method, path in SERVED}
    assert {one for one in described if "/step/" not in one} == {one for one in served if "/step/" not in one}
    assert sum("/step/" in one for one in described) == len((USER_INPUT, DISPLAY))
