"""Takes out of a bridge, wherever this folder is on its path, what is there for workers that share a database."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


def _stub() -> None:
    from mautrix_whatsapp_py.errors import StoreError
    from mautrix_whatsapp_py.store import store
    from mautrix_whatsapp_py.store.errors import translated
    from mautrix_whatsapp_py.store.tx import DriverTx
    from mautrix_whatsapp_py.store.unbroken import unbroken

    @asynccontextmanager
    async def run(_self: store.Store, gate: store._Gate, _is_allowed: object) -> AsyncIterator[store.Tx]:
        async with gate.connection() as connection:
            tx = DriverTx(connection)
            yield tx
            if tx.has_failed:
                raise StoreError("The database refused a part of the work, so nothing of it was stored.")
            with translated():
                await unbroken(connection.commit())

    # Nobody asks whether a transaction may write.
    setattr(store.Store, "_run_untimed", run)  # noqa: B010  what is stubbed is nobody else's


# The bridge alone, and none of the other programs it starts.
if "mautrix_whatsapp_py" in sys.orig_argv:
    _stub()
