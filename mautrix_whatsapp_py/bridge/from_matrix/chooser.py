"""Which login carries what somebody writes."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal


async def choose_login(user: MxUserId, portal: Portal, talk: Talk) -> Login | None:
    """The login of a user that is in a chat; None when there is none."""
    receiver = portal.key.receiver
    if receiver is not None:
        login = talk.logins.get(receiver)
        return login if login is not None and login.user == user else None
    logins = talk.logins.of_user(user)
    if len(logins) <= 1:
        return logins[0] if logins else None
    ids = [login.id for login in logins]
    seen = await talk.store.read(lambda tx: talk.rows.messages.get_login_of(tx, portal.id, ids))
    return next((login for login in logins if login.id == seen), logins[0])
