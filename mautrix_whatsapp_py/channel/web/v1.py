"""`/v1`: our own surface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec
from aiohttp import hdrs, web
from yarl import URL

from mautrix_whatsapp_py.channel.accounts import Account
from mautrix_whatsapp_py.channel.faults import ChannelFault
from mautrix_whatsapp_py.channel.feed import MAX_BATCH, read_cursor, to_cursor
from mautrix_whatsapp_py.channel.hooks import Hook
from mautrix_whatsapp_py.channel.service import Channel, Letter
from mautrix_whatsapp_py.channel.web import hook_shapes, shapes
from mautrix_whatsapp_py.channel.web.answers import answer, convert, read_json
from mautrix_whatsapp_py.channel.web.media import MediaDesk
from mautrix_whatsapp_py.channel.web.views import to_item, to_target
from mautrix_whatsapp_py.ids import USER_SERVER, WaJid
from mautrix_whatsapp_py.model.channel import ChannelItem, HookDepth, ItemSeq
from mautrix_whatsapp_py.store.channel_items import FIRST

KEEPALIVE_SECONDS = 20.0


class V1:
    """The handlers of all operations."""

    def __init__(self, channel: Channel, desk: MediaDesk, *, base_url: str) -> None:
        self._channel = channel
        self._desk = desk
        self._base_url = base_url
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Let streams end."""
        self._closing.set()
        self._channel.deps.feed.close()

    # Accounts and chats

    async def get_accounts(self, _request: web.Request) -> web.Response:
        views = [await self._view(account) for account in self._channel.deps.accounts.all]
        return answer(shapes.Accounts(accounts=views))

    async def get_account(self, request: web.Request) -> web.Response:
        return answer(await self._view(self._channel.require_account(request.match_info["account"])))

    async def logout(self, request: web.Request) -> web.Response:
        await read_json(request, shapes.Nothing)
        account = self._channel.require_account(request.match_info["account"])
        return answer(shapes.LoggedOut(phone_told=await self._channel.logout(account)))

    async def get_chats(self, request: web.Request) -> web.Response:
        account = self._account_of(request)
        groups = await self._channel.fetch_groups(account)
        views = [_chat(account, one.jid, one.name) for one in groups]
        return answer(shapes.Chats(chats=views))

    async def get_contacts(self, request: web.Request) -> web.Response:
        account = self._account_of(request)
        contacts = await self._channel.fetch_contacts(account)
        return answer(shapes.Chats(chats=[_chat(account, one.jid, one.name) for one in contacts]))

    # Out

    async def send_message(self, request: web.Request) -> web.Response:
        asked = await read_json(request, shapes.SendMessage)
        place = await self._channel.require_place(asked.target, asked.account)
        async with self._desk.opened(asked.media, place.account) as attachment:
            letter = Letter(
                text=asked.text,
                reply_to=asked.reply_to,
                key=asked.idempotency_key,
                attachment=attachment,
                attachment_id="" if asked.media is None else f"{asked.media.upload} {asked.media.url}",
            )
            done = await self._channel.send(place, letter)
        return answer(shapes.Sent(message_ids=list(done.message_ids), uncertain=done.is_uncertain))

    async def send_reaction(self, request: web.Request) -> web.Response:
        asked = await read_json(request, shapes.SendReaction)
        place = await self._channel.require_place(asked.target, asked.account)
        done = await self._channel.react(place, asked.message_id, asked.emoji, key=asked.idempotency_key)
        return answer(shapes.Sent(message_ids=list(done.message_ids), uncertain=done.is_uncertain))

    async def send_poll(self, request: web.Request) -> web.Response:
        asked = await read_json(request, shapes.SendPoll)
        place = await self._channel.require_place(asked.target, asked.account)
        done = await self._channel.ask_poll(
            place, asked.question, asked.options, selectable=asked.selectable, key=asked.idempotency_key
        )
        return answer(shapes.Sent(message_ids=list(done.message_ids), uncertain=done.is_uncertain))

    async def mark_read(self, request: web.Request) -> web.Response:
        asked = await read_json(request, shapes.MarkRead)
        place = await self._channel.require_place(asked.target, asked.account)
        await self._channel.mark_read(place, asked.message_ids)
        return answer(shapes.Okay())

    async def send_typing(self, request: web.Request) -> web.Response:
        asked = await read_json(request, shapes.SendTyping)
        place = await self._channel.require_place(asked.target, asked.account)
        await self._channel.send_typing(place, is_typing=asked.typing, is_audio=asked.audio)
        return answer(shapes.Okay())

    # In

    async def get_events(self, request: web.Request) -> web.Response:
        asked = convert(request.query, shapes.EventsQuery)
        account = self._channel.require_account(asked.account)
        after = read_cursor(asked.after) if asked.after else FIRST
        items = await self._channel.deps.feed.follow(
            account.name, after=after, most=asked.limit, wait_seconds=asked.wait_ms / 1000
        )
        views = [to_item(item, base_url=self._base_url) for item in items]
        return answer(shapes.Events(items=views, next=to_cursor(items[-1].seq if items else after)))

    async def stream_events(self, request: web.Request) -> web.StreamResponse:
        account, after = self._begin_stream(request)
        response = web.StreamResponse(
            headers={hdrs.CONTENT_TYPE: "text/event-stream", hdrs.CACHE_CONTROL: "no-store"}
        )
        await response.prepare(request)
        async for items in self._follow(account, after):
            for item in items:
                body = msgspec.json.encode(to_item(item, base_url=self._base_url))
                await response.write(b"id: %s\nevent: item\ndata: %s\n\n" % (to_cursor(item.seq).encode(), body))
            if not items:
                await response.write(b": still here\n\n")
        await response.write_eof()
        return response

    async def socket_events(self, request: web.Request) -> web.StreamResponse:
        account, after = self._begin_stream(request)
        socket = web.WebSocketResponse(heartbeat=KEEPALIVE_SECONDS, max_msg_size=4_096)
        await socket.prepare(request)
        reading = asyncio.create_task(self._read_acks(socket))
        try:
            async for items in self._follow(account, after):
                if reading.done():
                    break
                for item in items:
                    body = msgspec.json.encode(to_item(item, base_url=self._base_url))
                    await socket.send_str(body.decode())
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await socket.close()
        return socket

    async def ack(self, request: web.Request) -> web.Response:
        asked = await read_json(request, shapes.Ack)
        await self._channel.deps.feed.ack(asked.ack_cursor)
        return answer(shapes.Okay())

    # Pairing

    async def get_strangers(self, request: web.Request) -> web.Response:
        asked = convert(request.query, shapes.OfAccount)
        accounts: Sequence[Account] = (
            self._channel.deps.accounts.all
            if asked.account is None
            else (self._channel.require_account(asked.account),)
        )
        views = [
            shapes.Stranger(account=one.account, number=f"+{one.number}", code=one.code, made_at=one.made_at)
            for account in accounts
            for one in await self._channel.deps.offers.get_pending(account)
        ]
        return answer(shapes.Strangers(requests=views))

    async def approve(self, request: web.Request) -> web.Response:
        asked = await read_json(request, shapes.PairingCode)
        account = self._channel.require_account(asked.account)
        number = await self._channel.deps.offers.approve(account, asked.code)
        return answer(shapes.Settled(number=f"+{number}"))

    async def deny(self, request: web.Request) -> web.Response:
        asked = await read_json(request, shapes.PairingCode)
        account = self._channel.require_account(asked.account)
        number = await self._channel.deps.offers.deny(account, asked.code)
        return answer(shapes.Settled(number=f"+{number}"))

    # Webhooks

    async def get_webhooks(self, _request: web.Request) -> web.Response:
        book = self._channel.deps.hooks
        views = [_webhook(hook, await book.get_depth(hook)) for hook in book.hooks]
        return answer(hook_shapes.Webhooks(webhooks=views))

    async def retry_webhooks(self, request: web.Request) -> web.Response:
        await read_json(request, shapes.Nothing)
        count = await self._channel.deps.hooks.retry(self._channel.deps.clock.now())
        return answer(hook_shapes.Retried(count=count))

    # Parts

    def _account_of(self, request: web.Request) -> Account:
        return self._channel.require_account(convert(request.query, shapes.OfAccount).account)

    def _begin_stream(self, request: web.Request) -> tuple[Account, ItemSeq]:
        asked = convert(request.query, shapes.EventsQuery)
        account = self._channel.require_account(asked.account)
        after = request.headers.get("Last-Event-ID", "") or asked.after
        return account, read_cursor(after) if after else FIRST

    async def _follow(self, account: Account, after: ItemSeq) -> AsyncIterator[Sequence[ChannelItem]]:
        """Items as they come; nothing from time to time."""
        while not self._closing.is_set():
            items = await self._channel.deps.feed.follow(
                account.name, after=after, most=MAX_BATCH, wait_seconds=KEEPALIVE_SECONDS
            )
            if items:
                after = items[-1].seq
            yield items

    async def _read_acks(self, socket: web.WebSocketResponse) -> None:
        """A cursor that the other side says is acknowledged."""
        async for message in socket:
            if message.type is not web.WSMsgType.TEXT:
                return
            try:
                await self._channel.deps.feed.ack(str(message.data))
            except ChannelFault as fault:
                await socket.send_json({"error": fault.text})

    async def _view(self, account: Account) -> shapes.AccountView:
        login = self._channel.deps.accounts.login_of(account)
        state = self._channel.get_state(account)
        health = self._channel.deps.watch.health_of(account)
        return shapes.AccountView(
            id=account.name,
            number="" if login is None else f"+{login}",
            state=self._channel.deps.watch.state_of(account),
            since=None if state is None else state.since,
            error="" if state is None else state.error,
            message="Link this account to WhatsApp." if state is None else state.message,
            waiting=await self._channel.deps.feed.count_waiting(account.name),
            checked_at=health.checked_at,
            stalls=health.stalls,
            attempts=health.attempts,
        )


def _webhook(hook: Hook, depth: HookDepth) -> hook_shapes.WebhookView:
    keys = hook.keys
    # What follows the path may be a secret.
    url = str(URL(keys.url).with_query(None).with_fragment(None).with_user(None))
    return hook_shapes.WebhookView(
        url=url,
        events=list(keys.events),
        accounts=list(keys.accounts),
        waiting=depth.waiting,
        dead=depth.dead,
        error=depth.error,
    )


def _chat(account: Account, chat: WaJid, name: str) -> shapes.ChatView:
    shown = name or (f"+{chat.user}" if chat.server == USER_SERVER else str(chat))
    return shapes.ChatView(target=to_target(account.name, chat), name=shown, is_group=chat.is_group)
