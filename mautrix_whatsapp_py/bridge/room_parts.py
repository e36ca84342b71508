"""What else `sync` brings up to date: the spaces of an account, and pictures of its people."""

from __future__ import annotations

from collections.abc import Mapping

from mautrix_whatsapp_py.bridge.following import Following
from mautrix_whatsapp_py.bridge.syncing import OnProgress, SyncCount, SyncPart
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.ids import PersonId
from mautrix_whatsapp_py.model.login import Login


class SpacePart:
    """An account's space and those of its communities."""

    def __init__(self, following: Following) -> None:
        self._following = following

    async def __call__(self, login: Login, on_progress: OnProgress, *, is_thorough: bool) -> SyncCount:
        """See SyncPart."""
        on_progress(0, 1)
        changed = await self._following.deps.spaces.sync(login, asks_names=True)
        on_progress(1, 1)
        return SyncCount(seen=1, changed=changed)


class AvatarsPart:
    """Pictures of those who have a chat with the account."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    async def __call__(self, login: Login, on_progress: OnProgress, *, is_thorough: bool) -> SyncCount:
        """See SyncPart."""
        people = await self._people(login)
        pictures = self._talk.following.deps.pictures
        changed = 0
        for index, person_id in enumerate(people, 1):
            person = await self._talk.persons.get(person_id)
            if person is not None and person.shown_name:
                changed += await pictures.sync_avatar(person, login)
            on_progress(index, len(people))
        return SyncCount(seen=len(people), changed=changed)

    async def _people(self, login: Login) -> list[PersonId]:
        portals = await self._talk.portals.get_all()
        mine = [portal for portal in portals if portal.room_id is not None and portal.key.receiver == login.id]
        return [portal.person_id for portal in mine if portal.person_id is not None]


def room_parts(talk: Talk) -> Mapping[str, SyncPart]:
    """The parts by the words they are asked for with."""
    return {"avatars": AvatarsPart(talk), "space": SpacePart(talk.following)}
