"""A group as its room shows it, in the form in which that is remembered."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from mautrix_whatsapp_py.ids import PersonId


class GroupRole(IntEnum):
    """What somebody may do in a group."""

    MEMBER = 0
    ADMIN = 1
    OWNER = 2


class GroupFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What WhatsApp says of a group, people by their rows."""

    name: str = ""
    topic: str = ""
    topic_id: str = ""
    is_locked: bool = False
    is_announcement: bool = False
    is_default_subgroup: bool = False
    """The announcement group of a community, in which members may answer though only admins announce."""
    disappearing_seconds: int = 0
    community: str = ""
    roles: dict[PersonId, GroupRole] = {}

    @property
    def admins(self) -> frozenset[PersonId]:
        """Those who are more than members."""
        return frozenset(person for person, role in self.roles.items() if role > GroupRole.MEMBER)


class GroupRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a room was last brought to."""

    facts: GroupFacts = GroupFacts()
    joined: frozenset[PersonId] = frozenset()
    """Whose ghosts are in the room."""
    picture_id: str = ""
    avatar: str = ""
    """The picture of that id at the homeserver."""
    is_levelled: bool = False
    """Whether the room's power levels were ever set after the group."""

    @property
    def missing(self) -> frozenset[PersonId]:
        """Members whose ghosts are not in the room yet; some may be there as users."""
        return frozenset(self.facts.roles) - self.joined


class SpaceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A space and what it was last made to hold."""

    room_id: str
    name: str = ""
    children: frozenset[str] = frozenset()
    invited: frozenset[str] = frozenset()
    picture_id: str = ""
