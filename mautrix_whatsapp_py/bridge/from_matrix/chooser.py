"""Which login carries what somebody writes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

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
    logins = [login for login in talk.logins.of_user(user) if await is_in_chat(login, portal, talk)]
    if len(logins) > 1:
        logins = await _known_members(logins, portal, talk) or logins
    if len(logins) <= 1:
        return logins[0] if logins else None
    ids = [login.id for login in logins]
    seen = await talk.store.read(lambda tx: talk.rows.messages.get_login_of(tx, portal.id, ids))
    return next((login for login in logins if login.id == seen), logins[0])


async def choose_carrier(user: MxUserId, portal: Portal, talk: Talk) -> Login | None:
    """The login that carries what somebody writes: their own, else the one that speaks for others there."""
    login = await choose_login(user, portal, talk)
    if login is None and talk.relays is not None:
        return await talk.relays.choose(user, portal)
    return login


async def is_in_chat(login: Login, portal: Portal, talk: Talk) -> bool:
    """Whether an account is in a chat, which is believed of it until the members of a group are known."""
    if portal.key.receiver is not None:
        return portal.key.receiver == login.id
    if not portal.key.chat.is_group or portal.room_id is None:
        return True
    # Whoever a group came to is in it until they are let go, whatever address its list of members has of them.
    if await talk.rooms.has_been_invited(portal, login.user):
        return True
    record = await talk.following.deps.rooms.get(portal.room_id)
    roles = record.facts.roles
    return not roles or (await talk.rooms.own_person(login)).id in roles


async def _known_members(logins: Sequence[Login], portal: Portal, talk: Talk) -> list[Login]:
    """Those of a user's accounts that the list of a group's members has."""
    if not portal.key.chat.is_group or portal.room_id is None:
        return []
    roles = (await talk.following.deps.rooms.get(portal.room_id)).facts.roles
    return [login for login in logins if (await talk.rooms.own_person(login)).id in roles]


async def note_absence(login: Login, portal: Portal, talk: Talk) -> None:
    """WhatsApp says that an account is not in a group."""
    if portal.room_id is None:
        return
    await talk.rooms.forget_invite(portal.id, login.user)
    own, rooms = await talk.rooms.own_person(login), talk.following.deps.rooms
    record = await rooms.get(portal.room_id)
    if own.id in record.facts.roles:
        roles = {person: role for person, role in record.facts.roles.items() if person != own.id}
        facts = msgspec.structs.replace(record.facts, roles=roles)
        await rooms.put(portal.room_id, msgspec.structs.replace(record, facts=facts))
