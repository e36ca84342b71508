"""A worker's end of its link to the leader: what hosts say goes there, what it asks goes to hosts."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from mautrix_whatsapp_py.errors import WhatsAppError, WhatsAppRefused, WhatsAppUncertain
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.tasks import spawn
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.folders import PRIVATE_FILE, ensure_private_folder
from mautrix_whatsapp_py.whatsapp.spread import letters
from mautrix_whatsapp_py.whatsapp.spread.keeper import Keeper
from mautrix_whatsapp_py.whatsapp.spread.letters import Cover, Send
from mautrix_whatsapp_py.whatsapp.spread.outbox import Outbox

log = logging.getLogger(__name__)


class WorkerEnd:
    """One leader at a time: the newest. Implements Ear."""

    def __init__(self, keeper: Keeper, send: Send, *, files: Path, now: Callable[[], float]) -> None:
        """`files` is where files lie that the leader has for hosts."""
        self._keeper = keeper
        self._send = send
        self._files = files
        self._now = now
        self._epoch = 0
        self._leader = ""
        self._received = 0
        self._heard_at = 0.0
        self._outbox: Outbox | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Show that we live for as long as the leader does; for ever."""
        shutil.rmtree(self._files, ignore_errors=True)
        ensure_private_folder(self._files)
        while True:
            if self._outbox is not None:
                if self._now() - self._heard_at > letters.SILENCE_SECONDS:
                    log.info("nothing is heard of the leader")
                    self.end()
                else:
                    self._outbox.put(letters.Beat(stats=tuple(self._keeper.berths.stats())))
            await asyncio.sleep(letters.BEAT_SECONDS)

    def end(self) -> None:
        """The link is over."""
        self._keeper.deafen(self)
        if self._outbox is not None:
            self._outbox.close()
            self._outbox = None

    def on_letter(self, sender: str, cover: Cover) -> None:
        """A leader says something."""
        content = letters.open_down(cover)
        if isinstance(content, letters.Attach):
            self._begin(sender, cover.link, content.epoch)
            return
        outbox = self._outbox
        if outbox is None or (sender, cover.link) != (self._leader, outbox.link):
            return
        self._received += 1
        if cover.number != self._received or content is None:
            outbox.put(letters.Broken())
            self._keeper.deafen(self)
            return
        self._heard_at = self._now()
        match content:
            case letters.Detach():
                self.end()
            case wire.Request():
                spawn(self._answer(outbox, content), name="request", tasks=self._tasks)
            case wire.Ack():
                if (way := self._keeper.way_to(content.login)) is not None:
                    way.put(content)
            case letters.FilePart():
                spawn(self._keep_part(outbox, content), name="file-part", tasks=self._tasks)
            case letters.FileOver():
                self._path(content.name).unlink(missing_ok=True)
            case letters.Beat():
                return

    def _begin(self, leader: str, link: str, epoch: int) -> None:
        if epoch < self._epoch:
            return
        self.end()
        self._epoch, self._leader, self._received, self._heard_at = epoch, leader, 1, self._now()
        self._outbox = Outbox(leader, link, self._send, is_down=False, on_broken=self._on_broken)
        spawn(self._keeper.listen(self), name="listen", tasks=self._tasks)

    def _on_broken(self, link: str) -> None:
        if self._outbox is not None and self._outbox.link == link:
            self.end()

    # What the leader asks

    async def _answer(self, outbox: Outbox, request: wire.Request) -> None:
        outbox.put(await self._carry_out(request))

    async def _carry_out(self, request: wire.Request) -> wire.Reply | wire.Refusal:
        call = request.call
        if isinstance(call, wire.UploadFile):
            call = msgspec.structs.replace(call, path=str(self._path(call.path)))
        login = getattr(call, "login", None)
        way = None if login is None else self._keeper.way_to(login)
        if way is None:
            return wire.Refusal(id=request.id, code="host-lost")
        try:
            result = await way.request(call, deadline_seconds=request.deadline_seconds)
        except WhatsAppError as error:
            return wire.Refusal(
                id=request.id,
                code=error.code,
                is_certain=not isinstance(error, WhatsAppUncertain),
                is_final=isinstance(error, WhatsAppRefused),
            )
        return wire.Reply(id=request.id, result=result)

    async def _keep_part(self, outbox: Outbox, part: letters.FilePart) -> None:
        try:
            await asyncio.to_thread(_write, self._path(part.name), part.body, is_first=part.is_first)
        except OSError:
            outbox.put(wire.Refusal(id=part.id, code="disk"))
            return
        outbox.put(wire.Reply(id=part.id, result=wire.Done()))

    def _path(self, name: str) -> Path:
        return self._files / Path(name).name

    # Ear

    def on_held(self, logins: dict[LoginId, int]) -> None:
        """See Ear."""
        self._tell(letters.Held(logins=logins))

    def on_let_go(self, login: LoginId, epoch: int) -> None:
        """See Ear."""
        self._tell(letters.LetGo(login=login, epoch=epoch))

    def on_frame(self, frame: wire.FromHost) -> None:
        """See Ear."""
        if isinstance(frame, wire.Event | wire.LinkChanged):
            self._tell(frame)

    def on_lost(self, logins: tuple[LoginId, ...]) -> None:
        """See Ear."""
        self._tell(letters.HostLost(logins=logins))

    def _tell(self, content: letters.Up) -> None:
        if self._outbox is not None:
            self._outbox.put(content)


def _write(path: Path, body: bytes, *, is_first: bool) -> None:
    with path.open("wb" if is_first else "ab") as file:
        path.chmod(PRIVATE_FILE)
        file.write(body)
