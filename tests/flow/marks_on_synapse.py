"""How chats are put, on a phone and in a client of its user: a part of the test of being oneself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from tests.flow.linking_stage import Stage
from tests.homeserver import MatrixClient
from tests.homeserver.client import MatrixRequestFailed
from tests.homeserver.events import Event
from tests.simulator import newsletters
from tests.simulator.api import STATUS, Account, kinds
from tests.simulator.history import HistoryChunk, HistoryConversation, HistoryMessage
from tests.simulator.protobufs import e2e

WAIT_SECONDS = 60


def past_of(read: Account, marked: Account) -> HistoryChunk:
    """Two chats that were read on the phone; one of them was marked as unread afterwards."""
    return HistoryChunk(
        conversations=[_talk(read, is_marked_unread=False), _talk(marked, is_marked_unread=True)],
        is_inline=True,
    )


def _talk(account: Account, *, is_marked_unread: bool) -> HistoryConversation:
    name, start_s = account.pn.user, int(time.time()) - 600
    messages = [
        HistoryMessage(
            message_id=f"{name}{n}", message=e2e.Message(conversation=f"{name} {n}"), at_seconds=start_s + n
        )
        for n in range(3)
    ]
    return HistoryConversation(chat=account.lid, messages=messages[::-1], is_marked_unread=is_marked_unread)


async def was_read(alice: MatrixClient, account: Account) -> Event:
    """The last message of a past that was read, as soon as it is read here too, alice's own coming included."""
    last = await alice.wait_for(lambda event: event.body == f"{account.pn.user} 2", deadline_seconds=WAIT_SECONDS)

    def is_coming(event: Event) -> bool:
        is_own = event.type == "m.room.member" and event.sender == alice.user_id and event.room_id == last.room_id
        return is_own and event.content.get("membership") == "join"

    coming = await alice.wait_for(is_coming, deadline_seconds=WAIT_SECONDS)

    def fits(event: Event) -> bool:
        return event.type == "m.fully_read" and event.content.get("event_id") == coming.event_id

    await alice.wait_for(fits, deadline_seconds=WAIT_SECONDS)
    return last


async def follow_each_other(stage: Stage, ben: Account, room: str, other: str) -> None:
    """The phone's settings come over; of those of the client a channel's mute goes back, the rest is explained."""
    alice, phone = stage.alice.client, stage.phone.phone
    news = newsletters.create_newsletter(stage.wa.world, ben, "Daily news")
    said = await stage.alice.ask(f"join https://whatsapp.com/channel/{news.invite}", answer="You are now in")
    channel = said.partition("matrix.to/#/")[2].partition("?")[0]
    await phone.set_pin(ben.pn)
    await phone.set_mute(ben.pn)
    await until(lambda: has_tags(alice, room, {"m.favourite"}))
    await until(lambda: is_muted(alice, room))
    # from both sides at once
    await alice.request("PUT", _rule(channel), body={"actions": []})
    await alice.request("PUT", f"{_account_data(alice, other)}/tags/m.favourite", body={})
    await phone.set_pin(ben.pn, is_pinned=False)
    await phone.set_archived(ben.pn)
    await phone.set_mute(ben.pn, is_muted=False)
    await until(lambda: has_tags(alice, room, {"m.lowpriority"}))

    async def went_over() -> bool:
        return stage.phone in news.muted and not await is_muted(alice, room)

    await until(went_over)
    await stage.alice.heard("What you pin, archive, mute or mark as unread here stays here")
    assert await is_muted(alice, channel)
    assert await has_tags(alice, other, {"m.favourite"})


async def stay_quiet(stage: Stage, ben: Account, room: str) -> None:
    """Status updates are out of the way, calls are declined in words, private receipts are Ben's as well."""
    alice = stage.alice.client
    await ben.phone.send(STATUS, kinds.text("on holiday"))
    status = await alice.wait_for(lambda event: event.body == "on holiday", deadline_seconds=WAIT_SECONDS)
    await until(lambda: has_tags(alice, status.room_id, {"m.lowpriority"}))
    await until(lambda: is_muted(alice, status.room_id))
    await ben.phone.call(stage.phone, "offer", "CALL", media="audio")
    declined = await asyncio.wait_for(ben.phone.calls.get(), WAIT_SECONDS)
    assert declined.require_child("reject").get("call-id") == "CALL"
    assert (await ben.phone.receive_next()).text == "Not here."
    await alice.wait_for_message(room, contains="call, declined by the bridge")
    message_id = await ben.phone.text(stage.phone.pn, "between us")
    said = await alice.wait_for(lambda event: event.body == "between us", deadline_seconds=WAIT_SECONDS)
    await alice.send_receipt(room, said.event_id, kind="m.read.private")
    async with asyncio.timeout(WAIT_SECONDS):
        while (await ben.phone.receipt_next("read", WAIT_SECONDS)).get("id") != message_id:
            pass


async def is_marked_unread(alice: MatrixClient, room: str) -> bool:
    return bool((await _get(alice, f"{_account_data(alice, room)}/account_data/m.marked_unread")).get("unread"))


async def has_tags(alice: MatrixClient, room: str, tags: set[str]) -> bool:
    return set((await _get(alice, f"{_account_data(alice, room)}/tags"))["tags"]) == tags


async def is_muted(alice: MatrixClient, room: str) -> bool:
    return (await _get(alice, _rule(room))).get("actions") == []


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not await condition():
            await asyncio.sleep(0.1)


async def _get(alice: MatrixClient, path: str) -> dict[str, Any]:
    try:
        return await alice.request("GET", path)
    except MatrixRequestFailed:
        return {"tags": {}}


def _account_data(alice: MatrixClient, room: str) -> str:
    return f"/user/{quote(alice.user_id)}/rooms/{quote(room)}"


def _rule(room: str) -> str:
    return f"/pushrules/global/room/{quote(room)}"
