"""Alice at her management room, with an account, for tests of commands."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.model.content import MxMessageContent, MxReply
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.mx import MxMessage
from mautrix_whatsapp_py.model.portal import Portal
from tests.fakes.directory import FakeDirectory
from tests.flow.chat import LOGIN, Chat
from tests.flow.world import ALICE, DM, World


class Desk:
    """Commands and their answers."""

    def __init__(self, world: World, chat: Chat) -> None:
        self.world = world
        self.chat = chat

    @classmethod
    async def open(cls, world: World) -> Desk:
        """Alice is linked and talks with the bot."""
        chat = await Chat.open(world)
        await world.open_dm()
        return cls(world, chat)

    @property
    def directory(self) -> FakeDirectory:
        """What WhatsApp tells alice's account."""
        return self.world.directories.require(LOGIN)

    @property
    def login(self) -> Login:
        """Alice's account."""
        login = self.world.logins.get(LOGIN)
        assert login is not None
        return login

    async def ask(self, command: str, *, room_id: MxRoomId = DM, sender: MxUserId = ALICE) -> str:
        """A command and all that is said about it."""
        before = len(self.world.matrix.bodies(room_id))
        await self.world.say(command, room_id=room_id, sender=sender)
        return "\n".join(self.world.matrix.bodies(room_id)[before:])

    async def ask_about(self, command: str, event_id: str, *, room_id: MxRoomId) -> str:
        """A command that answers an event."""
        before = len(self.world.matrix.bodies(room_id))
        relation = MxReply(event_id=event_id)  # type: ignore[arg-type]
        content = MxMessageContent(body=command, relation=relation)
        await self.world.deliver(MxMessage(origin=self.world.origin(room_id, ALICE), content=content))
        await self.world.settled()
        return "\n".join(self.world.matrix.bodies(room_id)[before:])

    async def portal(self) -> Portal:
        """The only chat that has a room."""
        portal_id = self.world.work.deps.talk.portals.get_id(self.chat.room_id)
        assert portal_id is not None
        portal = await self.world.work.deps.talk.portals.get(portal_id)
        assert portal is not None
        return portal

    async def direct_room(self) -> MxRoomId:
        """Ben has written; the room of his chat, which alice has joined."""
        await self.chat.hear("hello")
        room_id = self.chat.room_id
        self.join(room_id)
        return room_id

    def join(self, room_id: MxRoomId, user: MxUserId = ALICE) -> None:
        """Somebody accepts an invitation."""
        room = self.world.matrix.rooms[room_id]
        room.invited.discard(user)
        room.joined.add(user)
