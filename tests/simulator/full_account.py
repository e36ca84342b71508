"""An account with contacts, groups and communities, on the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulator import groups
from tests.simulator.api import Account, Simulator
from tests.simulator.groups import Group


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much there is of everything."""

    contacts: int = 500
    groups: int = 120
    """The large one and those of communities among them."""
    communities: int = 3
    linked: int = 6
    """Groups of a community, its announcement group not counted."""
    large: int = 1024
    """Members of the large group."""
    fewest: int = 4
    most: int = 16
    crew: int = 12
    """Members of a community, its owner and the account not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What an account was given."""

    groups: tuple[Group, ...]
    large: Group
    communities: tuple[Group, ...]
    contacts: tuple[Account, ...]


def make_people(wa: Simulator, prefix: str, count: int) -> list[Account]:
    """So many people."""
    return [wa.add_account(f"{prefix}{number:05}", f"Person {number}") for number in range(count)]


async def fill_account(wa: Simulator, own: Account, sizes: Sizes) -> Filled:
    """Give an account its contact book and its groups; nobody is told of any."""
    contacts = make_people(wa, "155520", sizes.contacts)
    for person in contacts:
        await own.phone.set_contact(person.pn, f"Contact {person.pn.user}")
    strangers = make_people(wa, "155530", sizes.large - 1)
    large = groups.make_group(wa.world, strangers[0], "Large group", [own, *strangers[1:]])
    communities, made = [], [large]
    for number in range(sizes.communities):
        owner = contacts[number]
        members = [own, *contacts[number + 10 : number + 10 + sizes.crew]]
        parent = groups.make_group(wa.world, owner, f"Community {number}", members)
        parent.is_community = True
        announcements = groups.make_group(wa.world, owner, f"Community {number}", members)
        announcements.parent, announcements.is_announcement_group = parent.jid, True
        announcements.flags.add("announcement")
        communities.append(parent)
        made.append(announcements)
        for _ in range(sizes.linked):
            group = _make_small(wa, own, contacts, len(made), sizes)
            group.parent = parent.jid
            made.append(group)
    while len(made) < sizes.groups:
        made.append(_make_small(wa, own, contacts, len(made), sizes))
    return Filled(groups=tuple(made), large=large, communities=tuple(communities), contacts=tuple(contacts))


def _make_small(wa: Simulator, own: Account, contacts: Sequence[Account], number: int, sizes: Sizes) -> Group:
    count = sizes.fewest + number * 7 % (sizes.most - sizes.fewest + 1)
    start = number * 13 % max(len(contacts) - count, 1)
    members = contacts[start : start + count - 1]
    return groups.make_group(wa.world, members[0], f"Group {number}", [own, *members[1:]])
