"""What users want of their chats: which are bridged, and what of themselves they show there."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select

from mautrix_whatsapp_py.ids import LoginId, MxUserId
from mautrix_whatsapp_py.model.filtering import FilterRule
from mautrix_whatsapp_py.model.portal import PortalId
from mautrix_whatsapp_py.model.privacy import Shown
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import chat_privacy, filter_rules

EVERYBODY = MxUserId("*")
"""Whose rules hold for every user of the bridge."""


class FilterRows:
    """The table `filter_rules`."""

    async def get_all(self, tx: Tx, user: MxUserId) -> Sequence[FilterRule]:
        """Somebody's rules."""
        query = select(filter_rules).where(filter_rules.c.mxid == user).order_by(filter_rules.c.subject)
        rows = (await tx.execute(query)).all()
        return tuple(FilterRule(subject=row.subject, is_allowed=row.is_allowed) for row in rows)

    async def put(self, tx: Tx, user: MxUserId, rule: FilterRule) -> None:
        """Set a rule; it replaces the one about the same."""
        values = {"mxid": user, "subject": rule.subject, "is_allowed": rule.is_allowed}
        keys = [filter_rules.c.mxid, filter_rules.c.subject]
        insert = tx.insert(filter_rules).values(values)
        await tx.execute(insert.on_conflict_do_update(index_elements=keys, set_={"is_allowed": rule.is_allowed}))

    async def remove(self, tx: Tx, user: MxUserId, subject: str) -> bool:
        """Take a rule back; whether there was one."""
        where = (filter_rules.c.mxid == user, filter_rules.c.subject == subject)
        return (await tx.execute(delete(filter_rules).where(*where))).rowcount > 0


class PrivacyRows:
    """The table `chat_privacy`."""

    async def get(self, tx: Tx, login: LoginId, portal_id: PortalId) -> Shown | None:
        """What an account shows in a chat; None when nothing was said about it."""
        where = (chat_privacy.c.login_id == login, chat_privacy.c.portal_id == portal_id)
        row = (await tx.execute(select(chat_privacy).where(*where))).first()
        return None if row is None else Shown(receipts=row.receipts, typing=row.typing, presence=row.presence)

    async def put(self, tx: Tx, login: LoginId, portal_id: PortalId, shown: Shown) -> None:
        """Remember what an account shows in a chat."""
        wanted = {"receipts": shown.receipts, "typing": shown.typing, "presence": shown.presence}
        insert = tx.insert(chat_privacy).values(login_id=login, portal_id=portal_id, **wanted)
        keys = [chat_privacy.c.login_id, chat_privacy.c.portal_id]
        await tx.execute(insert.on_conflict_do_update(index_elements=keys, set_=wanted))
