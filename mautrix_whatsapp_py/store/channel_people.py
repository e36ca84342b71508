"""People whom the channel met before there was a Matrix server."""

from __future__ import annotations

from sqlalchemy import func, update

from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import persons

NOWHERE = "channel.invalid"
"""Their ghosts' server meanwhile; nobody ever has it."""


async def move_people(tx: Tx, domain: str) -> None:
    """Give them ghosts on the server that is there now."""
    moved = func.replace(persons.c.ghost, f":{NOWHERE}", f":{domain}")
    await tx.execute(update(persons).where(persons.c.ghost.endswith(f":{NOWHERE}")).values(ghost=moved))
