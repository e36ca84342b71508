"""Invitations, removals and departures in a group's room, on their way to WhatsApp."""

from __future__ import annotations

import logging

import msgspec

from mautrix_whatsapp_py.bridge.from_matrix.stage import Stage, change_member
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert.group_words import refusal
from mautrix_whatsapp_py.errors import MatrixRefused, WhatsAppError
from mautrix_whatsapp_py.model.group import GroupRole
from mautrix_whatsapp_py.model.mx import MxMember, MxMembership
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa_group import WaMemberChange

log = logging.getLogger(__name__)

_THERE = (MxMembership.INVITE, MxMembership.JOIN)


async def handle(event: MxMember, portal: Portal, talk: Talk) -> None:
    """Carry a change of membership to its group."""
    room_id = event.origin.room_id
    if not portal.key.chat.is_group or portal.room_id != room_id:
        return
    stage = Stage(event.origin, portal, room_id, talk)
    is_own_act = event.user == event.origin.sender
    if event.membership in (MxMembership.LEAVE, MxMembership.BAN):
        if is_own_act:
            await _leave(stage, event)
            return
        person = await _person_of(event, talk)
        if person is not None:
            await _remove(stage, person, event)
    elif event.membership is MxMembership.INVITE and not is_own_act:
        person = await talk.persons.get_by_ghost(event.user)
        if person is not None:
            await _add(stage, person)


async def _add(stage: Stage, person: Person) -> None:
    record = await stage.record()
    deps = stage.talk.following.deps.rooms.deps
    if person.id not in record.facts.roles:
        problem = await change_member(stage, person, WaMemberChange.ADD, "The invitation")
        if problem:
            await deps.groups.remove_ghost(stage.room_id, person.ghost, reason=problem)
            await stage.explain(problem)
            return
        roles = {**record.facts.roles, person.id: GroupRole.MEMBER}
        record = msgspec.structs.replace(record, facts=msgspec.structs.replace(record.facts, roles=roles))
    await deps.ghosts.ensure(person)
    await deps.chats.ensure_joined(stage.room_id, person.ghost)
    await stage.keep(msgspec.structs.replace(record, joined=record.joined | {person.id}))


async def _remove(stage: Stage, person: Person, event: MxMember) -> None:
    record = await stage.record()
    if person.id not in record.facts.roles:
        return
    problem = await change_member(stage, person, WaMemberChange.REMOVE, "The removal")
    if problem:
        await _bring_back(stage, person, event)
        await stage.explain(problem)
        return
    roles = {member: role for member, role in record.facts.roles.items() if member != person.id}
    facts = msgspec.structs.replace(record.facts, roles=roles)
    await stage.keep(msgspec.structs.replace(record, facts=facts, joined=record.joined - {person.id}))


async def _bring_back(stage: Stage, person: Person, event: MxMember) -> None:
    """Whoever is still in the group is in its room."""
    chats = stage.talk.following.deps.rooms.deps.chats
    try:
        if event.user == person.ghost:
            await chats.ensure_joined(stage.room_id, person.ghost)
        else:
            await chats.invite(stage.room_id, event.user)
    except MatrixRefused as error:
        log.info("somebody who was removed in vain could not be brought back: %s", error.errcode)


async def _leave(stage: Stage, event: MxMember) -> None:
    """Somebody of ours left the room: with the option for it, their account leaves the group."""
    login = await stage.login()
    if login is None or event.was not in (None, *_THERE):
        return
    if not stage.talk.following.deps.leaves_with_users:
        return
    directory = stage.talk.following.deps.open_directory(login.id)
    try:
        if directory is None:
            log.info("a group cannot be left while its login has no session")
            return
        await directory.leave_group(stage.chat)
    except WhatsAppError as error:
        log.info("a group could not be left: %s", refusal(error.code, "Leaving"))
        return
    await stage.talk.following.let_go(stage.portal, login, f"{login.number} left this group on WhatsApp.")


async def _person_of(event: MxMember, talk: Talk) -> Person | None:
    """Whom a membership is about: the person behind a ghost, or behind a user of ours."""
    person = await talk.persons.get_by_ghost(event.user)
    if person is not None:
        return person
    logins = talk.logins.of_user(event.user)
    return await talk.rooms.own_person(logins[0]) if logins else None
