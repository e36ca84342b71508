"""The port Checkpoints in memory."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import MxEventId
from mautrix_whatsapp_py.model.mx import MxCheckpoint


class FakeCheckpoints:
    """Remembers everything."""

    def __init__(self) -> None:
        self.published: list[MxCheckpoint] = []

    def publish(self, checkpoint: MxCheckpoint) -> None:
        self.published.append(checkpoint)

    def of(self, event_id: MxEventId) -> list[tuple[str, str]]:
        """What was told of an event."""
        return [(one.step.value, one.status.value) for one in self.published if one.event_id == event_id]
