"""Where a message was said, which other one it means, and what of it is sealed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mautrix_whatsapp_py.ids import LID_SERVER, USER_SERVER, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import WaMessageRef
from mautrix_whatsapp_py.model.wa import WaSource
from mautrix_whatsapp_py.whatsapp.host.decode_context import MAX_ID
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf, get_address, get_text
from mautrix_whatsapp_py.whatsapp.host.secrets import Sealed, SealUse, StoredSecret, unseal


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a message's content does not say itself: who said it where, and how sealed parts are opened."""

    source: WaSource
    own: WaJid
    get_secrets: Callable[[WaJid, WaMessageId], Sequence[StoredSecret]]
    protobuf: Protobuf
    is_view_once: bool = False


def open_sealed(part: Any, key: Any, use: SealUse, kind: Any, scene: Scene) -> Any | None:
    """The message inside of a sealed one; None when its secret is not known or it holds something else."""
    target = decode_target(key, scene)
    if target is None:
        return None
    sealed = Sealed(target=target.message_id, use=use, payload=part.encPayload, iv=part.encIV)
    source = scene.source
    body = unseal(
        sealed,
        scene.get_secrets(target.chat, target.message_id),
        authors=_known(target.sender, get_address(key.remoteJID)),
        actors=_known(source.sender, source.sender_alt),
    )
    if body is None:
        return None
    try:
        return kind.FromString(body)
    except scene.protobuf.decode_error:
        return None


def _known(*jids: WaJid | None) -> tuple[WaJid, ...]:
    return tuple(jid.bare for jid in jids if jid is not None)


# Which message is meant


def decode_target(key: Any, scene: Scene) -> WaMessageRef | None:
    """The message a key names, in this chat: a key that names another chat is not to be believed."""
    message_id = get_text(key.ID, MAX_ID)
    if not message_id:
        return None
    return WaMessageRef(
        chat=scene.source.chat.bare, message_id=WaMessageId(message_id), sender=_decode_author(key, scene)
    )


def _decode_author(key: Any, scene: Scene) -> WaJid | None:
    """Whose message a key names; it was written from its sender's point of view."""
    source = scene.source
    if key.fromMe:
        return source.sender.bare
    participant = get_address(key.participant)
    if participant is not None or source.chat.server not in {USER_SERVER, LID_SERVER}:
        return participant
    return source.chat.bare if source.is_from_me else scene.own
