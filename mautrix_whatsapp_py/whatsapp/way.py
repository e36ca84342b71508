"""The way from the bridge to the host of a session, wherever that host runs."""

from __future__ import annotations

from typing import Protocol

from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.whatsapp import wire


class Way(Protocol):
    """Requests and frames for one session's host."""

    def put(self, frame: WaStruct) -> None:
        """Queue a frame; dropped when there is no way any more."""

    async def request(self, call: wire.Call, *, deadline_seconds: float) -> wire.Result:
        """Have the host do something; a WhatsAppError says why it did not."""
