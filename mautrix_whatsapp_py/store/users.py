"""Matrix users who have talked to the bridge."""

from __future__ import annotations

from sqlalchemy import select, update

from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import users


class UserRows:
    """The table `users`. A room is the management room of one user at most."""

    async def ensure(self, tx: Tx, user: MxUserId) -> None:
        """Remember a user."""
        await tx.execute(tx.insert(users).on_conflict_do_nothing(), {"mxid": user})

    async def get_management_room(self, tx: Tx, user: MxUserId) -> MxRoomId | None:
        """The room where the user's commands need no prefix."""
        room = (await tx.execute(select(users.c.management_room).where(users.c.mxid == user))).scalar()
        return None if room is None else MxRoomId(room)

    async def get_user_of_management_room(self, tx: Tx, room_id: MxRoomId) -> MxUserId | None:
        """Whose management room a room is."""
        user = (await tx.execute(select(users.c.mxid).where(users.c.management_room == room_id))).scalar()
        return None if user is None else MxUserId(user)

    async def set_management_room(self, tx: Tx, user: MxUserId, room_id: MxRoomId | None) -> None:
        """Make a room the user's management room, taking it from whoever had it; None takes it away."""
        await tx.execute(
            update(users)
            .where(users.c.management_room == room_id, users.c.mxid != user)
            .values(management_room=None)
        )
        insert = tx.insert(users).values(mxid=user, management_room=room_id)
        await tx.execute(
            insert.on_conflict_do_update(index_elements=[users.c.mxid], set_={"management_room": room_id})
        )
