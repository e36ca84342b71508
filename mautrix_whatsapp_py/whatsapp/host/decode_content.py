"""Body of a message: from protobuf to the model. Kinds beyond text grow here and nowhere else.

Nothing raises here: a field that is missing is empty, and an enum's value of a later protocol is as if not set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mautrix_whatsapp_py.ids import LID_SERVER, USER_SERVER, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import (
    WaContent,
    WaEdit,
    WaEphemeralTimer,
    WaMessageRef,
    WaReaction,
    WaRevoke,
    WaSilent,
    WaText,
    WaUnsupported,
    WaViewOnceNotice,
)
from mautrix_whatsapp_py.model.wa import WaSource
from mautrix_whatsapp_py.whatsapp.host.decode_context import (
    MAX_ID,
    MAX_TEXT,
    decode_context,
    decode_link_preview,
    get_kind,
    get_part,
    unwrap,
)
from mautrix_whatsapp_py.whatsapp.host.decode_media import MEDIA, decode_media
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf, get_address, get_text, has_unknown_fields
from mautrix_whatsapp_py.whatsapp.host.secrets import Sealed, SealUse, StoredSecret, unseal

_MAX_EMOJI = 64
_VIEW_ONCE_WRAPPERS = frozenset({"viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension"})
_SEEN_ONCE = frozenset({"imageMessage", "videoMessage", "ptvMessage", "audioMessage"})
_SILENT = frozenset({"call", "stickerSyncRmrMessage", "groupRootKeyShare", "rootSecretDistributeMessage"})
"""Keys and signals between devices."""
_BY_ACCOUNT = frozenset({"INITIATED_BY_ME", "INITIATED_BY_OTHER"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a message's content does not say itself: who said it where, and how sealed parts are opened."""

    source: WaSource
    own: WaJid
    get_secrets: Callable[[WaJid, WaMessageId], Sequence[StoredSecret]]
    protobuf: Protobuf
    is_view_once: bool = False


def decode_content(message: Any, scene: Scene) -> WaContent:
    """What a message says."""
    inner, wrappers = unwrap(message)
    name, part = get_part(inner)
    match name:
        case "":
            # A kind newer than the library's protocol is there all the same.
            return WaUnsupported(kind="") if has_unknown_fields(inner) else WaSilent(kind="none")
        case "conversation" | "extendedTextMessage":
            return _decode_text(name, part, scene)
        case "protocolMessage":
            return _decode_protocol(part, scene)
        case "reactionMessage":
            return _decode_reaction(name, part, part.key, scene)
        case "encReactionMessage":
            return _decode_sealed_reaction(name, part, scene)
        case "secretEncryptedMessage":
            return _decode_sealed_edit(name, part, scene)
        case _ if name in _SILENT:
            return WaSilent(kind=name)
        case _ if name in MEDIA:
            return _decode_file(name, part, wrappers, scene)
        case _:
            return WaUnsupported(kind=name)


def _decode_text(name: str, part: Any, scene: Scene) -> WaText:
    if name == "conversation":
        return WaText(body=get_text(part, MAX_TEXT))
    return WaText(
        body=get_text(part.text, MAX_TEXT),
        context=decode_context(part, scene.source.chat),
        link_preview=decode_link_preview(part),
    )


def _decode_file(name: str, part: Any, wrappers: frozenset[str], scene: Scene) -> WaContent:
    is_view_once = name in _SEEN_ONCE and _is_view_once(part, wrappers, scene)
    media = decode_media(name, part, scene.source.chat, is_view_once=is_view_once)
    if media is not None:
        return media
    return WaViewOnceNotice(kind=get_kind(name, part)) if is_view_once else WaUnsupported(kind=name)


def _is_view_once(part: Any, wrappers: frozenset[str], scene: Scene) -> bool:
    return scene.is_view_once or bool(wrappers & _VIEW_ONCE_WRAPPERS) or getattr(part, "viewOnce", False)


def _decode_protocol(part: Any, scene: Scene) -> WaContent:
    # A type of a later protocol reads as the first one, a revocation, unless one asks whether it is set.
    kind = scene.protobuf.enum_name(part, "type") if part.HasField("type") else ""
    target = _decode_target(part.key, scene)
    match kind:
        case "REVOKE" if target is not None:
            return WaRevoke(target=target)
        case "MESSAGE_EDIT" if target is not None:
            return _decode_edit(part.editedMessage, target, scene)
        case "EPHEMERAL_SETTING":
            return WaEphemeralTimer(timer_s=part.ephemeralExpiration, is_automatic=_is_automatic(part, scene))
        case _:
            return WaSilent(kind=kind or "protocolMessage")


def _is_automatic(part: Any, scene: Scene) -> bool:
    return scene.protobuf.enum_name(part.disappearingMode, "initiator") in _BY_ACCOUNT


def _decode_edit(message: Any, target: WaMessageRef, scene: Scene) -> WaContent:
    """The new text, or the new caption of a file."""
    inner, _ = unwrap(message)
    name, part = get_part(inner)
    if name in {"conversation", "extendedTextMessage"}:
        return WaEdit(target=target, content=_decode_text(name, part, scene))
    if hasattr(part, "caption"):
        caption = get_text(part.caption, MAX_TEXT)
        text = WaText(body=caption, context=decode_context(part, scene.source.chat))
        return WaEdit(target=target, content=text)
    return WaUnsupported(kind=name or "protocolMessage")


def _decode_reaction(name: str, part: Any, key: Any, scene: Scene) -> WaContent:
    target = _decode_target(key, scene)
    if target is None:
        return WaUnsupported(kind=name)
    return WaReaction(target=target, emoji=get_text(part.text, _MAX_EMOJI))


# Sealed with the secret of the message they are about


def _decode_sealed_reaction(name: str, part: Any, scene: Scene) -> WaContent:
    opened = _open(part, SealUse.REACTION, scene.protobuf.e2e.ReactionMessage, scene)
    if opened is None:
        return WaUnsupported(kind=name)
    return _decode_reaction(name, opened, part.targetMessageKey, scene)


def _decode_sealed_edit(name: str, part: Any, scene: Scene) -> WaContent:
    if scene.protobuf.enum_name(part, "secretEncType") != "MESSAGE_EDIT":
        return WaUnsupported(kind=name)
    opened = _open(part, SealUse.EDIT, scene.protobuf.e2e.Message, scene)
    target = _decode_target(part.targetMessageKey, scene)
    if opened is None or target is None:
        return WaUnsupported(kind=name)
    inner, _ = unwrap(opened)
    return _decode_edit(inner.protocolMessage.editedMessage, target, scene)


def _open(part: Any, use: SealUse, kind: Any, scene: Scene) -> Any | None:
    """The message inside of a sealed one; None when its secret is not known or it holds something else."""
    target = _decode_target(part.targetMessageKey, scene)
    if target is None:
        return None
    sealed = Sealed(target=target.message_id, use=use, payload=part.encPayload, iv=part.encIV)
    source = scene.source
    body = unseal(
        sealed,
        scene.get_secrets(target.chat, target.message_id),
        authors=_known(target.sender, get_address(part.targetMessageKey.remoteJID)),
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


def _decode_target(key: Any, scene: Scene) -> WaMessageRef | None:
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
