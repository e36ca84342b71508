"""Which chats are let in at all; what is not gets no room, and its events are done with."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.filters import ChatAddress
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.ids import BROADCAST_SERVER, PersonId, PortalKey
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import PERSON_SERVER, Portal
from mautrix_whatsapp_py.model.wa import WaSource


async def is_let_in(key: PortalKey, source: WaSource, login: Login, talk: Talk) -> bool:
    """Whether the owner of a login wants a chat; rooms they have been called to already go on."""
    is_list = source.chat.server == BROADCAST_SERVER and key.chat.server != BROADCAST_SERVER
    own = await talk.filters.is_wanted(await _address(key, talk), login)
    if own and is_list:
        own = await talk.filters.is_wanted(ChatAddress(chat=source.chat.bare), login)
    if own:
        return True
    portal = await talk.portals.find(key)
    return portal is not None and portal.room_id is not None and await _is_called(portal, login, talk)


async def _is_called(portal: Portal, login: Login, talk: Talk) -> bool:
    if portal.key.receiver is not None:
        return True
    async with talk.store.reading() as tx:
        return await talk.rows.facts.get(tx, f"invited:{portal.id}:{login.user}") is not None


async def _address(key: PortalKey, talk: Talk) -> ChatAddress:
    is_direct = key.chat.server == PERSON_SERVER
    person = await talk.persons.get(PersonId(int(key.chat.user))) if is_direct else None
    if person is None:
        return ChatAddress(chat=key.chat)
    first, *others = person.jids
    return ChatAddress(chat=first, aliases=tuple(others))
