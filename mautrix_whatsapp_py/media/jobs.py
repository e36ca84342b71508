"""What the bridge and its conversion worker say to each other: one line of JSON each."""

from __future__ import annotations

from typing import Final

import msgspec

from mautrix_whatsapp_py.model.media_ready import ReadyFile, UnreadyReason
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa_context import WaKind

MEGABYTE: Final = 1 << 20
MAX_LINE_BYTES: Final = 256 * 1024


class Bounds(WaStruct, frozen=True, kw_only=True):
    """What one job may use."""

    seconds: float = 60.0
    memory_bytes: int = 1024 * MEGABYTE
    """Address space beyond that of the idle worker."""
    output_bytes: int = 100 * MEGABYTE
    """Size of a file it writes."""


class ForMatrix(WaStruct, frozen=True, kw_only=True):
    """Look at a file of WhatsApp's, and convert it where Matrix clients could not show it."""

    kind: WaKind
    with_waveform: bool = False


class ForWhatsApp(WaStruct, frozen=True, kw_only=True):
    """Make of a file what WhatsApp shows as this kind, within a size."""

    kind: WaKind
    max_bytes: int


class Job(WaStruct, frozen=True, kw_only=True):
    """One file, where what is made of it goes, and what that may cost."""

    number: int
    source: str
    folder: str
    task: ForMatrix | ForWhatsApp
    bounds: Bounds


class Ready(WaStruct, frozen=True, kw_only=True):
    """It is done."""

    number: int
    file: ReadyFile


class Unready(WaStruct, frozen=True, kw_only=True):
    """It could not be done."""

    number: int
    reason: UnreadyReason
    detail: str = ""
    """For the log: no content of the file."""


class JobFailed(Exception):
    """Within the worker: this job ends here."""

    def __init__(self, reason: UnreadyReason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def encode_line(message: Job | Ready | Unready) -> bytes:
    """A message as a line."""
    return msgspec.json.encode(message) + b"\n"


def decode_job(line: bytes) -> Job:
    """A job; msgspec's errors when it is none."""
    return msgspec.json.decode(line, type=Job)


def decode_outcome(line: bytes) -> Ready | Unready:
    """What came of a job; msgspec's errors when it is nothing of the kind."""
    return msgspec.json.decode(line, type=Ready | Unready)
