"""The port MxEventSink that remembers what it was told."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import InboxSeq, MxEventId
from mautrix_whatsapp_py.model.mx import MxEphemeral, MxEvent


class FakeMxSink:
    """Everything in the order it came."""

    def __init__(self) -> None:
        self.events: list[MxEvent] = []
        self.seqs: list[InboxSeq] = []
        self.ephemeral: list[MxEphemeral] = []

    def on_mx_event(self, event: MxEvent, seq: InboxSeq) -> None:
        self.events.append(event)
        self.seqs.append(seq)

    def on_mx_ephemeral(self, event: MxEphemeral) -> None:
        self.ephemeral.append(event)

    @property
    def event_ids(self) -> list[MxEventId]:
        return [event.origin.event_id for event in self.events]
