"""What WhatsApp's messages come to, field by field, with the real protobuf classes."""

from __future__ import annotations

from typing import Any

import pytest

from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import (
    WaContent,
    WaContext,
    WaEdit,
    WaEphemeralTimer,
    WaKind,
    WaLinkPreview,
    WaMessageRef,
    WaPreview,
    WaQuote,
    WaReaction,
    WaRevoke,
    WaSilent,
    WaText,
    WaUnsupported,
    WaViewOnceNotice,
)
from mautrix_whatsapp_py.whatsapp.host.decode_content import Scene, decode_content
from mautrix_whatsapp_py.whatsapp.host.decode_context import MAX_TEXT
from tests.unit.whatsapp.host.contents import (
    ANA,
    ANA_LID,
    BEN,
    E2E,
    FROM_ANA,
    FROM_BEN,
    FROM_ME,
    GROUP,
    OWN,
    STATUS,
    Message,
    quoting,
    scene,
)

Protocol = E2E.ProtocolMessage
Context = E2E.ContextInfo


def extended(text: str = "x", **fields: Any) -> Any:
    return Message(extendedTextMessage=E2E.ExtendedTextMessage(text=text, **fields))


def wrapped(name: str, message: Any) -> Any:
    outer = Message()
    getattr(outer, name).message.CopyFrom(message)
    return outer


def protocol(kind: str, **fields: Any) -> Any:
    return Message(protocolMessage=Protocol(type=Protocol.Type.Value(kind), **fields))


def text(body: str = "x", **context: Any) -> WaText:
    return WaText(body=body, context=WaContext(**context))


TEXTS: dict[str, tuple[Any, WaContent]] = {
    "plain": (Message(conversation="hi"), WaText(body="hi")),
    "empty": (extended(""), WaText(body="")),
    "long": (Message(conversation="😀" * 65_536), WaText(body="😀" * 65_536)),
    "too long": (Message(conversation="x" * (MAX_TEXT + 1)), WaText(body="x" * MAX_TEXT)),
    "right to left": (Message(conversation="\u202eשלום"), WaText(body="\u202eשלום")),
    "no utf-8": (Message.FromString(b"\x0a\x02\xff\x41"), WaText(body="\ufffdA")),
    "with keys": (
        Message(
            conversation="hi",
            senderKeyDistributionMessage=E2E.SenderKeyDistributionMessage(groupID=str(GROUP)),
            messageContextInfo=E2E.MessageContextInfo(messageSecret=b"s"),
        ),
        WaText(body="hi"),
    ),
    "mentions": (
        extended(
            contextInfo=Context(mentionedJID=["12:3@lid", "34@c.us", "", "nobody", "lid", "x" * 99 + "@lid"])
        ),
        text(mentions=frozenset({WaJid(user="12", server="lid"), WaJid(user="34", server="s.whatsapp.net")})),
    ),
    "many mentions": (
        extended(contextInfo=Context(mentionedJID=[f"{number}@lid" for number in range(500)])),
        text(mentions=frozenset(WaJid(user=str(number), server="lid") for number in range(500))),
    ),
    "all": (extended(contextInfo=Context(nonJIDMentions=1)), text(mentions_all=True)),
    "forwarded": (extended(contextInfo=Context(isForwarded=True)), text(is_forwarded=True)),
    "forwarded often": (extended(contextInfo=Context(forwardingScore=127)), text(is_forwarded=True)),
    "timer": (extended(contextInfo=Context(expiration=86_400)), text(disappears_after_s=86_400)),
    "no timer": (extended(contextInfo=Context(expiration=0)), text()),
    "link": (
        extended(matchedText="https://x.y", title="T", description="D", JPEGThumbnail=b"j"),
        WaText(
            body="x",
            link_preview=WaLinkPreview(url="https://x.y", title="T", description="D", thumbnail=b"j"),
        ),
    ),
    "link without a card": (extended(matchedText="https://x.y"), text()),
    "card without a link": (extended(title="T"), text()),
    "huge thumbnail": (
        extended(matchedText="https://x.y", title="T", JPEGThumbnail=b"j" * 65_537),
        WaText(body="x", link_preview=WaLinkPreview(url="https://x.y", title="T")),
    ),
    "disappearing": (wrapped("ephemeralMessage", extended()), text()),
    "sent by a device": (wrapped("deviceSentMessage", Message(conversation="x")), text()),
    "wrapped twice": (wrapped("ephemeralMessage", wrapped("viewOnceMessage", extended())), text()),
    "of a bot": (wrapped("botInvokeMessage", extended()), text()),
    "in a group that is mentioned": (wrapped("groupMentionedMessage", extended()), text()),
}


