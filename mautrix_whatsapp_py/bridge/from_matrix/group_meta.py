"""Name, topic, picture and levels of a group's room, on their way to WhatsApp."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import assert_never

import msgspec

from mautrix_whatsapp_py.bridge.from_matrix import pins, upgrades
from mautrix_whatsapp_py.bridge.from_matrix.stage import Stage, change_member
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert.group_levels import (
    ADMIN_LEVEL,
    is_announcement,
    is_locked,
    is_only_admins,
    to_levels,
)
from mautrix_whatsapp_py.convert.group_words import (
    MAX_NAME,
    MAX_TOPIC,
    clean_name,
    clean_topic,
)
from mautrix_whatsapp_py.errors import MatrixRefused, WhatsAppError
from mautrix_whatsapp_py.ids import MxUri, MxUserId, PersonId
from mautrix_whatsapp_py.model.group import GroupFacts, GroupRecord, GroupRole
from mautrix_whatsapp_py.model.levels import MxLevels
from mautrix_whatsapp_py.model.mx import MxRoomChanged
from mautrix_whatsapp_py.model.mx_room import (
    MxAvatarSet,
    MxLevelsChange,
    MxLevelsSet,
    MxNameSet,
    MxPinsSet,
    MxReplaced,
    MxTopicSet,
)
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa_group import WaMemberChange
from mautrix_whatsapp_py.ports_groups import WhatsAppGroups

log = logging.getLogger(__name__)

STRAY = "The power level was undone here: only members of the group can be its admins."
MAX_PICTURE_BYTES = 10_000_000


async def handle(event: MxRoomChanged, portal: Portal, talk: Talk) -> None:
    """Carry a change of a room to its group; what WhatsApp refuses is undone with the reason."""
    room_id = event.origin.room_id
    if isinstance(event.change, MxReplaced):
        await upgrades.follow(portal, event.change.by, talk)
        return
    if isinstance(event.change, MxPinsSet):
        await pins.handle(event.origin, event.change, portal, talk)
        return
    if not portal.key.chat.is_group or portal.room_id != room_id:
        return
    stage = Stage(event.origin, portal, room_id, talk)
    match event.change:
        case MxNameSet(name=name):
            await _rename(stage, name)
        case MxTopicSet(topic=topic):
            await _set_topic(stage, topic)
        case MxAvatarSet(avatar=avatar):
            await _set_picture(stage, avatar)
        case MxLevelsSet(levels=levels):
            await _set_levels(stage, levels)
        case _:
            assert_never(event.change)


async def _rename(stage: Stage, name: str) -> None:
    record, groups = await stage.record(), stage.talk.following.deps.rooms.deps.groups
    wanted = clean_name(name)
    if wanted == record.facts.name and wanted == name:
        return
    if (await groups.fetch_face(stage.room_id)).name != name:
        # Somebody was faster: the room has another name by now, and that is the one that counts.
        return
    if not wanted:
        problem = "The name was undone here: a WhatsApp group must have one."
    elif len(" ".join(name.split())) > MAX_NAME:
        problem = f"The name was undone here: WhatsApp allows {MAX_NAME} characters. Choose a shorter one."
    else:
        problem = await stage.ask("The name", lambda there: there.set_name(stage.chat, wanted))
    if problem:
        await groups.set_room_name(stage.room_id, record.facts.name or "WhatsApp group")
        await stage.explain(problem)
        return
    await stage.keep(_with(record, msgspec.structs.replace(record.facts, name=wanted)))
    if wanted != name:
        await groups.set_room_name(stage.room_id, wanted)


async def _set_topic(stage: Stage, topic: str) -> None:
    record, groups = await stage.record(), stage.talk.following.deps.rooms.deps.groups
    wanted, facts = clean_topic(topic), record.facts
    if wanted == facts.topic or (await groups.fetch_face(stage.room_id)).topic != topic:
        return
    if len(wanted) > MAX_TOPIC:
        problem = f"The topic was undone here: WhatsApp allows {MAX_TOPIC} characters. Write a shorter one."
    else:
        previous = facts.topic_id
        problem = await stage.ask(
            "The topic", lambda there: there.set_topic(stage.chat, wanted, previous_id=previous)
        )
    if problem:
        await groups.set_room_topic(stage.room_id, facts.topic)
        await stage.explain(problem)
        return
    await stage.keep(_with(record, msgspec.structs.replace(facts, topic=wanted)))
    await _learn_topic_id(stage)


async def _learn_topic_id(stage: Stage) -> None:
    """The next change must name this topic; WhatsApp tells its id when the group is looked at."""
    login = await stage.login()
    if login is None:
        return
    try:
        await stage.talk.following.bring_up(stage.portal.id, login)
    except WhatsAppError as error:
        log.info("a group cannot be looked at after a change: %s", type(error).__name__)


async def _set_picture(stage: Stage, avatar: MxUri | None) -> None:
    deps = stage.talk.following.deps
    groups, record = deps.rooms.deps.groups, await stage.record()
    if (await groups.fetch_face(stage.room_id)).avatar != avatar:
        return
    picture_ids: list[str] = []

    async def put(there: WhatsAppGroups) -> None:
        picture_ids.append(await there.set_picture(stage.chat, jpeg))

    try:
        data = await groups.download_media(avatar, limit_bytes=MAX_PICTURE_BYTES) if avatar else b""
        jpeg = await asyncio.to_thread(deps.jpegs.to_square_jpeg, data) if data else b""
    except (MatrixRefused, ValueError):
        problem = "The picture was undone here: it cannot be read, or is larger than 10 MB. Choose another one."
    else:
        problem = await stage.ask("The picture", put)
    if problem:
        await groups.set_room_avatar(stage.room_id, MxUri(record.avatar) if record.avatar else None)
        await stage.explain(problem)
        return
    await stage.keep(msgspec.structs.replace(record, picture_id=picture_ids[0], avatar=avatar or ""))


async def _set_levels(stage: Stage, levels: MxLevels) -> None:
    """Announce, locked and admins, as far as they differ from what the group has."""
    record = await stage.record()
    facts, problems = record.facts, list[str]()
    if not record.is_levelled:
        return
    if is_announcement(levels) != is_only_admins(facts) and not facts.is_default_subgroup:
        only_admins = is_announcement(levels)
        problem = await stage.ask(
            "Who may write", lambda there: there.set_announcement(stage.chat, is_announcement=only_admins)
        )
        problems.append(problem)
        facts = facts if problem else msgspec.structs.replace(facts, is_announcement=only_admins)
    if is_locked(levels) != facts.is_locked:
        locked = is_locked(levels)
        problem = await stage.ask(
            "Who may change the group", lambda there: there.set_locked(stage.chat, is_locked=locked)
        )
        problems.append(problem)
        facts = facts if problem else msgspec.structs.replace(facts, is_locked=locked)
    facts, more = await _set_roles(stage, levels, facts)
    strays = await _find_strays(stage, levels, facts)
    problems += [*more, *([STRAY] if strays else [])]
    if facts != record.facts:
        await stage.keep(_with(record, facts))
    told = [problem for problem in problems if problem]
    if told or facts != record.facts:
        # Also levels between those of WhatsApp's roles: they read the same on both sides afterwards.
        await _restore_levels(stage, facts, levels, strays)
    if told:
        await stage.explain("\n".join(dict.fromkeys(told)))


async def _set_roles(stage: Stage, levels: MxLevels, facts: GroupFacts) -> tuple[GroupFacts, list[str]]:
    deps, problems, roles = stage.talk.following.deps.rooms.deps, [], dict(facts.roles)
    own_login = await stage.login()
    own = await stage.talk.rooms.own_person(own_login) if own_login is not None else None
    for person_id, role in facts.roles.items():
        person = await stage.talk.persons.get(person_id)
        if person is None or (own is not None and person.id == own.id):
            continue
        user = deps.user_of(person)
        if user in deps.levels.overrides:
            # Their level is the configuration's and says nothing of the group.
            continue
        is_admin = levels.of(user) >= ADMIN_LEVEL
        if is_admin == (role > GroupRole.MEMBER):
            continue
        change = WaMemberChange.PROMOTE if is_admin else WaMemberChange.DEMOTE
        problem = await change_member(stage, person, change, "The power level")
        if problem:
            problems.append(problem)
        else:
            roles[person_id] = GroupRole.ADMIN if is_admin else GroupRole.MEMBER
    return msgspec.structs.replace(facts, roles=roles), problems


async def _find_strays(stage: Stage, levels: MxLevels, facts: GroupFacts) -> list[MxUserId]:
    """Ghosts that were raised above others though their people are not in the group, or left it."""
    raised = [user for user, level in levels.users.items() if level > levels.users_default]
    people = [(user, await stage.talk.persons.get_by_ghost(user)) for user in raised]
    return [user for user, person in people if person is not None and person.id not in facts.roles]


async def _restore_levels(stage: Stage, facts: GroupFacts, levels: MxLevels, strays: Sequence[MxUserId]) -> None:
    deps = stage.talk.following.deps.rooms.deps
    people: dict[PersonId, Person] = {}
    for person_id in facts.roles:
        person = await stage.talk.persons.get(person_id)
        if person is not None:
            people[person_id] = person
    users = {person_id: deps.user_of(person) for person_id, person in people.items()}
    raised = {
        user: 0
        for person_id, user in users.items()
        if levels.of(user) > 0 and facts.roles[person_id] is GroupRole.MEMBER
    }
    change = to_levels(facts, GroupFacts(), users, deps.levels)
    await deps.groups.change_levels(
        stage.room_id,
        MxLevelsChange(
            users={**raised, **dict.fromkeys(strays, 0), **change.users},
            events=change.events,
            events_default=change.events_default,
            invite=change.invite,
        ),
    )


def _with(record: GroupRecord, facts: GroupFacts) -> GroupRecord:
    return msgspec.structs.replace(record, facts=facts)
