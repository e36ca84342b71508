"""Messages that act on another message."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.simulator import message_secrets
from tests.simulator.crypto import sha256
from tests.simulator.jids import GROUP, Jid
from tests.simulator.nodes import node
from tests.simulator.outgoing import Outgoing
from tests.simulator.protobufs import e2e


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRef:
    """Another message, seen from the person who acts on it; the secret is needed for hidden actions."""

    chat: Jid
    message_id: str
    sender: Jid
    is_own: bool
    secret: bytes = b""

    def key(self) -> Any:
        """The key that names the message."""
        key: dict[str, Any] = {
            "remoteJID": str(self.chat.bare),
            "fromMe": self.is_own,
            "ID": self.message_id,
        }
        if self.chat.server == GROUP and not self.is_own:
            key["participant"] = str(self.sender.bare)
        message = e2e.Message()
        found = message.protocolMessage.key
        for name, value in key.items():
            setattr(found, name, value)
        return found


def reaction(target: MessageRef, emoji: str) -> Outgoing:
    """React; an empty emoji takes the reaction back."""
    made = e2e.ReactionMessage(key=target.key(), text=emoji, senderTimestampMS=_now_ms())
    return Outgoing(message=e2e.Message(reactionMessage=made), type="reaction")


def edit(target: MessageRef, new_content: Any) -> Outgoing:
    """Replace the content of an own message."""
    kind = e2e.ProtocolMessage
    made = kind(key=target.key(), type=kind.MESSAGE_EDIT, editedMessage=new_content, timestampMS=_now_ms())
    return Outgoing(message=e2e.Message(protocolMessage=made), edit="1")


def revoke(target: MessageRef) -> Outgoing:
    """Delete an own message for everybody."""
    return _revoke(target, edit="7")


def admin_revoke(target: MessageRef) -> Outgoing:
    """Delete somebody else's message as a group admin."""
    return _revoke(target, edit="8")


def pin(target: MessageRef, *, is_pinned: bool = True, seconds: int = 86400) -> Outgoing:
    """Pin or unpin a message for everybody."""
    kind = e2e.PinInChatMessage
    made = kind(
        key=target.key(),
        type=kind.PIN_FOR_ALL if is_pinned else kind.UNPIN_FOR_ALL,
        senderTimestampMS=_now_ms(),
    )
    message = e2e.Message(pinInChatMessage=made)
    message.messageContextInfo.messageAddOnDurationInSecs = seconds if is_pinned else 0
    return Outgoing(message=message, edit="2")


def keep(target: MessageRef, *, is_kept: bool = True) -> Outgoing:
    """Keep a disappearing message, or let it go."""
    made = e2e.KeepInChatMessage(key=target.key(), keepType=1 if is_kept else 2, timestampMS=_now_ms())
    return Outgoing(message=e2e.Message(keepInChatMessage=made))


def ephemeral_setting(seconds: int) -> Outgoing:
    """Set the disappearing timer of a direct chat."""
    kind = e2e.ProtocolMessage
    made = kind(
        type=kind.EPHEMERAL_SETTING,
        ephemeralExpiration=seconds,
        ephemeralSettingTimestamp=int(time.time()),
    )
    return Outgoing(message=e2e.Message(protocolMessage=made))


def poll_vote(poll: MessageRef, voter: Jid, options: Sequence[str]) -> Outgoing:
    """Vote in a poll; no options take the vote back."""
    vote = e2e.PollVoteMessage(selectedOptions=[sha256(option.encode()) for option in options])
    sealed = _seal(poll, voter, "Poll Vote", vote)
    made = e2e.PollUpdateMessage(
        pollCreationMessageKey=poll.key(),
        vote=e2e.PollEncValue(encPayload=sealed.payload, encIV=sealed.iv),
        senderTimestampMS=_now_ms(),
    )
    meta = node("meta", {"polltype": "vote"})
    return Outgoing(message=e2e.Message(pollUpdateMessage=made), type="poll", extra=(meta,))


def event_response(event: MessageRef, guest: Jid, *, is_going: bool) -> Outgoing:
    """Answer an event's invitation."""
    kind = e2e.EventResponseMessage
    answer = kind(response=kind.GOING if is_going else kind.NOT_GOING, timestampMS=_now_ms())
    sealed = _seal(event, guest, "Event Response", answer)
    made = e2e.EncEventResponseMessage(
        eventCreationMessageKey=event.key(), encPayload=sealed.payload, encIV=sealed.iv
    )
    return Outgoing(message=e2e.Message(encEventResponseMessage=made), type="event")


def secret_reaction(target: MessageRef, reactor: Jid, emoji: str) -> Outgoing:
    """React inside a community's announcement group, where reactions are encrypted once more."""
    inner = e2e.ReactionMessage(text=emoji, senderTimestampMS=_now_ms())
    sealed = _seal(target, reactor, "Enc Reaction", inner)
    made = e2e.EncReactionMessage(targetMessageKey=target.key(), encPayload=sealed.payload, encIV=sealed.iv)
    return Outgoing(message=e2e.Message(encReactionMessage=made), type="reaction")


def secret_comment(target: MessageRef, author: Jid, body: str) -> Outgoing:
    """Comment on an announcement."""
    sealed = _seal(target, author, "Enc Comment", e2e.Message(conversation=body))
    made = e2e.EncCommentMessage(targetMessageKey=target.key(), encPayload=sealed.payload, encIV=sealed.iv)
    return Outgoing(message=e2e.Message(encCommentMessage=made))


def secret_edit(target: MessageRef, editor: Jid, new_content: Any) -> Outgoing:
    """Edit with the secret of the original."""
    kind = e2e.ProtocolMessage
    inner = e2e.Message(
        protocolMessage=kind(
            key=target.key(), type=kind.MESSAGE_EDIT, editedMessage=new_content, timestampMS=_now_ms()
        )
    )
    sealed = _seal(target, editor, "Message Edit", inner)
    made = e2e.SecretEncryptedMessage(
        targetMessageKey=target.key(),
        encPayload=sealed.payload,
        encIV=sealed.iv,
        secretEncType=e2e.SecretEncryptedMessage.MESSAGE_EDIT,
    )
    return Outgoing(message=e2e.Message(secretEncryptedMessage=made), edit="1")


def _revoke(target: MessageRef, *, edit: str) -> Outgoing:
    kind = e2e.ProtocolMessage
    return Outgoing(message=e2e.Message(protocolMessage=kind(key=target.key(), type=kind.REVOKE)), edit=edit)


def _seal(target: MessageRef, actor: Jid, use: str, content: Any) -> message_secrets.Sealed:
    context = message_secrets.Context(
        secret=target.secret, message_id=target.message_id, sender=target.sender, actor=actor, use=use
    )
    return message_secrets.seal(context, content.SerializeToString())


def _now_ms() -> int:
    return int(time.time() * 1000)
