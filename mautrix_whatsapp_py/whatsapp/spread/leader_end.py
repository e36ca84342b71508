"""The leader's end of its link to one other worker."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mautrix_whatsapp_py.errors import WhatsAppRefused, WhatsAppUnavailable, WhatsAppUncertain
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa_link import WaHostStats
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.connection import error_of
from mautrix_whatsapp_py.whatsapp.spread import letters
from mautrix_whatsapp_py.whatsapp.spread.letters import Cover, Send
from mautrix_whatsapp_py.whatsapp.spread.outbox import Outbox

log = logging.getLogger(__name__)

PART_BYTES = 1 << 18
_GRACE_SECONDS = 5.0
_PART_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FarEars:
    """Who is told what a worker says; always with its holder."""

    on_held: Callable[[str, dict[LoginId, int]], None]
    on_let_go: Callable[[str, LoginId, int], None]
    on_frame: Callable[[str, wire.FromHost], None]
    on_lost: Callable[[str, tuple[LoginId, ...]], None]
    on_broken: Callable[[str], None]
    """Nothing is known of its sessions until it says so again."""


class FarWorker:
    """Implements Way for all sessions of another worker."""

    def __init__(self, holder: str, send: Send, ears: FarEars, *, epoch: int, now: Callable[[], float]) -> None:
        self.holder = holder
        self.stats: tuple[WaHostStats, ...] = ()
        self._send = send
        self._ears = ears
        self._epoch = epoch
        self._now = now
        self._outbox: Outbox | None = None
        self._received = 0
        self._heard_at = 0.0
        self._next_id = 0
        self._waiting: dict[int, asyncio.Future[wire.Result]] = {}
        self.attach()

    # The link

    def attach(self) -> None:
        """Begin a link; an earlier one is over, and what was under way on it uncertain."""
        self.close()
        self._received, self._heard_at = 0, self._now()
        self._outbox = Outbox(self.holder, uuid.uuid4().hex, self._send, is_down=True, on_broken=self._on_broken)
        self._outbox.put(letters.Attach(epoch=self._epoch))

    def close(self) -> None:
        """The link is over."""
        if self._outbox is None:
            return
        self._outbox.close()
        self._outbox = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(WhatsAppUncertain(code="host-lost"))
        self._ears.on_broken(self.holder)

    async def detach(self) -> None:
        """Say that we lead no more."""
        if self._outbox is not None:
            await self._outbox.finish(letters.Detach())
        self.close()

    def beat(self) -> None:
        """Show that we live; a worker that shows nothing is asked anew."""
        if self._outbox is None or self._now() - self._heard_at > letters.SILENCE_SECONDS:
            self.attach()
        else:
            self._outbox.put(letters.Beat())

    def _on_broken(self, link: str) -> None:
        if self._outbox is not None and self._outbox.link == link:
            self.close()

    def on_letter(self, cover: Cover) -> None:
        """The worker says something."""
        if self._outbox is None or cover.link != self._outbox.link:
            return
        self._received += 1
        content = letters.open_up(cover)
        if content is None or cover.number != self._received:
            log.warning("letters of another worker went missing: the link is made anew")
            self.attach()
            return
        self._heard_at = self._now()
        self._take(content)

    def _take(self, content: letters.Up) -> None:
        match content:
            case wire.Event() | wire.LinkChanged():
                self._ears.on_frame(self.holder, content)
            case wire.Reply():
                self._resolve(content)
            case wire.Refusal():
                self._refuse(content)
            case letters.Beat():
                self.stats = content.stats
            case letters.Held():
                self._ears.on_held(self.holder, content.logins)
            case letters.LetGo():
                self._ears.on_let_go(self.holder, content.login, content.epoch)
            case letters.HostLost():
                self._ears.on_lost(self.holder, content.logins)
            case letters.Broken():
                self.attach()

    def _resolve(self, reply: wire.Reply) -> None:
        future = self._waiting.get(reply.id)
        if future is not None and not future.done():
            future.set_result(reply.result)

    def _refuse(self, refusal: wire.Refusal) -> None:
        future = self._waiting.get(refusal.id)
        if future is not None and not future.done():
            future.set_exception(error_of(refusal))

    # Way

    def put(self, frame: WaStruct) -> None:
        """See Way."""
        if self._outbox is not None and isinstance(frame, wire.Ack):
            self._outbox.put(frame)

    async def request(self, call: wire.Call, *, deadline_seconds: float) -> wire.Result:
        """See Way; a file of ours goes ahead."""
        if not isinstance(call, wire.UploadFile):
            return await self._ask(call, deadline_seconds)
        name = uuid.uuid4().hex
        try:
            await self._send_file(Path(call.path), name)
            return await self._ask(msgspec.structs.replace(call, path=name), deadline_seconds)
        finally:
            if self._outbox is not None:
                self._outbox.put(letters.FileOver(name=name))

    async def _send_file(self, path: Path, name: str) -> None:
        try:
            with await asyncio.to_thread(path.open, "rb") as file:
                is_first = True
                while (body := await asyncio.to_thread(file.read, PART_BYTES)) or is_first:
                    await self._send_part(name, body, is_first=is_first)
                    is_first = False
        except OSError as error:
            raise WhatsAppRefused(code="file") from error
        except WhatsAppUncertain as error:
            # Only a part of a file: nothing has been done.
            raise WhatsAppUnavailable(code=error.code) from error

    async def _send_part(self, name: str, body: bytes, *, is_first: bool) -> None:
        identity = self._new_id()
        part = letters.FilePart(id=identity, name=name, body=body, is_first=is_first)
        await self._await_answer(identity, part, _PART_SECONDS)

    async def _ask(self, call: wire.Call, deadline_seconds: float) -> wire.Result:
        identity = self._new_id()
        request = wire.Request(id=identity, deadline_seconds=deadline_seconds, call=call)
        return await self._await_answer(identity, request, deadline_seconds + 2 * _GRACE_SECONDS)

    async def _await_answer(self, identity: int, content: letters.Down, seconds: float) -> wire.Result:
        if self._outbox is None:
            raise WhatsAppUnavailable(code="host-lost")
        future: asyncio.Future[wire.Result] = asyncio.get_running_loop().create_future()
        self._waiting[identity] = future
        try:
            self._outbox.put(content)
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError as error:
            raise WhatsAppUncertain(code="timeout") from error
        finally:
            self._waiting.pop(identity, None)

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id
