"""The operations of `/v1` and `/bridge`, and the OpenAPI document that describes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from mautrix_whatsapp_py.channel.web import hook_shapes, shapes
from mautrix_whatsapp_py.channel.web.answers import Problem

_REF = "#/components/schemas/{name}"
_FAULTS = {
    "400": "A field is missing or wrong; the answer says which.",
    "401": "No token, or a wrong one.",
    "403": "The configuration or WhatsApp forbids it, or the request comes from a web page.",
    "404": "There is no such account, chat, message or operation.",
    "409": "The account is not linked to WhatsApp.",
    "413": "The body or the file is too large.",
    "415": "The Content-Type is not application/json.",
    "429": "Too often.",
    "503": "The account is linked but has no connection now; nothing is queued.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation and what describes it."""

    method: str
    path: str
    name: str
    summary: str
    answer: Any
    body: Any = None
    query: Any = None
    faults: Sequence[str] = ("400", "401", "403", "404")


_SENDS = ("400", "401", "403", "404", "409", "413", "415", "429", "503")
_WRITES = ("400", "401", "403", "404", "413", "415", "429", "503")
_ASKS = ("400", "401", "403", "404", "409", "503")
BYTES = "bytes"
STREAM = "stream"
OPERATIONS: Sequence[Operation] = (
    Operation(
        method="POST", path="/bridge", name="bridge", summary="The contract loong_channel_bridge_v1.",
        body=shapes.BridgeRequest, answer=shapes.BridgeAnswer, faults=_SENDS,
    ),
    Operation(
        method="GET", path="/v1/accounts", name="get_accounts", summary="All accounts and where they stand.",
        answer=shapes.Accounts, faults=("401", "403", "503"),
    ),
    Operation(
        method="GET", path="/v1/accounts/{account}", name="get_account", summary="One account.",
        answer=shapes.AccountView, faults=_ASKS,
    ),
    Operation(
        method="POST", path="/v1/accounts/{account}/logout", name="logout",
        summary="Unlink an account and delete its credentials; only where the channel runs alone.",
        body=shapes.Nothing, answer=shapes.LoggedOut, faults=("400", "401", "403", "404", "409", "415", "503"),
    ),
    Operation(
        method="GET", path="/v1/chats", name="get_chats", summary="The account's groups.",
        query=shapes.OfAccount, answer=shapes.Chats, faults=_ASKS,
    ),
    Operation(
        method="GET", path="/v1/contacts", name="get_contacts", summary="The account's contacts.",
        query=shapes.OfAccount, answer=shapes.Chats, faults=_ASKS,
    ),
    Operation(
        method="POST", path="/v1/messages", name="send_message", summary="Send a text, a file or both.",
        body=shapes.SendMessage, answer=shapes.Sent, faults=_SENDS,
    ),
    Operation(
        method="POST", path="/v1/reactions", name="send_reaction", summary="React to a message.",
        body=shapes.SendReaction, answer=shapes.Sent, faults=_SENDS,
    ),
    Operation(
        method="POST", path="/v1/polls", name="send_poll", summary="Send a poll.",
        body=shapes.SendPoll, answer=shapes.Sent, faults=_SENDS,
    ),
    Operation(
        method="POST", path="/v1/read", name="mark_read", summary="Mark messages as read.",
        body=shapes.MarkRead, answer=shapes.Okay, faults=_SENDS,
    ),
    Operation(
        method="POST", path="/v1/typing", name="send_typing", summary="Show that an answer is being written.",
        body=shapes.SendTyping, answer=shapes.Okay, faults=_SENDS,
    ),
    Operation(
        method="GET", path="/v1/events", name="get_events", summary="Items behind a cursor; waits for the first.",
        query=shapes.EventsQuery, answer=shapes.Events, faults=("400", "401", "403", "404", "503"),
    ),
    Operation(
        method="GET", path="/v1/events/stream", name="stream_events", summary="Items as server-sent events.",
        query=shapes.EventsQuery, answer=STREAM,
    ),
    Operation(
        method="GET", path="/v1/events/socket", name="socket_events",
        summary="Items over a websocket; whoever reads them sends cursors back to acknowledge.",
        query=shapes.EventsQuery, answer=STREAM,
    ),
    Operation(
        method="POST", path="/v1/acks", name="ack", summary="Acknowledge an item: it is gone.",
        body=shapes.Ack, answer=shapes.Okay, faults=_WRITES,
    ),
    Operation(
        method="GET", path="/v1/pairing", name="get_strangers", summary="Who waits to be let in.",
        query=shapes.OfAccount, answer=shapes.Strangers, faults=("400", "401", "403", "404", "503"),
    ),
    Operation(
        method="POST", path="/v1/pairing/approve", name="approve", summary="Let somebody in.",
        body=shapes.PairingCode, answer=shapes.Settled, faults=_WRITES,
    ),
    Operation(
        method="POST", path="/v1/pairing/deny", name="deny", summary="Refuse somebody.",
        body=shapes.PairingCode, answer=shapes.Settled, faults=_WRITES,
    ),
    Operation(
        method="GET", path="/v1/webhooks", name="get_webhooks", summary="Webhooks, and what waits for them.",
        answer=hook_shapes.Webhooks, faults=("401", "403", "503"),
    ),
    Operation(
        method="POST", path="/v1/webhooks/retry", name="retry_webhooks",
        summary="Have what was given up told again.",
        body=shapes.Nothing, answer=hook_shapes.Retried, faults=("400", "401", "403", "413", "415", "503"),
    ),
    Operation(
        method="POST", path="/v1/uploads", name="upload", summary="Hand over a file that is to be sent; ?name=",
        body=BYTES, answer=shapes.Uploaded, faults=("400", "401", "403", "413", "429"),
    ),
    Operation(
        method="GET", path="/v1/media/{cursor}/{index}", name="download", summary="A file of an item.",
        answer=BYTES, faults=("400", "401", "403", "404", "413", "503"),
    ),
    Operation(
        method="GET", path="/v1/openapi.json", name="openapi", summary="This document.",
        answer=None, faults=("401", "403"),
    ),
)  # fmt: skip


