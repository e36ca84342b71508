"""Files that did not come: tried again by themselves or when somebody asks, and put where their notice stands."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Final

import msgspec

from mautrix_whatsapp_py.bridge.from_whatsapp.context import fetch_context
from mautrix_whatsapp_py.bridge.from_whatsapp.message import set_scene
from mautrix_whatsapp_py.bridge.resting import rest
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert import file_words
from mautrix_whatsapp_py.convert.results import MxSend
from mautrix_whatsapp_py.convert.to_matrix import to_matrix
from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable, StoreError
from mautrix_whatsapp_py.ids import MxEventId, MxTxnId
from mautrix_whatsapp_py.model.content import MxMessageContent, MxReply
from mautrix_whatsapp_py.model.media import MediaUnavailable
from mautrix_whatsapp_py.model.missing import MissingFile
from mautrix_whatsapp_py.model.mx import MxMessage, MxReaction
from mautrix_whatsapp_py.model.wa import WaMessage
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

KEPT: Final = timedelta(days=30)
"""WhatsApp keeps files for as long."""
_LOOK_SECONDS: Final = 30.0
_AT_ONCE: Final = 4
_BATCH: Final = 50
_PAUSES: Final = tuple(timedelta(minutes=minutes) for minutes in (2, 10, 60, 360, 1440))
_SIGNS: Final = frozenset({"🔁", "🔄", "♻", "retry"})
_WORD: Final = "retry"
_VARIATION: Final = "\N{VARIATION SELECTOR-16}"


class MissingFiles:
    """Works through the table of missing files, a few at a time, beside all chats."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._rows = talk.rows.missing
        self._under_way: set[MxEventId] = set()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def watch(self) -> None:
        """Try what is due, from time to time and when somebody asks; runs for ever."""
        while True:
            self._talk.files_called.clear()
            await self.try_due()
            await rest(self._talk.clock, _LOOK_SECONDS, self._talk.files_called)

    async def try_due(self) -> None:
        """Begin with what is due."""
        now = self._talk.clock.now()
        try:
            async with self._talk.store.reading() as tx:
                due = await self._rows.get_due(tx, now, limit=_BATCH)
        except StoreError as error:
            log.info("files that are missing have to wait: %s", error.text)
            return
        for file in due:
            if file.event_id not in self._under_way:
                self._under_way.add(file.event_id)
                spawn(self._run(file), name="a missing file", tasks=self._tasks)

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Leave the rest to the next start."""
        await end_all(self._tasks)

    async def takes(self, event: MxMessage | MxReaction) -> bool:
        """Whether somebody asks for a file by an event, which then means nothing else."""
        about = _asked_for(event)
        return about is not None and await ask_for_file(about, self._talk)

    async def _run(self, file: MissingFile) -> None:
        try:
            async with self._slots:
                await self._try(file)
        except (MatrixUnreachable, StoreError) as error:
            log.info("a missing file has to wait: %s", error.text)
        except MatrixRefused as error:
            log.warning("a missing file cannot be shown: %s %s", error.status, error.errcode)
            await self._remove(file)
        finally:
            self._under_way.discard(file.event_id)

    async def _try(self, file: MissingFile) -> None:
        talk = self._talk
        login, portal = talk.logins.get(file.login_id), await talk.portals.get(file.portal_id)
        is_late = talk.clock.now() - file.created_at > KEPT
        if login is None or portal is None or portal.room_id is None or is_late:
            await self._remove(file)
            return
        # Whoever took the message back meanwhile does not want its file either.
        if await talk.chats.fetch_message(portal.room_id, file.event_id) is None:
            await self._remove(file)
            return
        event = msgspec.msgpack.decode(file.message, type=WaMessage)
        scene = await set_scene(event, portal, login, talk)
        if scene is None:
            await self._remove(file)
            return
        fetched = await fetch_context(
            event.content, event.source, scene, talk, placeholder=file.event_id, is_patient=True
        )
        result = to_matrix(event.content, fetched.context)
        assert isinstance(result, MxSend)
        failure = fetched.context.file
        # What follows the first part was sent with the notice.
        said, txn_id, now = result.parts[0], f"file-{file.event_id}", talk.clock.now()
        if isinstance(failure, MediaUnavailable):
            said, txn_id = _tried_again(said, f"{now:%H:%M} UTC"), f"{txn_id}-{now:%Y%m%d%H%M%S}"
        if file.is_asked or not isinstance(failure, MediaUnavailable):
            await talk.ghosts.send_message(
                portal.room_id, said, person=scene.sender, txn_id=MxTxnId(txn_id), sent_at=now
            )
        if isinstance(failure, MediaUnavailable):
            await self._postpone(file, failure)
        else:
            await self._remove(file)

    async def _postpone(self, file: MissingFile, failure: MediaUnavailable) -> None:
        attempts = file.attempts + 1
        is_worth_it = failure.is_passing and attempts <= len(_PAUSES)
        next_at = self._talk.clock.now() + _PAUSES[attempts - 1] if is_worth_it else None
        async with self._talk.store.transaction() as tx:
            await self._rows.set_next(tx, file.event_id, next_at, attempts=attempts, is_asked=False)

    async def _remove(self, file: MissingFile) -> None:
        async with self._talk.store.transaction() as tx:
            await self._rows.remove(tx, file.event_id)
            await self._rows.remove_older(tx, self._talk.clock.now() - KEPT)


async def ask_for_file(event_id: MxEventId, talk: Talk) -> bool:
    """Have a file tried again as soon as possible; false when no notice of a missing file has this id."""
    async with talk.store.transaction() as tx:
        file = await talk.rows.missing.get(tx, event_id)
        if file is None:
            return False
        await talk.rows.missing.set_next(tx, event_id, talk.clock.now(), attempts=0, is_asked=True)
    talk.files_called.set()
    return True


def asks_for_file(event: MxMessage | MxReaction) -> bool:
    """Whether somebody may want a file tried again; what they answer to will tell."""
    return _asked_for(event) is not None


def _asked_for(event: MxMessage | MxReaction) -> MxEventId | None:
    """The event that somebody wants tried again, if that is what they say."""
    content = event.content
    if not isinstance(content, MxMessageContent):
        return content.event_id if content.key.replace(_VARIATION, "").lower() in _SIGNS else None
    said = content.body.rsplit("\n", 1)[-1].strip().lower()
    if isinstance(content.relation, MxReply) and said == _WORD:
        return content.relation.event_id
    return None


def _tried_again(notice: MxMessageContent, at: str) -> MxMessageContent:
    note = file_words.TRIED_AGAIN.format(at=at)
    html = None if notice.html is None else f"{notice.html}<p>{note}</p>"
    return replace(notice, body=f"{notice.body}\n\n{note}", html=html)
