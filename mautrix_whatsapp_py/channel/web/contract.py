"""`POST /bridge`: the contract loong_channel_bridge_v1."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from mautrix_whatsapp_py.channel.accounts import Account
from mautrix_whatsapp_py.channel.faults import bad_request, unknown
from mautrix_whatsapp_py.channel.service import Channel, Letter
from mautrix_whatsapp_py.channel.settings import to_chat_id
from mautrix_whatsapp_py.channel.web import shapes
from mautrix_whatsapp_py.channel.web.answers import answer, read_json
from mautrix_whatsapp_py.channel.web.media import MediaDesk
from mautrix_whatsapp_py.channel.web.views import is_allowed, to_item
from mautrix_whatsapp_py.model.channel import ChannelItem

_Payload = TypeVar("_Payload")


class Contract:
    """The four operations."""

    def __init__(self, channel: Channel, desk: MediaDesk, *, base_url: str) -> None:
        self._channel = channel
        self._desk = desk
        self._base_url = base_url

    async def handle(self, request: web.Request) -> web.Response:
        """Carry out one operation."""
        asked = await read_json(request, shapes.BridgeRequest)
        payload = asked.payload if isinstance(asked.payload, dict) else {}
        result = await self._run(asked.operation, payload, request)
        done = shapes.BridgeAnswer(method=asked.method, id=asked.id, payload=msgspec.to_builtins(result))
        return answer(done)

    async def _run(
        self, operation: str, payload: dict[str, Any], request: web.Request
    ) -> shapes.Sent | shapes.Okay | shapes.Batch:
        match operation:
            case "send_message":
                return await self._send(_read(payload, shapes.BridgeSend))
            case "receive_batch":
                return await self._receive(_read(payload, shapes.BridgeReceive), request)
            case "ack_inbound":
                return await self._ack(_read(payload, shapes.BridgeAck))
            case "complete_batch":
                return await self._complete(_read(payload, shapes.BridgeReceive))
            case _:
                raise unknown(
                    "There is no such operation. Use send_message, receive_batch, ack_inbound or complete_batch."
                )

    async def _send(self, asked: shapes.BridgeSend) -> shapes.Sent:
        said = asked.message or shapes.BridgeText()
        if said.upper is not None and said.text is not None:
            raise bad_request("The message has Text and text. Give one of them.")
        place = await self._channel.require_place(asked.target.id)
        async with self._desk.opened(asked.media, place.account) as attachment:
            letter = Letter(
                text=said.upper or said.text or "",
                reply_to=asked.reply_to or "",
                key=asked.idempotency_key or "",
                attachment=attachment,
                attachment_id="" if asked.media is None else f"{asked.media.upload} {asked.media.url}",
            )
            done = await self._channel.send(place, letter)
        return shapes.Sent(message_ids=list(done.message_ids), uncertain=done.is_uncertain)

    async def _receive(self, asked: shapes.BridgeReceive, request: web.Request) -> shapes.Batch:
        account, allowed = self._read_context(asked)
        items = await self._channel.deps.feed.lend(
            account.name,
            most=asked.max,
            wait_seconds=asked.wait_ms / 1000,
            is_wanted=partial(_is_wanted, allowed=allowed),
        )
        if request.transport is None or request.transport.is_closing():
            # It died while it waited; whoever comes next need not wait for its minute.
            self._channel.deps.feed.take_back(items)
            return shapes.Batch(messages=[])
        return shapes.Batch(messages=[to_item(item, base_url=self._base_url) for item in items])

    def _read_context(self, asked: shapes.BridgeReceive) -> tuple[Account, frozenset[str] | None]:
        context = None if asked.runtime_context is None else asked.runtime_context.account
        if context is None:
            return self._channel.require_account(None), None
        account = self._channel.require_account(context.configured_account_id or context.account_id)
        chats = None if context.config is None else context.config.allowed_chat_ids
        return account, None if chats is None else frozenset(to_chat_id(one) for one in chats)

    async def _ack(self, asked: shapes.BridgeAck) -> shapes.Okay:
        cursor = asked.ack_cursor or (asked.message.delivery.ack_cursor if asked.message else None)
        if cursor is None:
            raise bad_request("Give the ack_cursor of an item.")
        await self._channel.deps.feed.ack(cursor)
        return shapes.Okay()

    async def _complete(self, asked: shapes.BridgeReceive) -> shapes.Okay:
        if asked.runtime_context is not None:
            accounts = [self._read_context(asked)[0]]
        else:
            accounts = list(self._channel.deps.accounts.all)
        for account in accounts:
            await self._channel.deps.feed.give_back(account.name)
        return shapes.Okay()


def _is_wanted(item: ChannelItem, *, allowed: frozenset[str] | None) -> bool:
    return allowed is None or is_allowed(item, allowed)


def _read(payload: dict[str, Any], kind: type[_Payload]) -> _Payload:
    try:
        return msgspec.convert(payload, type=kind)
    except msgspec.ValidationError as error:
        raise bad_request(" ".join(str(error).split())[:300]) from None
