"""A bridge reduced to its durable edge: records every event once, acknowledges it, and can be killed at any time.

python -m tests.whatsapp.bridge_program OPTIONS_JSON RECORD
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

from mautrix_whatsapp_py.ids import JournalSeq, LoginId
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.wa import WaEvent, WaMessage
from mautrix_whatsapp_py.model.wa_link import WaState
from mautrix_whatsapp_py.whatsapp.network import Network
from mautrix_whatsapp_py.whatsapp.options import NetworkOptions


class RecordingSink:
    """Appends one line per event; what is in the file survives the death of the process."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._known = {int(line.split("\t")[0]) for line in path.read_text().splitlines()}
        self._file = path.open("a", buffering=1)
        self.network: Network | None = None

    def on_wa_event(self, login: LoginId, seq: JournalSeq, event: WaEvent) -> None:
        if seq not in self._known:
            text = event.content.body if isinstance(event, WaMessage) and isinstance(event.content, WaText) else ""
            chat = str(event.source.chat) if isinstance(event, WaMessage) else ""
            self._file.write(f"{seq}\t{chat}\t{text}\n")
        client = self.network.get_client(login) if self.network is not None else None
        if client is not None:
            client.ack(seq)

    def on_wa_state(self, login: LoginId, state: WaState) -> None:
        return None


async def run(options: NetworkOptions, record: Path) -> None:
    """Run until told to stop, or killed."""
    sink = RecordingSink(record)
    sink.network = Network(options, sink)
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    await sink.network.start()
    await ending.wait()
    await sink.network.stop()


def main() -> None:
    """Read the options and run."""
    raw = json.loads(sys.argv[1])
    options = NetworkOptions(
        folder=Path(raw["folder"]),
        host_command=tuple(raw["host_command"]),
        timings=raw["timings"],
        restart_first_seconds=0.1,
        restart_cap_seconds=1.0,
        orphan_seconds=raw["orphan_seconds"],
    )
    asyncio.run(run(options, Path(sys.argv[2])))


if __name__ == "__main__":
    main()
