"""What the sender of a message sees of its being taken: that it was read, and a reaction."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from mautrix_whatsapp_py.channel.door import ChatDoor
from mautrix_whatsapp_py.channel.intake import Accepted
from mautrix_whatsapp_py.channel.scenes import Scene
from mautrix_whatsapp_py.errors import MatrixError, StoreError, WhatsAppError
from mautrix_whatsapp_py.ids import SendId
from mautrix_whatsapp_py.model.content import WaMessageRef, WaReaction
from mautrix_whatsapp_py.ports import Clock, WhatsAppClient, WhatsAppNetwork
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Courtesies:
    """Shown at once and once; nobody waits for them, and what fails is only logged."""

    network: WhatsAppNetwork
    door: ChatDoor
    clock: Clock
    tasks: set[asyncio.Task[None]]

    def on_accepted(self, accepted: Accepted) -> None:
        """A message was taken."""
        if accepted.is_marked_read or accepted.shows_reaction:
            spawn(self._show(accepted), name="courtesies", tasks=self.tasks)

    async def stop(self) -> None:
        """Show nothing more."""
        await end_all(self.tasks)

    async def _show(self, accepted: Accepted) -> None:
        scene = accepted.scene
        client = self.network.get_client(scene.login)
        if client is None:
            return
        if accepted.shows_reaction:
            await self._react(scene, client)
        if accepted.is_marked_read:
            await self._mark_read(scene, client)

    async def _react(self, scene: Scene, client: WhatsAppClient) -> None:
        ack, source = scene.account.keys.ack_reaction, scene.event.source
        if ack is None:
            return
        target = WaMessageRef(chat=source.chat.bare, message_id=scene.event.message_id, sender=source.sender.bare)
        content = WaReaction(target=target, emoji=ack.emoji)
        send_id = SendId(f"ack-{scene.account.name}-{scene.event.message_id}")
        try:
            sent = await client.send_message(source.chat.bare, content, send_id=send_id)
        except WhatsAppError as error:
            log.info("a reaction could not be sent: %s", type(error).__name__)
            return

        async def show() -> bool:
            try:
                await self.door.show(scene.login, scene.chat, sent, content)
            except (MatrixError, StoreError) as error:
                log.info("a reaction is not shown: %s", type(error).__name__)
            return True

        await self.door.put(scene.login, scene.chat, show)

    async def _mark_read(self, scene: Scene, client: WhatsAppClient) -> None:
        source = scene.event.source
        try:
            await client.mark_read(
                source.chat.bare, source.sender.bare, [scene.event.message_id], at=self.clock.now()
            )
        except WhatsAppError as error:
            log.info("a message could not be marked as read: %s", type(error).__name__)
