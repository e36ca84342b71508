"""Files of events on their way to WhatsApp; a slow one holds up its chat's line, and nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mautrix_whatsapp_py.bridge.files import FileBearer
from mautrix_whatsapp_py.convert import file_words
from mautrix_whatsapp_py.convert.media import Uploaded
from mautrix_whatsapp_py.errors import MatrixUnreachable, WhatsAppUnavailable, WhatsAppUncertain
from mautrix_whatsapp_py.ids import LoginId, MxEventId
from mautrix_whatsapp_py.model.content import MxMessageContent
from mautrix_whatsapp_py.model.media import MediaUnavailable
from mautrix_whatsapp_py.ports import WhatsAppClient
from mautrix_whatsapp_py.tasks import end_all

log = logging.getLogger(__name__)

TURN_SECONDS: Final = 15.0
"""How long an event keeps its chat's turn for its file; after that it waits in line while the file goes on."""
TRIES: Final = 8
"""How often WhatsApp may fail to take a file while it can be reached; then it never will."""


class StillUnderWay(WhatsAppUnavailable):
    """The file is not there yet."""


@dataclass(slots=True, kw_only=True)
class _Upload:
    login: LoginId
    task: asyncio.Task[Uploaded | MediaUnavailable] | None = None
    failures: int = 0
    is_awaited: bool = False
    """Whether its event has gone to wait for it."""


class Uploads:
    """One file per event; what became of it is asked for by that event alone."""

    def __init__(self, files: FileBearer, *, turn_seconds: float = TURN_SECONDS) -> None:
        self._files = files
        self._turn_seconds = turn_seconds
        self._uploads: dict[MxEventId, _Upload] = {}
        self._on_ready: Callable[[LoginId], None] = lambda _: None

    def bind(self, on_ready: Callable[[LoginId], None]) -> None:
        """Whom to call when a file is there that somebody waits for."""
        self._on_ready = on_ready

    async def get(
        self, event_id: MxEventId, content: MxMessageContent, client: WhatsAppClient
    ) -> Uploaded | MediaUnavailable:
        """The file of an event; StillUnderWay when it takes long, and the errors of FileBearer."""
        upload = self._uploads.setdefault(event_id, _Upload(login=client.login))
        if upload.task is None:
            upload.task = asyncio.create_task(self._files.bring_to_whatsapp(content, client), name="upload")
            upload.task.add_done_callback(lambda _: self._call(upload))
        done, _ = await asyncio.wait({upload.task}, timeout=self._turn_seconds)
        if not done:
            upload.is_awaited = True
            raise StillUnderWay(code="uploading")
        task, upload.task = upload.task, None
        try:
            outcome = task.result()
        except (WhatsAppUnavailable, WhatsAppUncertain):
            if client.state.is_usable:
                upload.failures += 1
            if upload.failures < TRIES:
                raise
            outcome = MediaUnavailable(sentence=file_words.NEVER_TAKEN)
        except MatrixUnreachable:
            raise
        except BaseException:
            self._uploads.pop(event_id, None)
            raise
        self._uploads.pop(event_id, None)
        return outcome

    def forget(self, event_id: MxEventId) -> None:
        """Nobody asks for it any more."""
        upload = self._uploads.pop(event_id, None)
        if upload is not None and upload.task is not None:
            upload.task.cancel()

    async def stop(self) -> None:
        """End what is under way; it begins anew at the next start."""
        tasks = [upload.task for upload in self._uploads.values() if upload.task is not None]
        self._uploads.clear()
        await end_all(tasks)

    def _call(self, upload: _Upload) -> None:
        if upload.is_awaited and upload.task is not None and not upload.task.cancelled():
            upload.is_awaited = False
            self._on_ready(upload.login)
