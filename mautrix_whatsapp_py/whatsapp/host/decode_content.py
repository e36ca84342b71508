"""Body of a message: from protobuf to the model. Kinds beyond text grow here and nowhere else.

Nothing raises here: a field that is missing is empty, and an enum's value of a later protocol is as if not set.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

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
from mautrix_whatsapp_py.model.media import WaMedia
from mautrix_whatsapp_py.model.rich import WaCard, WaCardKind, WaPin
from mautrix_whatsapp_py.whatsapp.host.decode_cards import decode_card, decode_wrapper_card
from mautrix_whatsapp_py.whatsapp.host.decode_context import (
    MAX_TEXT,
    decode_context,
    decode_link_preview,
    get_kind,
    get_part,
    unwrap,
)
from mautrix_whatsapp_py.whatsapp.host.decode_media import MEDIA, decode_media
from mautrix_whatsapp_py.whatsapp.host.decode_rich import decode_rich
from mautrix_whatsapp_py.whatsapp.host.decode_scene import Scene as Scene
from mautrix_whatsapp_py.whatsapp.host.decode_scene import decode_target, open_sealed
from mautrix_whatsapp_py.whatsapp.host.protobuf import get_text, has_unknown_fields
from mautrix_whatsapp_py.whatsapp.host.secrets import SealUse

_MAX_EMOJI = 64
_VIEW_ONCE_WRAPPERS = frozenset({"viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension"})
_SEEN_ONCE = frozenset({"imageMessage", "videoMessage", "ptvMessage", "audioMessage"})
_SILENT = frozenset({"call", "stickerSyncRmrMessage", "groupRootKeyShare", "rootSecretDistributeMessage"})
"""Keys and signals between devices."""
_SEALED_KINDS = {
    "EVENT_EDIT": WaCardKind.EVENT_CHANGED,
    "MESSAGE_SCHEDULE": WaCardKind.SCHEDULED,
    "POLL_ADD_OPTION": WaCardKind.POLL_OPTION_ADDED,
}
_BY_ACCOUNT = frozenset({"INITIATED_BY_ME", "INITIATED_BY_OTHER"})


def decode_content(message: Any, scene: Scene) -> WaContent:
    """What a message says."""
    inner, wrappers = unwrap(message)
    name, part = get_part(inner)
    content = _decode_part(name, part, inner, wrappers, scene)
    match content:
        case WaSilent():
            return decode_wrapper_card(wrappers, inner, scene) or content
        case WaMedia():
            return _place(content, (message, inner), scene)
        case WaPin(is_pinned=True):
            seconds = max(part.messageContextInfo.messageAddOnDurationInSecs for part in (message, inner))
            return msgspec.structs.replace(content, seconds=seconds)
        case _:
            return content


def _decode_part(name: str, part: Any, inner: Any, wrappers: frozenset[str], scene: Scene) -> WaContent:
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
            return _decode_sealed_edit(part, scene)
        case _ if name in _SILENT:
            return WaSilent(kind=name)
        case _ if name in MEDIA:
            return _decode_file(name, part, wrappers, scene)
        case _:
            return decode_rich(name, part, scene) or decode_card(name, part, scene) or WaUnsupported(kind=name)


def _place(media: WaMedia, messages: Iterable[Any], scene: Scene) -> WaMedia:
    """A file of an album names its head."""
    for message in messages:
        association = message.messageContextInfo.messageAssociation
        if scene.protobuf.enum_name(association, "associationType") == "MEDIA_ALBUM":
            head = decode_target(association.parentMessageKey, scene)
            if head is not None:
                context = msgspec.structs.replace(media.context, album=head.message_id)
                return msgspec.structs.replace(media, context=context)
    return media


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
    target = decode_target(part.key, scene)
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
    target = decode_target(key, scene)
    if target is None:
        return WaUnsupported(kind=name)
    return WaReaction(target=target, emoji=get_text(part.text, _MAX_EMOJI))


# Sealed with the secret of the message they are about


def _decode_sealed_reaction(name: str, part: Any, scene: Scene) -> WaContent:
    key = part.targetMessageKey
    opened = open_sealed(part, key, SealUse.REACTION, scene.protobuf.e2e.ReactionMessage, scene)
    if opened is None:
        return WaCard(kind=WaCardKind.SEALED)
    return _decode_reaction(name, opened, key, scene)


def _decode_sealed_edit(part: Any, scene: Scene) -> WaContent:
    if scene.protobuf.enum_name(part, "secretEncType") != "MESSAGE_EDIT":
        return WaCard(kind=_SEALED_KINDS.get(scene.protobuf.enum_name(part, "secretEncType"), WaCardKind.SEALED))
    key = part.targetMessageKey
    opened = open_sealed(part, key, SealUse.EDIT, scene.protobuf.e2e.Message, scene)
    target = decode_target(key, scene)
    if opened is None or target is None:
        return WaCard(kind=WaCardKind.SEALED)
    inner, _ = unwrap(opened)
    return _decode_edit(inner.protocolMessage.editedMessage, target, scene)
