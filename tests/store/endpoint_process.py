"""The endpoint on a database, alone in a process, to be killed: `python -m tests.store.endpoint_process URL`."""

from __future__ import annotations

import asyncio
import sys

from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.appservice import AppService, Hooks
from mautrix_whatsapp_py.matrix.intake import Intake
from mautrix_whatsapp_py.store.inbox import Inbox
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import decode_database_url
from tests.fakes.clock import FakeClock
from tests.fakes.mx_sink import FakeMxSink

TOKEN = "token"


async def serve(url: str) -> None:
    async def is_ghost(_user: MxUserId) -> bool:
        return False

    inbox = Inbox(Store(decode_database_url(url)), FakeClock())
    appservice = AppService(
        Intake(inbox, FakeMxSink()),
        Hooks(is_ghost=is_ghost, unready_parts=lambda: ()),
        bot=MxUserId("@bot:example.org"),
        hs_token=TOKEN,
    )
    await appservice.start("127.0.0.1", 0)
    sys.stdout.write(f"{appservice.port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