@pytest.mark.parametrize(("message", "content"), TEXTS.values(), ids=TEXTS.keys())
def test_text(message: Any, content: WaContent) -> None:
    assert decode_content(message, FROM_ANA) == content


def image(**fields: Any) -> Any:
    return Message(imageMessage=E2E.ImageMessage(**fields))


QUOTED: dict[str, tuple[Any, WaPreview | None]] = {
    "nothing": (None, None),
    "empty text": (Message(conversation=""), None),
    "text": (Message(conversation="q"), WaPreview(text="q")),
    "extended": (
        extended("q @12", contextInfo=Context(mentionedJID=["12@lid"])),
        WaPreview(text="q @12", mentions=frozenset({WaJid(user="12", server="lid")})),
    ),
    "long text": (Message(conversation="q" * 5_000), WaPreview(text="q" * 4_096)),
    "image": (image(JPEGThumbnail=b"j"), WaPreview(kind=WaKind.IMAGE, thumbnail=b"j")),
    "image with caption": (image(caption="c"), WaPreview(kind=WaKind.IMAGE, text="c")),
    "video": (Message(videoMessage=E2E.VideoMessage(caption="c")), WaPreview(kind=WaKind.VIDEO, text="c")),
    "gif": (Message(videoMessage=E2E.VideoMessage(gifPlayback=True)), WaPreview(kind=WaKind.GIF)),
    "round video": (Message(ptvMessage=E2E.VideoMessage()), WaPreview(kind=WaKind.VIDEO)),
    "audio": (Message(audioMessage=E2E.AudioMessage()), WaPreview(kind=WaKind.AUDIO)),
    "voice": (Message(audioMessage=E2E.AudioMessage(PTT=True)), WaPreview(kind=WaKind.VOICE)),
    "document": (
        Message(documentMessage=E2E.DocumentMessage(fileName="a.pdf", title="t")),
        WaPreview(kind=WaKind.DOCUMENT, file_name="a.pdf"),
    ),
    "document with a title": (
        Message(documentMessage=E2E.DocumentMessage(title="t")),
        WaPreview(kind=WaKind.DOCUMENT, file_name="t"),
    ),
    "document with caption": (
        wrapped(
            "documentWithCaptionMessage",
            Message(documentMessage=E2E.DocumentMessage(fileName="a.pdf", caption="c")),
        ),
        WaPreview(kind=WaKind.DOCUMENT, text="c", file_name="a.pdf"),
    ),
    "sticker": (
        Message(stickerMessage=E2E.StickerMessage(pngThumbnail=b"p")),
        WaPreview(kind=WaKind.STICKER, thumbnail=b"p"),
    ),
    "animated sticker": (
        wrapped("lottieStickerMessage", Message(stickerMessage=E2E.StickerMessage())),
        WaPreview(kind=WaKind.STICKER),
    ),
    "contact": (
        Message(contactMessage=E2E.ContactMessage(displayName="Ana", vcard="BEGIN")),
        WaPreview(kind=WaKind.CONTACT, text="Ana"),
    ),
    "contacts": (
        Message(contactsArrayMessage=E2E.ContactsArrayMessage(displayName="2 contacts")),
        WaPreview(kind=WaKind.CONTACT, text="2 contacts"),
    ),
    "place": (
        Message(locationMessage=E2E.LocationMessage(name="N", address="A", JPEGThumbnail=b"j")),
        WaPreview(kind=WaKind.LOCATION, text="N", thumbnail=b"j"),
    ),
    "address": (
        Message(locationMessage=E2E.LocationMessage(address="A")),
        WaPreview(kind=WaKind.LOCATION, text="A"),
    ),
    "live location": (
        Message(liveLocationMessage=E2E.LiveLocationMessage(caption="c")),
        WaPreview(kind=WaKind.LOCATION, text="c"),
    ),
    "poll": (
        Message(pollCreationMessageV3=E2E.PollCreationMessage(name="?")),
        WaPreview(kind=WaKind.POLL, text="?"),
    ),
    "event": (Message(eventMessage=E2E.EventMessage(name="party")), WaPreview(kind=WaKind.OTHER, text="party")),
    "buttons": (
        Message(buttonsMessage=E2E.ButtonsMessage(contentText="choose")),
        WaPreview(kind=WaKind.OTHER, text="choose"),
    ),
    "view once": (wrapped("viewOnceMessageV2", image(viewOnce=True)), WaPreview(kind=WaKind.IMAGE)),
}


