"""Messages of people: commands to the bot."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from mautrix_whatsapp_py.bridge.deps import BridgeDeps
from mautrix_whatsapp_py.bridge.door import CommandRequest
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.ids import MxEventId, MxTxnId
from mautrix_whatsapp_py.model.content import MxEdit, MxMessageContent, MxMsgType, MxReply
from mautrix_whatsapp_py.model.mx import MxMessage, MxNotice


async def handle(event: MxMessage, deps: BridgeDeps) -> None:
    """Answer a command; other messages have nowhere to go."""
    level = deps.level_of(event.origin.sender)
    if not _is_said(event.content) or level is PermissionLevel.BLOCK:
        return
    is_management = await deps.users.get_management_room(event.origin.sender) == event.origin.room_id
    text = command_text(event.content.body, prefix=deps.settings.command_prefix, is_management=is_management)
    if text is None:
        return
    request = CommandRequest(
        event_id=event.origin.event_id,
        room_id=event.origin.room_id,
        sender=event.origin.sender,
        level=level,
        text=text,
        is_management=is_management,
        replied_to=_replied_to(event.content),
    )
    await _answer(request, await deps.commands.run(request), deps)


def _replied_to(content: MxMessageContent) -> MxEventId | None:
    return content.relation.event_id if isinstance(content.relation, MxReply) else None


def _is_said(content: MxMessageContent) -> bool:
    """Whether a person said it anew; an edit repeats an old message for clients that know no edits."""
    return content.msgtype is MxMsgType.TEXT and not isinstance(content.relation, MxEdit)


def command_text(body: str, *, prefix: str, is_management: bool) -> str | None:
    """The command in a message, None when it holds none; the bare prefix asks for help."""
    text = body.strip()
    first, *rest = text.split(maxsplit=1)[:2] or [""]
    if first.lower() == prefix.lower():
        return rest[0] if rest else "help"
    return (text or None) if is_management else None


async def _answer(request: CommandRequest, notices: Sequence[MxNotice], deps: BridgeDeps) -> None:
    """Send the answers; their transaction ids hang on the question, so asking again sends nothing twice."""
    for part, notice in enumerate(notices):
        is_reply = part == 0 and not request.is_management
        said = dataclasses.replace(notice, reply_to=request.event_id) if is_reply else notice
        txn_id = MxTxnId(f"answer-{request.event_id}-{part}")
        await deps.matrix.send_notice(request.room_id, said, sender=deps.matrix.bot, txn_id=txn_id)
