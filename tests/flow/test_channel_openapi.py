"""Whatever a program sends, the channel answers as its documents say, and nothing it did not ask for happens."""

from __future__ import annotations

import asyncio
import importlib
import warnings
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from mautrix_whatsapp_py.channel.web import shapes
from mautrix_whatsapp_py.channel.web.openapi import OPERATIONS, make_document
from mautrix_whatsapp_py.store.store import Store
from tests.flow.channel_desk import BEN, TOKEN, Desk, desk_of

EXAMPLES_EACH, CONTRACT_EXAMPLES = 3, 30
CHECKS = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
ENDLESS = ("/v1/events/stream", "/v1/events/socket")
PAYLOADS = {
    "send_message": shapes.BridgeSend,
    "receive_batch": shapes.BridgeReceive,
    "ack_inbound": shapes.BridgeAck,
    "complete_batch": shapes.BridgeReceive,
}

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)


@pytest.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_of(store, tmp_path / "desk", allow_from=(f"+{BEN}",)) as desk:
        yield desk


def load_schemathesis() -> Any:
    """The checker; it warns of its own libraries while it loads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("schemathesis")


def own_document() -> dict[str, Any]:
    """What is served, without what never ends."""
    document = make_document("1")
    document["paths"] = {path: item for path, item in document["paths"].items() if path not in ENDLESS}
    return impatient(document)


def contract_document(operation: str) -> dict[str, Any]:
    """One operation of the contract, whose payload the served document leaves open."""
    document = make_document("1")
    template = "#/components/schemas/{name}"
    _, schemas = msgspec.json.schema_components([PAYLOADS[operation]], ref_template=template)
    document["components"]["schemas"].update(schemas)
    document["paths"] = {"/bridge": document["paths"]["/bridge"]}
    payload = {"$ref": template.format(name=PAYLOADS[operation].__name__)}
    body = document["paths"]["/bridge"]["post"]["requestBody"]["content"]["application/json"]
    body["schema"] = {
        "type": "object",
        "properties": {"operation": {"const": operation}, "payload": payload},
        "required": ["operation", "payload"],
        "additionalProperties": False,
    }
    return impatient(document)


def impatient(node: Any) -> Any:
    """Nothing may be waited for."""
    if isinstance(node, dict):
        changed = {name: impatient(value) for name, value in node.items()}
        for name in ("wait_ms", "schema"):
            one = changed.get(name)
            if isinstance(one, dict) and one.get("maximum") == 60_000:
                changed[name] = {**one, "maximum": 0}
        return changed
    return [impatient(value) for value in node] if isinstance(node, list) else node


def check_everything(document: dict[str, Any], base_url: str, *, examples: int = EXAMPLES_EACH) -> int:
    """Send what is allowed and what is not to every path; how many requests there were."""
    schema = load_schemathesis().openapi.from_dict(document)
    named = importlib.import_module("schemathesis.specs.openapi.checks")
    checks = [getattr(named, name) for name in CHECKS]
    count = 0

    def check(operation: Any) -> None:
        @settings(
            max_examples=examples, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def run(case: Any) -> None:
            nonlocal count
            count += 1
            response = case.call(base_url=base_url, headers={"Authorization": f"Bearer {TOKEN}"})
            assert response.status_code < 500 or response.status_code == 503, response.text
            if response.status_code >= 400:
                assert list(response.json()) == ["error"], response.text
                assert "\n" not in response.json()["error"]
            case.validate_response(response, checks=checks)

        run()

    for result in schema.get_all_operations():
        check(result.ok())
    return count


async def test_every_path_answers_as_the_document_says(desk: Desk) -> None:
    await desk.hear("hello")
    count = await asyncio.to_thread(partial(check_everything, own_document(), str(desk.http.make_url("/"))[:-1]))
    assert count > len(OPERATIONS)


@pytest.mark.parametrize("operation", PAYLOADS)
async def test_every_operation_of_the_contract_answers_as_the_document_says(desk: Desk, operation: str) -> None:
    await desk.hear("hello")
    base_url = str(desk.http.make_url("/"))[:-1]
    document = contract_document(operation)
    count = await asyncio.to_thread(partial(check_everything, document, base_url, examples=CONTRACT_EXAMPLES))
    assert count >= CONTRACT_EXAMPLES
