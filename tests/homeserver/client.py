"""A small Matrix client for tests: plain HTTP, every answer checked, every event kept."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Callable, Sequence
from types import TracebackType
from urllib.parse import quote

import aiohttp

from tests.homeserver.events import Event, Json, Kind, Mark, decode_event, decode_sync

DEADLINE_SECONDS = 30.0
SYNC_SECONDS = 30
RECONNECT_SECONDS = 0.05
SYNC_FILTER = json.dumps({"room": {"timeline": {"limit": 5000}}})


class MatrixRequestFailed(Exception):
    """The homeserver refused a request of the test."""

    def __init__(self, status: int, answer: Json) -> None:
        super().__init__(f"{status} {answer.get('errcode')}: {answer.get('error')}")
        self.status = status
        self.errcode = str(answer.get("errcode", ""))


async def request_json(
    http: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    body: Json | None = None,
    query: dict[str, str] | None = None,
) -> Json:
    """One request; anything but 2xx raises."""
    async with http.request(method, url, json=body, params=query) as response:
        answer: Json = await response.json(content_type=None)
        if response.status >= 300:
            raise MatrixRequestFailed(response.status, answer)
        return answer


class MatrixClient:
    """One device of one user, syncing in the background."""

    def __init__(self, url: str, *, user_id: str, access_token: str) -> None:
        self.user_id = user_id
        self.access_token = access_token
        self.events: list[Event] = []
        self._url = url
        self._http: aiohttp.ClientSession | None = None
        self._sync: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()

    async def start(self) -> None:
        """Sync once, so that all later events are seen, then keep syncing."""
        timeout = aiohttp.ClientTimeout(total=SYNC_SECONDS + 30)
        self._http = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self.access_token}"}, timeout=timeout
        )
        since = await self._sync_once(None)
        self._sync = asyncio.create_task(self._sync_forever(since), name=f"sync of {self.user_id}")

    async def aclose(self) -> None:
        """Stop syncing."""
        if self._sync is not None:
            self._sync.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sync
        if self._http is not None:
            await self._http.close()

    async def __aenter__(self) -> MatrixClient:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def mark(self) -> Mark:
        """Here and now: give it to `wait_for` to leave out what was seen before."""
        return Mark(position=len(self.events))

    async def wait_for(
        self,
        predicate: Callable[[Event], bool],
        *,
        after: Mark | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> Event:
        """The first event that fits, seen already or still to come."""
        return (await self.wait_for_all(predicate, 1, after=after, deadline_seconds=deadline_seconds))[0]

    async def wait_for_all(
        self,
        predicate: Callable[[Event], bool],
        count: int,
        *,
        after: Mark | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> list[Event]:
        """At least so many events that fit, in the order they were seen."""
        start = after.position if after is not None else 0
        try:
            async with asyncio.timeout(deadline_seconds), self._news:
                await self._news.wait_for(lambda: len(self._fitting(predicate, start)) >= count or self._is_dead)
        except TimeoutError:
            raise TimeoutError(self._what_was_seen(self._fitting(predicate, start), count, start)) from None
        if self._sync is not None and self._sync.done():
            self._sync.result()
        return self._fitting(predicate, start)

    async def wait_for_message(
        self,
        room_id: str,
        *,
        sender: str | None = None,
        contains: str = "",
        after: Mark | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> Event:
        """A message in a room, by default of anyone else."""

        def fits(event: Event) -> bool:
            is_theirs = event.sender == sender if sender else event.sender != self.user_id
            return event.is_message and event.room_id == room_id and is_theirs and contains in event.body

        return await self.wait_for(fits, after=after, deadline_seconds=deadline_seconds)

    async def wait_for_membership(
        self, room_id: str, user_id: str, membership: str, *, deadline_seconds: float = DEADLINE_SECONDS
    ) -> Event:
        """Somebody joined, left, was invited or banned."""

        def fits(event: Event) -> bool:
            is_theirs = event.type == "m.room.member" and event.state_key == user_id
            return is_theirs and event.room_id == room_id and event.content.get("membership") == membership

        return await self.wait_for(fits, deadline_seconds=deadline_seconds)

    async def wait_for_invite(
        self, *, sender: str | None = None, after: Mark | None = None, deadline_seconds: float = DEADLINE_SECONDS
    ) -> Event:
        """An invitation of this user to a room that is no space; its `room_id` can be joined."""

        def fits(event: Event) -> bool:
            is_mine = (
                event.kind is Kind.INVITE and event.type == "m.room.member" and event.state_key == self.user_id
            )
            return is_mine and sender in (None, event.sender) and not self._is_space(event.room_id)

        return await self.wait_for(fits, after=after, deadline_seconds=deadline_seconds)

    async def request(
        self, method: str, path: str, *, body: Json | None = None, query: dict[str, str] | None = None
    ) -> Json:
        """Any request below /_matrix/client/v3 or, with a leading /_, anywhere."""
        prefix = "" if path.startswith("/_") else "/_matrix/client/v3"
        return await request_json(
            self._require_http(), method, f"{self._url}{prefix}{path}", body=body, query=query
        )

    async def create_room(
        self,
        *,
        invite: Sequence[str] = (),
        is_direct: bool = False,
        name: str | None = None,
        extra: Json | None = None,
    ) -> str:
        """A private room; its id."""
        body: Json = {"preset": "private_chat", "is_direct": is_direct, "invite": list(invite), **(extra or {})}
        if name is not None:
            body["name"] = name
        return str((await self.request("POST", "/createRoom", body=body))["room_id"])

    async def invite(self, room_id: str, user_id: str) -> None:
        """Invite somebody."""
        await self.request("POST", f"/rooms/{quote(room_id)}/invite", body={"user_id": user_id})

    async def join(self, room_id: str) -> None:
        """Join by id."""
        await self.request("POST", f"/join/{quote(room_id)}", body={})

    async def leave(self, room_id: str) -> None:
        """Leave."""
        await self.request("POST", f"/rooms/{quote(room_id)}/leave", body={})

    async def send(self, room_id: str, event_type: str, content: Json, *, txn_id: str | None = None) -> str:
        """Send an event; its id. The same transaction id twice is one event."""
        path = f"/rooms/{quote(room_id)}/send/{quote(event_type)}/{quote(txn_id or uuid.uuid4().hex)}"
        return str((await self.request("PUT", path, body=content))["event_id"])

    async def send_text(self, room_id: str, body: str, *, txn_id: str | None = None) -> str:
        """Send a plain text message; its id."""
        return await self.send(room_id, "m.room.message", {"msgtype": "m.text", "body": body}, txn_id=txn_id)

    async def redact(self, room_id: str, event_id: str, *, reason: str | None = None) -> str:
        """Redact an event; the redaction's id."""
        path = f"/rooms/{quote(room_id)}/redact/{quote(event_id)}/{uuid.uuid4().hex}"
        return str((await self.request("PUT", path, body={"reason": reason} if reason else {}))["event_id"])

    async def set_typing(self, room_id: str, *, is_typing: bool, timeout_ms: int = 30_000) -> None:
        """Start or stop typing."""
        body: Json = {"typing": is_typing, **({"timeout": timeout_ms} if is_typing else {})}
        await self.request("PUT", f"/rooms/{quote(room_id)}/typing/{quote(self.user_id)}", body=body)

    async def send_receipt(self, room_id: str, event_id: str, *, kind: str = "m.read") -> None:
        """Mark read up to an event."""
        await self.request("POST", f"/rooms/{quote(room_id)}/receipt/{quote(kind)}/{quote(event_id)}", body={})

    async def get_state(self, room_id: str, event_type: str, state_key: str = "") -> Json:
        """The content of one state event."""
        return await self.request("GET", f"/rooms/{quote(room_id)}/state/{quote(event_type)}/{quote(state_key)}")

    async def set_state(self, room_id: str, event_type: str, content: Json, state_key: str = "") -> str:
        """Set one state event; its id."""
        path = f"/rooms/{quote(room_id)}/state/{quote(event_type)}/{quote(state_key)}"
        return str((await self.request("PUT", path, body=content))["event_id"])

    async def joined_members(self, room_id: str) -> list[str]:
        """Who is in a room."""
        answer = await self.request("GET", f"/rooms/{quote(room_id)}/joined_members")
        return sorted(answer["joined"])

    async def messages(self, room_id: str, *, limit: int = 1000) -> list[Event]:
        """The room's timeline, oldest first, as the server stores it."""
        query = {"dir": "b", "limit": str(limit)}
        answer = await self.request("GET", f"/rooms/{quote(room_id)}/messages", query=query)
        return [decode_event(Kind.TIMELINE, room_id, raw) for raw in reversed(answer["chunk"])]

    async def upload(self, content: bytes, *, mimetype: str, filename: str = "") -> str:
        """Store a file; its mxc address."""
        url = f"{self._url}/_matrix/media/v3/upload"
        query = {"filename": filename} if filename else None
        headers = {"Content-Type": mimetype}
        async with self._require_http().post(url, data=content, params=query, headers=headers) as response:
            answer: Json = await response.json()
            if response.status != 200:
                raise MatrixRequestFailed(response.status, answer)
            return str(answer["content_uri"])

    async def download(self, mxc: str) -> bytes:
        """Fetch a file through the authenticated endpoint."""
        url = f"{self._url}/_matrix/client/v1/media/download/{mxc.removeprefix('mxc://')}"
        async with self._require_http().get(url) as response:
            if response.status != 200:
                raise MatrixRequestFailed(response.status, await response.json())
            return await response.read()

    def _is_space(self, room_id: str) -> bool:
        return any(
            event.type == "m.room.create" and event.room_id == room_id and event.content.get("type") == "m.space"
            for event in self.events
        )

    @property
    def _is_dead(self) -> bool:
        return self._sync is not None and self._sync.done()

    def _fitting(self, predicate: Callable[[Event], bool], start: int) -> list[Event]:
        return [event for event in self.events[start:] if predicate(event)]

    def _what_was_seen(self, found: list[Event], count: int, start: int) -> str:
        seen = [
            f"  {event.kind.value} {event.type} {event.sender}: {event.content}" for event in self.events[start:]
        ]
        return f"{self.user_id} saw {len(found)} of {count} fitting events; the last of all it saw:\n" + "\n".join(
            seen[-15:]
        )

    async def _sync_forever(self, since: str) -> None:
        try:
            while True:
                try:
                    since = await self._sync_once(since)
                except (aiohttp.ClientError, TimeoutError):
                    # The server restarts in some tests; a client reconnects.
                    await asyncio.sleep(RECONNECT_SECONDS)
        finally:
            async with self._news:
                self._news.notify_all()

    async def _sync_once(self, since: str | None) -> str:
        query = {"filter": SYNC_FILTER, "timeout": "0"}
        if since is not None:
            query |= {"since": since, "timeout": str(SYNC_SECONDS * 1000)}
        answer = await self.request("GET", "/sync", query=query)
        async with self._news:
            self.events.extend(decode_sync(answer))
            self._news.notify_all()
        return str(answer["next_batch"])

    def _require_http(self) -> aiohttp.ClientSession:
        assert self._http is not None, "the client was not started"
        return self._http