@pytest.mark.parametrize(("quoted", "preview"), QUOTED.values(), ids=QUOTED.keys())
def test_quoted_messages(quoted: Any, preview: WaPreview | None) -> None:
    message = extended(contextInfo=quoting(quotedMessage=quoted))
    quote = WaQuote(message_id=WaMessageId("Q"), sender=ANA, preview=preview)
    assert decode_content(message, FROM_ANA) == text(quote=quote)


QUOTES: dict[str, tuple[Scene, Any, WaQuote | None]] = {
    "of a device": (
        FROM_BEN,
        Context(stanzaID="Q", participant="1002:4@lid"),
        WaQuote(message_id=WaMessageId("Q"), sender=ANA_LID),
    ),
    "of nobody": (FROM_ANA, Context(stanzaID="Q"), WaQuote(message_id=WaMessageId("Q"), sender=ANA)),
    "without an id": (FROM_ANA, Context(participant=str(ANA)), None),
    "from a group": (
        FROM_ANA,
        quoting(remoteJID=str(GROUP)),
        WaQuote(message_id=WaMessageId("Q"), sender=ANA, chat=GROUP),
    ),
    "of a status": (
        FROM_ANA,
        quoting(remoteJID=str(STATUS)),
        WaQuote(message_id=WaMessageId("Q"), sender=ANA, chat=STATUS),
    ),
    "from this group": (
        FROM_BEN,
        quoting(remoteJID=str(GROUP)),
        WaQuote(message_id=WaMessageId("Q"), sender=ANA),
    ),
    "from this chat as the other one calls it": (
        FROM_ANA,
        quoting(remoteJID=str(OWN)),
        WaQuote(message_id=WaMessageId("Q"), sender=ANA),
    ),
}


@pytest.mark.parametrize(("where", "context", "quote"), QUOTES.values(), ids=QUOTES.keys())
def test_quotes(where: Scene, context: Any, quote: WaQuote | None) -> None:
    assert decode_content(extended(contextInfo=context), where) == text(quote=quote)


def ref(chat: WaJid, sender: WaJid | None) -> WaMessageRef:
    return WaMessageRef(chat=chat, message_id=WaMessageId("T"), sender=sender)


