"""Power levels of a group's room: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mautrix_whatsapp_py.ids import MxUserId, PersonId
from mautrix_whatsapp_py.model.group import GroupFacts, GroupRole
from mautrix_whatsapp_py.model.levels import MxLevels
from mautrix_whatsapp_py.model.mx_room import MxLevelsChange

ADMIN_LEVEL = 50
OWNER_LEVEL = 75
FACE_EVENTS = ("m.room.name", "m.room.topic", "m.room.avatar")
_FREE_EVENTS = {"m.reaction": 0, "m.room.redaction": 0}
"""Members of a group in which only admins write may still react, and take their reactions back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelPolicy:
    """What the configuration wants of power levels."""

    overrides: Mapping[MxUserId, int] = field(default_factory=dict)
    members_may_invite: bool = True


def level_of(role: GroupRole) -> int:
    """The level of a role."""
    match role:
        case GroupRole.OWNER:
            return OWNER_LEVEL
        case GroupRole.ADMIN:
            return ADMIN_LEVEL
        case GroupRole.MEMBER:
            return 0


def is_only_admins(facts: GroupFacts) -> bool:
    """Whether only admins may write in the room."""
    return facts.is_announcement and not facts.is_default_subgroup


def to_levels(
    facts: GroupFacts,
    before: GroupFacts,
    users: Mapping[PersonId, MxUserId],
    policy: LevelPolicy,
) -> MxLevelsChange:
    """What has to hold; `users` are those of all who are, or were, admins."""
    former = {users[person]: 0 for person in before.admins - facts.admins if person in users}
    admins = {users[person]: level_of(facts.roles[person]) for person in facts.admins if person in users}
    face = ADMIN_LEVEL if facts.is_locked else 0
    return MxLevelsChange(
        users={**former, **admins, **policy.overrides},
        events={**dict.fromkeys(FACE_EVENTS, face), **_FREE_EVENTS, "m.room.power_levels": ADMIN_LEVEL},
        events_default=ADMIN_LEVEL if is_only_admins(facts) else 0,
        invite=0 if policy.members_may_invite else ADMIN_LEVEL,
    )


def is_locked(levels: MxLevels) -> bool:
    """Whether a room's levels keep members from changing its name."""
    return levels.needed_for("m.room.name") >= ADMIN_LEVEL


def is_announcement(levels: MxLevels) -> bool:
    """Whether a room's levels keep members from writing."""
    return levels.events_default >= ADMIN_LEVEL