def make_document(version: str) -> dict[str, Any]:
    """The OpenAPI document."""
    kinds: list[Any] = [Problem]
    for operation in OPERATIONS:
        shown = (operation.body, operation.answer, operation.query)
        kinds.extend(kind for kind in shown if isinstance(kind, type))
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_REF)
    queries = {operation.query.__name__ for operation in OPERATIONS if operation.query is not None}
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "The channel of mautrix-whatsapp-py", "version": version},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {name: schemas[name] for name in sorted(schemas) if name not in queries},
        },
    }


def _describe(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": operation.name, "summary": operation.summary}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _names_in(operation.path)
    ]
    if operation.query is not None:
        parameters.extend(
            {"name": name, "in": "query", "required": False, "schema": schema}
            for name, schema in schemas[operation.query.__name__]["properties"].items()
        )
    if operation.name == "upload":
        parameters.append({"name": "name", "in": "query", "required": False, "schema": {"type": "string"}})
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _content(operation.body)}
    described["responses"] = {
        "200": {"description": "Done.", "content": _content(operation.answer)},
        **{code: {"description": _FAULTS[code], "content": _content(Problem)} for code in operation.faults},
    }
    return described


def _content(kind: Any) -> dict[str, Any]:
    if kind == BYTES:
        return {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    if kind == STREAM:
        return {"text/event-stream": {"schema": {"type": "string"}}}
    if kind is None:
        return {"application/json": {"schema": {"type": "object"}}}
    return {"application/json": {"schema": {"$ref": _REF.format(name=kind.__name__)}}}


def _names_in(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]