FROM_STATUS = scene(STATUS, ANA)
TARGETS: dict[str, tuple[Scene, dict[str, Any], WaMessageRef]] = {
    "their own": (FROM_ANA, {"remoteJID": str(OWN), "fromMe": True}, ref(ANA, ANA)),
    "ours, by them": (FROM_ANA, {"remoteJID": str(OWN), "fromMe": False}, ref(ANA, OWN)),
    "ours, by our phone": (FROM_ME, {"remoteJID": str(ANA), "fromMe": True}, ref(ANA, OWN)),
    "theirs, by our phone": (FROM_ME, {"remoteJID": str(ANA), "fromMe": False}, ref(ANA, ANA)),
    "own in a group": (FROM_BEN, {"remoteJID": str(GROUP), "fromMe": True}, ref(GROUP, BEN)),
    "another's in a group": (
        FROM_BEN,
        {"remoteJID": str(GROUP), "participant": "1002:4@lid"},
        ref(GROUP, ANA_LID),
    ),
    "somebody's in a group": (FROM_BEN, {"remoteJID": str(GROUP)}, ref(GROUP, None)),
    "in another chat": (FROM_BEN, {"remoteJID": str(ANA), "fromMe": True}, ref(GROUP, BEN)),
    "on a status": (FROM_STATUS, {"remoteJID": str(STATUS), "participant": str(OWN)}, ref(STATUS, OWN)),
}


@pytest.mark.parametrize(("where", "key", "target"), TARGETS.values(), ids=TARGETS.keys())
def test_whose_message_is_meant(where: Scene, key: dict[str, Any], target: WaMessageRef) -> None:
    message = Message()
    for name, value in {"ID": "T", **key}.items():
        setattr(message.reactionMessage.key, name, value)
    message.reactionMessage.text = "👍"
    assert decode_content(message, where) == WaReaction(target=target, emoji="👍")
    revoke = protocol("REVOKE", key=message.reactionMessage.key)
    assert decode_content(revoke, where) == WaRevoke(target=target)


KEY = Message(reactionMessage={"key": {"ID": "T", "fromMe": True}}).reactionMessage.key
TARGET = ref(ANA, ANA)
EDITED = text("new", mentions=frozenset({WaJid(user="12", server="lid")}))
NEW = extended("new", contextInfo=Context(mentionedJID=["12@lid"]))


def edit(message: Any) -> Any:
    return protocol("MESSAGE_EDIT", key=KEY, editedMessage=message)


