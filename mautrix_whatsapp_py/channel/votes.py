"""Votes in polls, which name their options by hash alone, as text that a reader understands."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from mautrix_whatsapp_py.channel.scenes import Scene
from mautrix_whatsapp_py.channel.texts import Quoted, Speaker, without_marks
from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.model.channel import ChannelPoll
from mautrix_whatsapp_py.model.content import WaContent
from mautrix_whatsapp_py.model.rich import WaPoll, WaPollVote

TAKEN_BACK = "(took the vote back)"
UNKNOWN = "(an option that is not known)"


def to_poll(account: str, chat: WaJid, message_id: WaMessageId, content: WaContent) -> ChannelPoll | None:
    """What the votes that follow need of a poll; None for what is none."""
    if not isinstance(content, WaPoll):
        return None
    return ChannelPoll(
        account=account, chat=chat, message_id=message_id, question=content.question, options=content.options
    )


def with_vote(scene: Scene, vote: WaPollVote, poll: ChannelPoll) -> Scene:
    """The scene of a vote with what was chosen in which poll."""
    known = {hashlib.sha256(option.encode("utf-8", "replace")).digest(): option for option in poll.options}
    chosen = [f"- {without_marks(known.get(digest, UNKNOWN))}" for digest in vote.options]
    text = "\n".join(["<vote>", *(chosen or [TAKEN_BACK])])
    author = Speaker() if scene.quoted is None else scene.quoted.sender
    quoted = Quoted(stanza_id=poll.message_id, sender=author, body=f"<poll>\n{poll.question}")
    return replace(scene, reading=replace(scene.reading, text=text), quoted=quoted)
