"""Where events are on their way, for a program that watches: `homeserver.message_send_checkpoint_endpoint`."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from mautrix_whatsapp_py.model.mx import MxCheckpoint
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.tasks import Backoff, end_all, spawn

log = logging.getLogger(__name__)

MAX_AT_ONCE: Final = 100
MAX_WAITING: Final = 10_000
_TRIES: Final = 6
_TIMEOUT: Final = ClientTimeout(total=30)


class SilentCheckpoints:
    """The port Checkpoints where nobody asked for them."""

    def publish(self, checkpoint: MxCheckpoint) -> None:
        """Nothing."""


class EndpointCheckpoints:
    """The port Checkpoints: posts them in their order, many at once where many wait."""

    def __init__(self, *, session: ClientSession, endpoint: str, token: str, clock: Clock) -> None:
        self._session = session
        self._endpoint = endpoint
        self._token = token
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MAX_WAITING)

    def publish(self, checkpoint: MxCheckpoint) -> None:
        """See Checkpoints."""
        self._waiting.append(encode_checkpoint(checkpoint))
        if not self._tasks:
            spawn(self._post_all(), name="checkpoints", tasks=self._tasks)

    async def stop(self) -> None:
        """Post nothing more."""
        await end_all(self._tasks)

    async def _post_all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(MAX_AT_ONCE, len(self._waiting)))]
            if not await self._post(batch):
                log.warning("the checkpoint endpoint did not take %d checkpoints", len(batch))

    async def _post(self, batch: list[dict[str, Any]]) -> bool:
        backoff = Backoff(first_seconds=2.0, cap_seconds=64.0)
        for attempt in range(_TRIES):
            if attempt:
                await self._clock.sleep(backoff.next_seconds())
            headers = {"Authorization": f"Bearer {self._token}"}
            body = {"checkpoints": batch}
            try:
                async with self._session.post(
                    self._endpoint, json=body, headers=headers, timeout=_TIMEOUT
                ) as response:
                    if response.status < 300:
                        return True
            except (ClientError, OSError, TimeoutError):
                continue
        return False


def encode_checkpoint(checkpoint: MxCheckpoint) -> dict[str, Any]:
    """In the form that watchers of bridges know."""
    encoded: dict[str, Any] = {
        "event_id": checkpoint.event_id,
        "room_id": checkpoint.room_id,
        "step": checkpoint.step.value,
        "timestamp": int(checkpoint.at.timestamp() * 1000),
        "status": checkpoint.status.value,
        "event_type": checkpoint.kind,
        "reported_by": "BRIDGE",
        "retry_num": 0,
    }
    return encoded | ({"info": checkpoint.info} if checkpoint.info else {})