ACTIONS: dict[str, tuple[Any, WaContent]] = {
    "reaction": (
        Message(reactionMessage=E2E.ReactionMessage(key=KEY, text="❤️")),
        WaReaction(target=TARGET, emoji="❤️"),
    ),
    "reaction taken back": (
        Message(reactionMessage=E2E.ReactionMessage(key=KEY, text="")),
        WaReaction(target=TARGET, emoji=""),
    ),
    "reaction to nothing": (
        Message(reactionMessage=E2E.ReactionMessage(text="❤️")),
        WaUnsupported(kind="reactionMessage"),
    ),
    "revoke": (protocol("REVOKE", key=KEY), WaRevoke(target=TARGET)),
    "revoke of nothing": (protocol("REVOKE"), WaSilent(kind="REVOKE")),
    "edit": (edit(NEW), WaEdit(target=TARGET, content=EDITED)),
    "plain edit": (edit(Message(conversation="n")), WaEdit(target=TARGET, content=WaText(body="n"))),
    "wrapped edit": (wrapped("editedMessage", edit(NEW)), WaEdit(target=TARGET, content=EDITED)),
    "edit of a wrapped text": (
        edit(wrapped("ephemeralMessage", NEW)),
        WaEdit(target=TARGET, content=EDITED),
    ),
    "edit of a caption": (edit(image(caption="c")), WaEdit(target=TARGET, content=WaText(body="c"))),
    "caption taken away": (edit(image()), WaEdit(target=TARGET, content=WaText(body=""))),
    "edit of something else": (
        edit(Message(stickerMessage=E2E.StickerMessage())),
        WaUnsupported(kind="stickerMessage"),
    ),
    "edit without content": (protocol("MESSAGE_EDIT", key=KEY), WaUnsupported(kind="protocolMessage")),
    "timer": (protocol("EPHEMERAL_SETTING", ephemeralExpiration=86_400), WaEphemeralTimer(timer_s=86_400)),
    "timer off": (protocol("EPHEMERAL_SETTING", ephemeralExpiration=0), WaEphemeralTimer(timer_s=0)),
    "timer by default": (
        protocol(
            "EPHEMERAL_SETTING",
            ephemeralExpiration=604_800,
            disappearingMode=E2E.DisappearingMode(initiator=E2E.DisappearingMode.INITIATED_BY_OTHER),
        ),
        WaEphemeralTimer(timer_s=604_800, is_automatic=True),
    ),
    "view once": (wrapped("viewOnceMessageV2", image()), WaViewOnceNotice(kind=WaKind.IMAGE)),
    "view-once video": (
        wrapped("viewOnceMessage", Message(videoMessage=E2E.VideoMessage())),
        WaViewOnceNotice(kind=WaKind.VIDEO),
    ),
    "view-once voice": (
        wrapped("viewOnceMessageV2Extension", Message(audioMessage=E2E.AudioMessage(PTT=True))),
        WaViewOnceNotice(kind=WaKind.VOICE),
    ),
    "view once by its own mark": (image(viewOnce=True), WaViewOnceNotice(kind=WaKind.IMAGE)),
    "image": (image(caption="c"), WaUnsupported(kind="imageMessage")),
    "document with caption": (
        wrapped("documentWithCaptionMessage", Message(documentMessage=E2E.DocumentMessage())),
        WaUnsupported(kind="documentMessage"),
    ),
    "nothing": (Message(), WaSilent(kind="none")),
    "nothing in a wrapper": (wrapped("ephemeralMessage", Message()), WaSilent(kind="none")),
    "keys": (
        Message(senderKeyDistributionMessage=E2E.SenderKeyDistributionMessage(groupID="g")),
        WaSilent(kind="none"),
    ),
    "app state key": (protocol("APP_STATE_SYNC_KEY_SHARE"), WaSilent(kind="APP_STATE_SYNC_KEY_SHARE")),
    "history": (protocol("HISTORY_SYNC_NOTIFICATION"), WaSilent(kind="HISTORY_SYNC_NOTIFICATION")),
    "peer": (
        protocol("PEER_DATA_OPERATION_REQUEST_MESSAGE"),
        WaSilent(kind="PEER_DATA_OPERATION_REQUEST_MESSAGE"),
    ),
    "sticker sync": (
        Message(stickerSyncRmrMessage=E2E.StickerSyncRMRMessage()),
        WaSilent(kind="stickerSyncRmrMessage"),
    ),
}


@pytest.mark.parametrize(("message", "content"), ACTIONS.values(), ids=ACTIONS.keys())
def test_everything_else(message: Any, content: WaContent) -> None:
    assert decode_content(message, FROM_ANA) == content
    again = Message.FromString(message.SerializeToString())
    assert decode_content(again, FROM_ANA) == content


def test_the_library_knows_of_view_once_too() -> None:
    content = decode_content(image(), scene(ANA, ANA, is_view_once=True))
    assert content == WaViewOnceNotice(kind=WaKind.IMAGE)
    assert decode_content(extended(), scene(ANA, ANA, is_view_once=True)) == text()


def test_a_protocol_type_of_the_future_revokes_nothing() -> None:
    protocol_bytes = Protocol(key=KEY).SerializeToString() + b"\x10\xe7\x07"  # type = 999
    message = Message.FromString(b"\x62" + bytes([len(protocol_bytes)]) + protocol_bytes)
    assert message.protocolMessage.key.ID == "T"
    assert decode_content(message, FROM_ANA) == WaSilent(kind="protocolMessage")


def test_a_kind_of_the_future_is_not_passed_over() -> None:
    message = Message.FromString(b"\xca\x3e\x03abc")  # field 1001
    assert decode_content(message, FROM_ANA) == WaUnsupported(kind="")


@pytest.mark.parametrize("name", sorted(field.name for field in Message.DESCRIPTOR.fields if field.message_type))
def test_every_kind_there_is_comes_to_something(name: str) -> None:
    message = Message()
    getattr(message, name).SetInParent()
    content = decode_content(message, FROM_ANA)
    assert isinstance(content, WaContent)
    if isinstance(content, WaUnsupported):
        assert content.kind == name
