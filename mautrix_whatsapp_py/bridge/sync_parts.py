"""What `sync` brings up to date by what the session knows: names of people, names and rooms of groups."""

from __future__ import annotations

from dataclasses import replace

from mautrix_whatsapp_py.bridge.disappearing import set_timer
from mautrix_whatsapp_py.bridge.persons import name_rank_of
from mautrix_whatsapp_py.bridge.sync_deps import PartDeps
from mautrix_whatsapp_py.bridge.sync_groups import GroupsPart, MembersPart
from mautrix_whatsapp_py.bridge.syncing import OnProgress, SyncCount, SyncPart
from mautrix_whatsapp_py.ids import NEWSLETTER_SERVER
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa_directory import WaContact


class ContactsPart:
    """Names that people gave themselves; those of somebody's contact book are theirs alone."""

    def __init__(self, deps: PartDeps) -> None:
        self._deps = deps

    async def __call__(self, login: Login, on_progress: OnProgress, *, is_thorough: bool) -> SyncCount:
        """See SyncPart."""
        contacts = await self._deps.openings.require_directory(login).fetch_contacts()
        changed = 0
        for index, contact in enumerate(contacts, 1):
            changed += await self._learn(contact)
            on_progress(index, len(contacts))
        changed += await self._deps.talk.following.deps.contact_names.apply(login)
        return SyncCount(seen=len(contacts), changed=changed)

    async def _learn(self, contact: WaContact) -> bool:
        persons, ghosts = self._deps.talk.persons, self._deps.talk.ghosts
        before = await persons.find(contact.jid)
        if before is None:
            # Nobody has met them; their name comes with their first message.
            return False
        person = await persons.resolve(contact.jid, contact.lid)
        name, rank = name_rank_of(push_name=contact.push_name, business_name=contact.business_name)
        person = await persons.learn_name(person, name, rank)
        if person.shown_name and person.shown_name != ghosts.name_of(person):
            person = await ghosts.ensure(person)
        return (person.name, person.shown_name, person.lid) != (before.name, before.shown_name, before.lid)


def usual_parts(deps: PartDeps) -> dict[str, SyncPart]:
    """The parts by the words they are asked for with, in the order they are done in."""
    return {"contacts": ContactsPart(deps), "groups": GroupsPart(deps), "members": MembersPart(deps.talk)}


async def refresh_chat(portal: Portal, login: Login, deps: PartDeps) -> list[str]:
    """What a group or channel is called, and for how long its messages stay; what of it changed."""
    directory = deps.openings.require_directory(login)
    chat, changed, is_other = portal.key.chat, [], False
    name, timer_s = portal.name, portal.disappearing_seconds
    if chat.is_group:
        group = await directory.fetch_group(chat)
        name, timer_s = group.name or name, group.disappearing_seconds
        is_other = await deps.talk.following.bring_up(portal.id, login)
    elif chat.server == NEWSLETTER_SERVER:
        name = next((one.name for one in await directory.fetch_newsletters() if one.jid == chat), name)
    if name != portal.name:
        changed.append("its name")
    if timer_s != portal.disappearing_seconds:
        changed.append("the time after which messages disappear")
        await set_timer(portal, timer_s, deps.talk)
    if name != portal.name:
        current = await deps.talk.portals.get(portal.id) or portal
        await deps.talk.portals.put(replace(current, name=name))
    if is_other and not changed:
        changed.append("its members, topic, picture or settings")
    return changed
