"""How accounts have put their chats, as their users' clients were last told."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import delete, select

from mautrix_whatsapp_py.ids import LoginId, MxRoomId
from mautrix_whatsapp_py.model.chat_marks import ChatMarks
from mautrix_whatsapp_py.model.portal import PortalId
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import chat_marks


class ChatMarkRows:
    """The table `chat_marks`: a chat whose room is another one since is not known."""

    async def get_all(self, tx: Tx, login: LoginId) -> dict[MxRoomId, ChatMarks]:
        """The chats of an account that were looked at, by their rooms."""
        rows = await tx.execute(select(chat_marks).where(chat_marks.c.login_id == login))
        return {
            MxRoomId(row.room_id): ChatMarks(
                is_pinned=row.is_pinned, is_archived=row.is_archived, is_muted=row.is_muted
            )
            for row in rows
        }

    async def put(self, tx: Tx, login: LoginId, portal_id: PortalId, room_id: MxRoomId, marks: ChatMarks) -> None:
        """Remember what was told."""
        values = {"room_id": room_id, **asdict(marks)}
        insert = tx.insert(chat_marks).values(login_id=login, portal_id=portal_id, **values)
        keys = [chat_marks.c.login_id, chat_marks.c.portal_id]
        await tx.execute(insert.on_conflict_do_update(index_elements=keys, set_=values))

    async def remove(self, tx: Tx, login: LoginId) -> None:
        """Forget what was told of an account's chats."""
        await tx.execute(delete(chat_marks).where(chat_marks.c.login_id == login))
